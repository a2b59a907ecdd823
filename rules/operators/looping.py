"""The operators that look at each item of a list: filter, map, reduce, all, some, none.

Inside them ``var`` sees the item alone, not the data around it. A loop pays for all its passes
before the first one.
"""

from rules import checks
from rules.budget import Fuel
from rules.part import NOTHING, Args, Run, filled, test_of
from rules.signature import A_BOOL, changed, kept, operation, reduced
from rules.values import Json


@operation(
    "filter", "The items for which the condition holds.", 2, 2, kept, checks.looped, loop="item"
)
def _keep(args: Args) -> Run:
    source, body = filled(args, 2, NOTHING)[:2]
    items_of, test, cost = source.run, test_of(body), body.cost

    def run(data: Json, fuel: Fuel) -> list[Json]:
        items = items_of(data, fuel)
        if items.__class__ is not list:
            return []
        fuel.spend(len(items) * cost)
        return [item for item in items if test(item, fuel)]

    return run


@operation(
    "map", "What the expression gives for each item.", 2, 2, changed, checks.looped, loop="item"
)
def _change_each(args: Args) -> Run:
    source, body = filled(args, 2, NOTHING)[:2]
    items_of, change, cost = source.run, body.run, body.cost

    def run(data: Json, fuel: Fuel) -> list[Json]:
        items = items_of(data, fuel)
        if items.__class__ is not list:
            return []
        fuel.spend(len(items) * cost)
        return [change(item, fuel) for item in items]

    return run


@operation(
    "reduce",
    "One value out of all items, by way of `current` and `accumulator`.",
    2,
    3,
    reduced,
    checks.looped,
    loop="pair",
)
def _reduce(args: Args) -> Run:
    source, body, start = filled(args, 3, NOTHING)[:3]
    items_of, combine, first, cost = source.run, body.run, start.run, body.cost

    def run(data: Json, fuel: Fuel) -> Json:
        items = items_of(data, fuel)
        total = first(data, fuel)
        if items.__class__ is not list:
            return total
        fuel.spend(len(items) * cost)
        for item in items:
            total = combine({"current": item, "accumulator": total}, fuel)
        return total

    return run


@operation(
    "all",
    "Whether the condition holds for every item; false for none.",
    2,
    2,
    A_BOOL,
    checks.looped,
    loop="item",
)
def _holds_for_all(args: Args) -> Run:
    source, body = filled(args, 2, NOTHING)[:2]
    items_of, test, cost = source.run, test_of(body), body.cost

    def run(data: Json, fuel: Fuel) -> bool:
        items = items_of(data, fuel)
        if items.__class__ is not list or not items:
            return False
        fuel.spend(len(items) * cost)
        for item in items:  # noqa: SIM110 - a generator would make every pass dearer
            if not test(item, fuel):
                return False
        return True

    return run


@operation(
    "some", "Whether the condition holds for an item.", 2, 2, A_BOOL, checks.looped, loop="item"
)
def _holds_for_some(args: Args) -> Run:
    return _finder(args)


@operation(
    "none", "Whether the condition holds for no item.", 2, 2, A_BOOL, checks.looped, loop="item"
)
def _holds_for_none(args: Args) -> Run:
    found = _finder(args)
    return lambda data, fuel: not found(data, fuel)


def _finder(args: Args) -> Run:
    source, body = filled(args, 2, NOTHING)[:2]
    items_of, test, cost = source.run, test_of(body), body.cost

    def run(data: Json, fuel: Fuel) -> bool:
        items = items_of(data, fuel)
        if items.__class__ is not list:
            return False
        fuel.spend(len(items) * cost)
        for item in items:  # noqa: SIM110 - a generator would make every pass dearer
            if test(item, fuel):
                return True
        return False

    return run
