"""Reads a ``.env`` file, and says what in it cannot be read."""

import re
from pathlib import Path

import msgspec

_DOTENV_LINE = re.compile(
    r"""(?P<name>[A-Za-z_]\w*)\s*=\s*
    (?P<value>'[^']*'|"(?:[^"\\]|\\.)*"|(?!['"])(?:[^\s]|\s(?!\#))*?)(?:\s+\#.*|\s*)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One setting that cannot be used: what is wrong with it, and what to do."""

    name: str
    problem: str
    remedy: str


def dotenv(path: Path, faults: list[Fault]) -> dict[str, str]:
    """Read ``NAME=value`` lines: comments, ``export``, single and double quotes are known."""
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return found
    except (OSError, UnicodeDecodeError):
        faults.append(Fault(name=str(path), problem="it cannot be read", remedy="correct the file"))
        return found
    for number, line in enumerate(lines, start=1):
        bare = line.strip().removeprefix("export ").lstrip()
        if not bare or bare.startswith("#"):
            continue
        if match := _DOTENV_LINE.fullmatch(bare):
            found[match["name"]] = _unquoted(match["value"].strip())
        else:
            place = f"{path}, line {number}"
            remedy = "write NAME=value there, and quotes in pairs"
            faults.append(Fault(name=place, problem="it cannot be read", remedy=remedy))
    return found


def _unquoted(value: str) -> str:
    if value.startswith("'"):
        return value[1:-1]
    if value.startswith('"'):
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), value[1:-1])
    return value
