"""Any JsonLogic and any data give a value: compiled once, always within a budget."""

from typing import Final

import msgspec

from rules.budget import EVALUATION_STEPS, Fuel, OutOfBudget
from rules.build import Builder
from rules.kinds import ANY
from rules.part import Part
from rules.values import Json
from rules.vocabulary import Scope

_LARGEST_RESULT: Final = 2_000_000
_LARGEST_KEY: Final = 1 << 16
_MOST_KNOWN: Final = 512
_known: Final[dict[bytes, Part]] = {}
_encode = msgspec.msgpack.Encoder().encode


def evaluate(logic: Json, data: Json = None) -> Json:
    """Give the value that JsonLogic has for ``logic`` over ``data``, both decoded JSON.

    Raises ``OutOfBudget`` where that takes too many steps, too long a text or too much nesting,
    ``UnknownOperator`` and ``PatternRefused`` where it comes to such a place.
    """
    try:
        part = _known.get(_encode(logic))
    except (OverflowError, UnicodeEncodeError, RecursionError):
        part = None
    try:
        if part is None:
            part = _compiled(logic)
        value = part.run(data, Fuel(EVALUATION_STEPS - part.cost))
    except RecursionError:
        raise OutOfBudget("the expression or its data is nested too deeply") from None
    if value.__class__ is list and part.op != "var":
        _weigh(value)
    return value


def _compiled(logic: Json) -> Part:
    """Compile, and remember by the logic's bytes, so that changing it later changes nothing."""
    try:
        key = _encode(logic)
    except (OverflowError, UnicodeEncodeError):
        return _build(logic)  # numbers over 64 bits, halves of surrogate pairs
    part = _build(msgspec.msgpack.decode(key))
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    if len(key) <= _LARGEST_KEY:
        _known[key] = part
    return part


def _build(logic: Json) -> Part:
    return Builder().build(logic, None, Scope(ANY))


def _weigh(result: list[Json]) -> None:
    """Refuse a result that is small in memory but endless when written: lists shared in lists."""
    waiting: list[Json] = [result]
    weight = 0
    while waiting:
        values = waiting.pop()
        weight += len(values)
        if weight > _LARGEST_RESULT:
            raise OutOfBudget("the result is too large")
        inner = values.values() if isinstance(values, dict) else values
        waiting.extend(value for value in inner if isinstance(value, list | dict))
