"""The operators that calculate: sums, products, quotients, smallest and largest."""

import math
from collections.abc import Callable
from typing import TypeAlias

from rules import checks
from rules.budget import Fuel
from rules.part import NOT_A_NUMBER, Args, Run, filled
from rules.signature import A_NUMBER, operation
from rules.values import NAN, Json, parse_float, settle, to_number

Calculate: TypeAlias = Callable[[float, float], float]


@operation("+", "The sum; of one argument, its number.", 1, None, A_NUMBER, checks.calculated)
def _plus(args: Args) -> Run:
    if len(args) == 2:  # noqa: PLR2004 - what sums mostly have
        return _sum_of_two(args[0].run, args[1].run)
    return _folded(args, 0, lambda total, number: total + number)


@operation("*", "The product.", 1, None, A_NUMBER, checks.calculated)
def _times(args: Args) -> Run:
    return _folded(args, 1, lambda total, number: total * number)


@operation("-", "The difference; of one argument, its opposite.", 1, 2, A_NUMBER, checks.calculated)
def _minus(args: Args) -> Run:
    if len(args) == 1:
        run = args[0].run
        return lambda data, fuel: settle(-to_number(run(data, fuel), fuel))
    return _of_two(args, lambda left, right: left - right)


@operation("/", "The quotient.", 2, 2, A_NUMBER, checks.calculated)
def _over(args: Args) -> Run:
    return _of_two(args, _quotient)


@operation(
    "%", "The remainder, with the sign of the first argument.", 2, 2, A_NUMBER, checks.calculated
)
def _modulo(args: Args) -> Run:
    return _of_two(args, _remainder)


@operation("min", "The smallest number.", 1, None, A_NUMBER, checks.calculated)
def _smallest(args: Args) -> Run:
    return _extreme(args, min, math.inf)


@operation("max", "The largest number.", 1, None, A_NUMBER, checks.calculated)
def _largest(args: Args) -> Run:
    return _extreme(args, max, -math.inf)


def _sum_of_two(first: Run, second: Run) -> Run:
    def run(data: Json, fuel: Fuel) -> float:
        left, right = first(data, fuel), second(data, fuel)
        if left.__class__ is int and right.__class__ is int:
            return settle(left + right)
        return settle(parse_float(left, fuel) + parse_float(right, fuel))

    return run


def _folded(args: Args, start: int, calculate: Calculate) -> Run:
    runs = tuple(part.run for part in args)

    def run(data: Json, fuel: Fuel) -> float:
        total: float = start
        for argument in runs:
            total = settle(calculate(total, parse_float(argument(data, fuel), fuel)))
        return total

    return run


def _of_two(args: Args, calculate: Calculate) -> Run:
    first, second = (part.run for part in filled(args, 2, NOT_A_NUMBER)[:2])

    def run(data: Json, fuel: Fuel) -> float:
        left = to_number(first(data, fuel), fuel)
        return settle(calculate(left, to_number(second(data, fuel), fuel)))

    return run


def _quotient(left: float, right: float) -> float:
    if right:
        return left / right
    return left * math.inf if left else NAN


def _remainder(left: float, right: float) -> float:
    if not right or math.isinf(left):
        return NAN
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return math.fmod(left, right)


def _extreme(args: Args, choose: Callable[..., float], of_nothing: float) -> Run:
    runs = tuple(part.run for part in args)

    def run(data: Json, fuel: Fuel) -> float:
        numbers = [to_number(argument(data, fuel), fuel) for argument in runs]
        if any(map(math.isnan, numbers)):
            return NAN
        return settle(choose(numbers, default=of_nothing))

    return run
