"""Bytes become a JSON document that is fit to be read, or faults that say where it is not."""

import json
import math
import re
from collections import Counter
from typing import Final

from rules.faults import Fault, RuleSetInvalid, Where, pointer
from rules.values import Json

LARGEST_DOCUMENT: Final = 64 * 1024
"""In bytes of UTF-8."""
DEEPEST_DOCUMENT: Final = 160
"""In brackets: room for 64 operators that each wrap their arguments in a list."""
_MOST_FAULTS: Final = 50
_WIDEST_INT: Final = 1023
# A text that never ends is one mark too, so that looking for marks stays linear.
_marks = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},:]', re.DOTALL).finditer
_half_a_pair = re.compile("[\ud800-\udfff]").search


class _Repeating(dict[str, Json]):
    """An object in which a name stood twice."""

    def __init__(self, pairs: list[tuple[str, Json]]) -> None:
        super().__init__(pairs)
        self.repeated = [name for name, times in Counter(n for n, _ in pairs).items() if times > 1]


def decode(body: bytes) -> Json:
    """Decode JSON from outside. Raises ``RuleSetInvalid``.

    Refused are documents too large or too deep, names that stand twice, NaN and infinities.
    """
    if len(body) > LARGEST_DOCUMENT:
        raise RuleSetInvalid((_too_large(),))
    try:
        text = body.decode()
        _refuse_depth(text)
        document = json.loads(text, object_pairs_hook=_object)
    except ValueError as unreadable:
        raise RuleSetInvalid((Fault("", f"this is not JSON: {unreadable}"),)) from None
    refuse_unfit(document)
    return document


def refuse_unfit(document: Json) -> None:
    """Raise ``RuleSetInvalid`` unless this is decoded JSON that can be kept and compiled."""
    faults: list[Fault] = []
    waiting: list[tuple[Json, Where, int]] = [(document, None, 0)]
    seen = 0
    while waiting and len(faults) < _MOST_FAULTS:
        value, where, depth = waiting.pop()
        seen += 1
        if seen > LARGEST_DOCUMENT:
            raise RuleSetInvalid((_too_large(),))
        if depth > DEEPEST_DOCUMENT:
            raise RuleSetInvalid((_too_deep(where),))
        faults.extend(Fault(pointer(where), detail) for detail in _unfit(value))
        faults.extend(_repeated(value, where))
        waiting.extend((inner, (where, key), depth + 1) for key, inner in _inside(value))
    if not faults and _size(document) > LARGEST_DOCUMENT:
        faults.append(_too_large())
    if faults:
        raise RuleSetInvalid(tuple(faults))


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Repeating(pairs)


def _inside(value: Json) -> list[tuple[str | int, Json]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _unfit(value: Json) -> list[str]:
    match value:
        case None | bool() | list():
            return []
        case int():
            return [] if value.bit_length() <= _WIDEST_INT else ["this number is too large"]
        case float():
            return [] if math.isfinite(value) else [f"{value} is no JSON number"]
        case str():
            return _unfit_text(value)
        case dict():
            return [fault for name in value for fault in _unfit_name(name)]
        case _:
            return [f"a {type(value).__name__} is not JSON"]


def _unfit_name(name: Json) -> list[str]:
    return _unfit_text(name) if isinstance(name, str) else ["a name that is no text is not JSON"]


def _unfit_text(text: str) -> list[str]:
    if "\0" in text:
        return ["a text may not hold the character U+0000"]
    return ["a text may not hold half a surrogate pair"] if _half_a_pair(text) else []


def _repeated(value: Json, where: Where) -> list[Fault]:
    if not isinstance(value, _Repeating):
        return []
    return [Fault(pointer((where, name)), "this name stands twice") for name in value.repeated]


def _size(document: Json) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def _too_large() -> Fault:
    return Fault("", f"the document is larger than {LARGEST_DOCUMENT // 1024} KiB")


def _too_deep(where: Where) -> Fault:
    return Fault(pointer(where), "the document is nested too deeply")


def _refuse_depth(text: str) -> None:
    """Count brackets before anything recursive reads the text, and say where there are too many."""
    path: list[str | int] = []
    name = ""
    for found in _marks(text):
        mark = found.group()
        if mark in "[{":
            path.append(0 if mark == "[" else "")
            if len(path) > DEEPEST_DOCUMENT:
                raise RuleSetInvalid((_too_deep(_where(path[:-1])),))
        elif mark in "]}" and path:
            path.pop()
        elif mark == "," and path and isinstance(path[-1], int):
            path[-1] += 1
        elif mark == ":" and path:
            path[-1] = name
        else:
            name = mark[1:-1]


def _where(path: list[str | int]) -> Where:
    where: Where = None
    for key in path:
        where = (where, key)
    return where
