"""Lists every attempt of this folder, for ``docs/attacks.md``: its kind, and what it shows."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent
KINDS = {
    "keys": "Keys",
    "walls": "Walls, on every route of the document, with every kind of key",
    "rows": "Rows, by raw SQL",
    "sealed": "Sealed bytes, backups, Redis",
    "consent": "Consent, states, grants",
    "inbound": "Notices and reports",
    "outgoing": "Outgoing addresses",
    "requests": "Requests: bodies, paths, methods, headers",
    "wire": "The bytes of HTTP",
    "texts": "Stored texts",
    "rules": "Rules",
    "leaks": "Leaks, in real processes",
}


def attempts(kind: str) -> list[str]:
    """Return the sentences of one kind, in the order of its file."""
    tree = ast.parse((FOLDER / f"test_{kind}.py").read_text())
    named = [
        node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    tests = [node.name for node in named if node.name.startswith("test_")]
    return [name.removeprefix("test_").replace("_", " ").capitalize() for name in tests]


def table() -> str:
    """Write the table: a heading with a count for each kind, and a line for each attempt."""
    parts = []
    for kind, title in KINDS.items():
        found = attempts(kind)
        lines = "\n".join(f"- {sentence}." for sentence in found)
        parts.append(f"## {title} ({len(found)})\n\n{lines}\n")
    return "\n".join(parts)


def kinds_there() -> set[str]:
    """Return the kinds that have a file."""
    return {path.stem.removeprefix("test_") for path in FOLDER.glob("test_*.py")}
