"""What is wrong with a rule set, and where: faults with JSON pointers (RFC 6901)."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final, TypeAlias

import msgspec

Where: TypeAlias = "tuple[Where, str | int] | None"
"""A place in a document: the place around it, and the key or index in there."""

_LONGEST_SHOWN: Final = 60
_camel_hump = re.compile("(?<=[a-z])(?=[A-Z])").sub


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong; ``pointer`` says where, ``detail`` what and how to mend it."""

    pointer: str
    detail: str


class RuleSetInvalid(Exception):
    """A rule set cannot be taken; ``faults`` name every reason."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = faults


def pointer(where: Where) -> str:
    """Write a place as a JSON pointer."""
    keys: list[str] = []
    while where is not None:
        where, key = where
        keys.append("/" + str(key).replace("~", "~0").replace("/", "~1"))
    return "".join(reversed(keys))


def shown(name: str) -> str:
    """Quote a name that somebody else chose, cut where it is long."""
    return f"`{name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + '…'}`"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name, as a question to put behind a sentence."""
    if len(name) > _LONGEST_SHOWN:
        return ""
    snake = _camel_hump("_", name).replace("-", "_").lower()
    near = get_close_matches(snake, list(known), n=1, cutoff=0.73)
    return f"; did you mean `{near[0]}`?" if near else ""
