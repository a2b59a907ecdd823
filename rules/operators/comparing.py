"""The operators that compare: equality with and without conversion, order, between."""

import operator
from collections.abc import Callable
from typing import Final

from rules import checks
from rules.budget import Fuel
from rules.kinds import BOOL_FLAG, NULL_FLAG, NUMBER_FLAG, TEXT_FLAG
from rules.part import NOT_A_NUMBER, NOTHING, Args, Part, Run, filled
from rules.signature import A_BOOL, operation
from rules.values import Compare, Json, to_number, to_text

_CONTAINERS: Final = (list, dict)
_SCALARS: Final = (TEXT_FLAG, NUMBER_FLAG, BOOL_FLAG)
_NUMBERS: Final = frozenset({int, float})


def loosely_equal(left: Json, right: Json, fuel: Fuel) -> bool:
    """Compare as ``==`` does (IsLooselyEqual): text and numbers convert, null equals only null."""
    if left.__class__ is right.__class__:
        return left is right if isinstance(left, _CONTAINERS) else bool(left == right)
    if left is None or right is None:
        return False
    if isinstance(left, _CONTAINERS):
        return not isinstance(right, _CONTAINERS) and loosely_equal(
            to_text(left, fuel), right, fuel
        )
    if isinstance(right, _CONTAINERS):
        return loosely_equal(left, to_text(right, fuel), fuel)
    return to_number(left, fuel) == to_number(right, fuel)


def strictly_equal(left: Json, right: Json, _fuel: Fuel) -> bool:
    """Compare as ``===`` does (IsStrictlyEqual): lists and objects equal nothing but themselves."""
    if left.__class__ is right.__class__:
        return left is right if isinstance(left, _CONTAINERS) else bool(left == right)
    return left.__class__ in _NUMBERS and right.__class__ in _NUMBERS and bool(left == right)


def _ordering(holds: Callable[[Json, Json], bool]) -> Compare:
    """Make one of ``<``, ``<=``, ``>``, ``>=`` (IsLessThan): two texts as text, else as numbers."""

    def compare(left: Json, right: Json, fuel: Fuel) -> bool:
        if left.__class__ is right.__class__ and left.__class__ in _ORDERED:
            return holds(left, right)
        if isinstance(left, _CONTAINERS):
            left = to_text(left, fuel)
        if isinstance(right, _CONTAINERS):
            right = to_text(right, fuel)
        if left.__class__ is str and right.__class__ is str:
            return holds(left, right)
        return holds(to_number(left, fuel), to_number(right, fuel))

    return compare


_ORDERED: Final = frozenset({int, float, str})
_at_most: Final = _ordering(operator.le)


@operation("==", "Equal, after converting text and numbers.", 2, 2, A_BOOL, checks.compared)
def _equal(args: Args) -> Run:
    return _comparison(filled(args, 2, NOTHING), loosely_equal, operator.eq)


@operation("!=", "Not equal, after converting text and numbers.", 2, 2, A_BOOL, checks.compared)
def _unequal(args: Args) -> Run:
    return _opposite(_comparison(filled(args, 2, NOTHING), loosely_equal, operator.eq))


@operation("===", "Equal and of the same sort.", 2, 2, A_BOOL, checks.strictly_compared)
def _same(args: Args) -> Run:
    return _strict(args)


@operation("!==", "Not equal, or of another sort.", 2, 2, A_BOOL, checks.strictly_compared)
def _different(args: Args) -> Run:
    return _opposite(_strict(args))


@operation(
    "<",
    "Less than; with three arguments, the second lies between the others.",
    2,
    3,
    A_BOOL,
    checks.compared,
)
def _less(args: Args) -> Run:
    return _chain(args, _ordering(operator.lt), operator.lt)


@operation(
    "<=",
    "At most; with three arguments, the second lies between or on the others.",
    2,
    3,
    A_BOOL,
    checks.compared,
)
def _less_or_equal(args: Args) -> Run:
    return _chain(args, _at_most, operator.le)


@operation(">", "Greater than.", 2, 2, A_BOOL, checks.compared)
def _greater(args: Args) -> Run:
    return _chain(args[:2], _ordering(operator.gt), operator.gt)


@operation(">=", "At least.", 2, 2, A_BOOL, checks.compared)
def _greater_or_equal(args: Args) -> Run:
    return _chain(args[:2], _ordering(operator.ge), operator.ge)


@operation(
    "between",
    "Whether a value lies between two others, or on them; false if one is null.",
    3,
    3,
    A_BOOL,
    checks.ranged,
)
def _between(args: Args) -> Run:
    value, low, high = filled(args, 3, NOTHING)[:3]
    sort = low.kind.flags
    has_literals = low.is_literal and high.is_literal and sort == high.kind.flags
    if has_literals and sort in _SCALARS and value.kind.only(sort):
        return _between_literals(value.run, low.value, high.value)
    middle_of, least_of, most_of = value.run, low.run, high.run

    def run(data: Json, fuel: Fuel) -> bool:
        least, middle, most = least_of(data, fuel), middle_of(data, fuel), most_of(data, fuel)
        if least is None or middle is None or most is None:
            return False
        return _at_most(least, middle, fuel) and _at_most(middle, most, fuel)

    return run


def _between_literals(value: Run, low: Json, high: Json) -> Run:
    def run(data: Json, fuel: Fuel) -> bool:
        middle = value(data, fuel)
        return middle is not None and low <= middle <= high

    return run


def _strict(args: Args) -> Run:
    missing = NOT_A_NUMBER if args else NOTHING  # only nothing equals nothing
    return _comparison(filled(args, 2, missing), strictly_equal, operator.eq)


def _chain(args: Args, compare: Compare, native: Callable[[Json, Json], bool]) -> Run:
    if len(args) <= 2:  # noqa: PLR2004 - two sides
        return _comparison(filled(args, 2, NOT_A_NUMBER), compare, native)
    first, second, third = (part.run for part in args[:3])

    def run(data: Json, fuel: Fuel) -> bool:
        left, middle, right = first(data, fuel), second(data, fuel), third(data, fuel)
        return compare(left, middle, fuel) and compare(middle, right, fuel)

    return run


def _comparison(args: Args, compare: Compare, native: Callable[[Json, Json], bool]) -> Run:
    left, right = args[0], args[1]
    if _python_agrees(left, right, equality=native is operator.eq):
        return _native(left, right, native)
    if right.is_literal and right.value.__class__ in _ORDERED:
        return _against(left, right.value, compare, native)
    first, second = left.run, right.run
    return lambda data, fuel: compare(first(data, fuel), second(data, fuel), fuel)


def _python_agrees(left: Part, right: Part, *, equality: bool) -> bool:
    """Tell whether Python's own operator gives what JavaScript's would, by what may come."""
    flags = left.kind.flags | right.kind.flags
    if equality:
        flags &= ~NULL_FLAG
    return flags in _SCALARS


def _native(left: Part, right: Part, native: Callable[[Json, Json], bool]) -> Run:
    first, second = left.run, right.run
    if not right.is_literal:
        return lambda data, fuel: native(first(data, fuel), second(data, fuel))
    field, value = left.field, right.value
    if not left.is_sure:
        return lambda data, fuel: native(first(data, fuel), value)
    if native is operator.eq:
        return lambda data, _fuel: data[field] == value
    return lambda data, _fuel: native(data[field], value)


def _against(
    left: Part, value: Json, compare: Compare, native: Callable[[Json, Json], bool]
) -> Run:
    """Compare with a literal number or text: what has its class needs no conversion."""
    kind, run, field = value.__class__, left.run, left.field

    def compared(data: Json, fuel: Fuel) -> bool:
        got = run(data, fuel)
        return native(got, value) if got.__class__ is kind else compare(got, value, fuel)

    def field_compared(data: Json, fuel: Fuel) -> bool:
        got = data.get(field) if data.__class__ is dict else run(data, fuel)
        return native(got, value) if got.__class__ is kind else compare(got, value, fuel)

    return field_compared if field else compared


def _opposite(run: Run) -> Run:
    return lambda data, fuel: not run(data, fuel)
