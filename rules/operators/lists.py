"""The operators on whole lists: in, merge, intersects, count."""

import math
from typing import Final

from rules import checks
from rules.budget import Fuel
from rules.kinds import LIST_FLAG, TEXT_FLAG
from rules.part import NOTHING, Args, Part, Run, filled
from rules.signature import A_BOOL, A_NUMBER_OR_NULL, merged, operation
from rules.values import Json, to_text

_LISTS: Final = checks.expects(LIST_FLAG)
_PAID_LENGTH: Final = 64
"""Looking through less is part of the step itself."""


def holds(items: list[Json], wanted: Json) -> bool:
    """Tell whether a list holds a value, as ``indexOf`` does: by strict equality."""
    kind = wanted.__class__
    if kind is str or wanted is None:
        return wanted in items
    if kind is list or kind is dict or kind is bool:
        return any(item is wanted for item in items)
    if math.isnan(wanted):
        return False
    return wanted in items and any(item == wanted and item.__class__ is not bool for item in items)


@operation(
    "in",
    "Whether a list holds a value, or a text another text.",
    2,
    2,
    A_BOOL,
    checks.contained,
    scans=True,
)
def _contains(args: Args) -> Run:
    if len(args) < 2:  # noqa: PLR2004 - both are needed
        return lambda _data, _fuel: False
    wanted, place = args[0], args[1]
    if place.is_literal and place.value and _is_texts(place.value):
        return _is_one_of(wanted.run, frozenset(place.value))
    if wanted.kind.only(TEXT_FLAG) and place.kind.only(LIST_FLAG):
        return _text_in_list(wanted, place)
    if isinstance(wanted.value, str):
        return _text_within(wanted.value, place)
    first, second, value = wanted.run, place.run, place.value
    if place.is_literal:
        return lambda data, fuel: _found(first(data, fuel), value, fuel)
    return lambda data, fuel: _found(first(data, fuel), second(data, fuel), fuel)


def _found(value: Json, place: Json, fuel: Fuel) -> bool:
    if place.__class__ is list:
        fuel.spend(len(place) >> 3)
        return holds(place, value)
    if place.__class__ is str and place:
        fuel.spend(len(place) >> 5)
        return to_text(value, fuel) in place
    return False


def _is_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_one_of(wanted: Run, texts: frozenset[str]) -> Run:
    def run(data: Json, fuel: Fuel) -> bool:
        value = wanted(data, fuel)
        return value.__class__ is str and value in texts

    return run


def _text_in_list(wanted: Part, place: Part) -> Run:
    first, items_of, text, field = wanted.run, place.run, wanted.value, place.field

    def run(data: Json, fuel: Fuel) -> bool:
        items = items_of(data, fuel)
        return items is not None and first(data, fuel) in items

    def run_literal(data: Json, fuel: Fuel) -> bool:
        items = items_of(data, fuel)
        return items is not None and text in items

    def run_field(data: Json, _fuel: Fuel) -> bool:
        items = data[field]
        return items is not None and text in items

    if not wanted.is_literal:
        return run
    return run_field if place.is_sure else run_literal


def _text_within(text: str, place: Part) -> Run:
    """Look for a literal text in what may be a text or a list."""
    read, field = place.run, place.field

    def run(data: Json, fuel: Fuel) -> bool:
        found = data.get(field) if field and data.__class__ is dict else read(data, fuel)
        if (found.__class__ is str or found.__class__ is list) and found:
            if len(found) > _PAID_LENGTH:
                fuel.spend(len(found) >> 3)
            return text in found
        return False

    return run


@operation("merge", "One list of all items.", 0, None, merged)
def _merge(args: Args) -> Run:
    runs = tuple(part.run for part in args)

    def run(data: Json, fuel: Fuel) -> list[Json]:
        merged: list[Json] = []
        for part in runs:
            value = part(data, fuel)
            if value.__class__ is list:
                fuel.spend(len(value))
                merged += value
            else:
                merged.append(value)
        return merged

    return run


@operation(
    "intersects", "Whether two lists share an item.", 2, 2, A_BOOL, checks.intersecting, scans=True
)
def _intersects(args: Args) -> Run:
    left, right = filled(args, 2, NOTHING)[:2]
    for one, other in ((left, right), (right, left)):
        if one.is_literal and _is_texts(one.value):
            return _shares(other.run, frozenset(one.value))
    first, second = left.run, right.run

    def run(data: Json, fuel: Fuel) -> bool:
        some, others = first(data, fuel), second(data, fuel)
        if some.__class__ is not list or others.__class__ is not list:
            return False
        return _overlap(some, others, fuel)

    return run


def _overlap(some: list[Json], others: list[Json], fuel: Fuel) -> bool:
    fuel.spend(len(some) + len(others))
    if _is_texts(some):
        return not frozenset(some).isdisjoint([item for item in others if item.__class__ is str])
    fuel.spend(len(some) * len(others))
    return any(holds(others, item) for item in some)


def _shares(place: Run, texts: frozenset[str]) -> Run:
    def run(data: Json, fuel: Fuel) -> bool:
        items = place(data, fuel)
        if items.__class__ is not list:
            return False
        if len(items) > _PAID_LENGTH:
            fuel.spend(len(items) >> 3)
        try:
            return not texts.isdisjoint(items)
        except TypeError:  # lists and objects have no hash
            return any(item.__class__ is str and item in texts for item in items)

    return run


@operation("count", "How many items a list has.", 1, 1, A_NUMBER_OR_NULL, _LISTS)
def _count(args: Args) -> Run:
    source = filled(args, 1, NOTHING)[0].run

    def run(data: Json, fuel: Fuel) -> int | None:
        items = source(data, fuel)
        return len(items) if items.__class__ is list else None

    return run
