"""The operators that choose: if, and, or, not, and what does nothing but pass a value on."""

from rules.budget import Fuel
from rules.part import NOTHING, Args, Part, Run, Test, filled, is_plain, test_of
from rules.signature import A_BOOL, any_argument, any_branch, operation
from rules.values import Json, truthy


@operation("if", "Condition, result, condition, result, …, otherwise.", 2, None, any_branch)
def _if(args: Args) -> Run:
    return _choose(args)


@operation("?:", "Condition, result, otherwise.", 3, 3, any_branch)
def _ternary(args: Args) -> Run:
    return _choose(args)


def _choose(args: Args) -> Run:
    pairs = tuple((test_of(args[at]), args[at + 1].run) for at in range(0, len(args) - 1, 2))
    otherwise = args[-1].run if len(args) % 2 else NOTHING.run
    if len(pairs) == 1:
        return _choose_between(*pairs[0], otherwise)

    def run(data: Json, fuel: Fuel) -> Json:
        for test, result in pairs:
            if test(data, fuel):
                return result(data, fuel)
        return otherwise(data, fuel)

    return run


def _choose_between(test: Test, result: Run, otherwise: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        return result(data, fuel) if test(data, fuel) else otherwise(data, fuel)

    return run


@operation("and", "The first value that counts as false, or the last.", 1, None, any_argument)
def _all_of(args: Args) -> Run:
    if not args:
        return NOTHING.run
    *firsts, last = (part.run for part in args)
    if not all(is_plain(part) for part in args[:-1]):
        return _careful_all(tuple(firsts), last)
    return _all_of_two(firsts[0], last) if len(firsts) == 1 else _plain_all(tuple(firsts), last)


def _all_of_two(first: Run, last: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        value = first(data, fuel)
        return last(data, fuel) if value else value

    return run


def _plain_all(firsts: tuple[Run, ...], last: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        for first in firsts:
            value = first(data, fuel)
            if not value:
                return value
        return last(data, fuel)

    return run


def _careful_all(firsts: tuple[Run, ...], last: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        for first in firsts:
            value = first(data, fuel)
            if not truthy(value):
                return value
        return last(data, fuel)

    return run


@operation("or", "The first value that counts as true, or the last.", 1, None, any_argument)
def _any_of(args: Args) -> Run:
    if not args:
        return NOTHING.run
    *firsts, last = (part.run for part in args)
    if not all(is_plain(part) for part in args[:-1]):
        return _careful_any(tuple(firsts), last)
    return _any_of_two(firsts[0], last) if len(firsts) == 1 else _plain_any(tuple(firsts), last)


def _any_of_two(first: Run, last: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        return first(data, fuel) or last(data, fuel)

    return run


def _plain_any(firsts: tuple[Run, ...], last: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        for first in firsts:
            value = first(data, fuel)
            if value:
                return value
        return last(data, fuel)

    return run


def _careful_any(firsts: tuple[Run, ...], last: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> Json:
        for first in firsts:
            value = first(data, fuel)
            if truthy(value):
                return value
        return last(data, fuel)

    return run


@operation("!", "True when the value counts as false.", 1, 1, A_BOOL)
def _negation(args: Args) -> Run:
    part = _first(args)
    run = part.run
    if is_plain(part):
        return lambda data, fuel: not run(data, fuel)
    return lambda data, fuel: not truthy(run(data, fuel))


@operation("!!", "True when the value counts as true.", 1, 1, A_BOOL)
def _truth(args: Args) -> Run:
    part = _first(args)
    run = part.run
    if is_plain(part):
        return lambda data, fuel: bool(run(data, fuel))
    return lambda data, fuel: truthy(run(data, fuel))


@operation("log", "The value itself; nothing is written.", 1, 1, any_argument)
def _passing_on(args: Args) -> Run:
    return _first(args).run


def _first(args: Args) -> Part:
    return filled(args, 1, NOTHING)[0]
