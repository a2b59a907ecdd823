"""Partial responses: keeps what a ``fields`` selector such as ``items(id,start/date)`` names."""

import re
from collections.abc import Iterator
from typing import Any

from meetbot_calendar.sandbox.google.errors import invalid

Tree = dict[str, "Tree"]

_TOKEN = re.compile(r"[A-Za-z0-9_*]+|[(),/]")


def selected(body: dict[str, Any], selector: str) -> dict[str, Any]:
    """Return the part of ``body`` that the selector names; all of it for an empty selector."""
    if not selector:
        return body
    tokens = iter([*_TOKEN.findall(selector), ""])
    if "".join(_TOKEN.findall(selector)) != selector:
        raise invalid(f"Invalid field selection {selector}", "fields")
    tree, _ = _read(tokens)
    kept = _keep(body, tree)
    return kept if isinstance(kept, dict) else {}


def _read(tokens: Iterator[str]) -> tuple[Tree, str]:
    """Read names up to a closing bracket or the end; return them and what ended them."""
    tree: Tree = {}
    while True:
        leaf = tree.setdefault(next(tokens, ""), {})
        after = next(tokens, "")
        while after == "/":
            leaf = leaf.setdefault(next(tokens, ""), {})
            after = next(tokens, "")
        if after == "(":
            below, _ = _read(tokens)
            leaf.update(below)
            after = next(tokens, "")
        if after != ",":
            return tree, after


def _keep(value: Any, tree: Tree) -> Any:  # noqa: ANN401 - JSON in, JSON out
    if not tree or "*" in tree:
        return value
    if isinstance(value, list):
        return [_keep(each, tree) for each in value]
    if isinstance(value, dict):
        return {name: _keep(value[name], below) for name, below in tree.items() if name in value}
    return value
