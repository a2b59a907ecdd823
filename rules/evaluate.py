"""Any JsonLogic and any data give a value: compiled once, always within a budget."""

import functools

import msgspec

from rules.budget import EVALUATION_STEPS, Fuel, OutOfBudget
from rules.build import Builder
from rules.kinds import ANY
from rules.part import Part
from rules.values import Json
from rules.vocabulary import Scope

_LARGEST_KEY = 1 << 16
_LARGEST_RESULT = 2_000_000
_encode = msgspec.msgpack.Encoder().encode


def evaluate(logic: Json, data: Json = None) -> Json:
    """Give the value that JsonLogic has for ``logic`` over ``data``, both decoded JSON.

    Raises ``OutOfBudget`` where that takes too many steps, too long a text or too much nesting,
    ``UnknownOperator`` and ``PatternRefused`` where it comes to such a place.
    """
    try:
        part = _compiled(logic)
        fuel = Fuel(EVALUATION_STEPS)
        fuel.spend(part.cost)
        value = part.run(data, fuel)
        if value.__class__ is list and part.op != "var":
            _weigh(value)
    except RecursionError:
        raise OutOfBudget("the expression or its data is nested too deeply") from None
    return value


def _compiled(logic: Json) -> Part:
    try:
        key = _encode(logic)
    except (OverflowError, UnicodeEncodeError):
        return _build(logic)  # numbers over 64 bits, halves of surrogate pairs
    return _build(logic) if len(key) > _LARGEST_KEY else _compiled_once(key)


@functools.lru_cache(maxsize=512)
def _compiled_once(key: bytes) -> Part:
    # Built from a copy, so that changing the original later changes nothing here.
    return _build(msgspec.msgpack.decode(key))


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
