"""What can be known to be wrong with an operator's arguments before it runs."""

import itertools
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from rules.kinds import (
    BOOL_FLAG,
    LIST_FLAG,
    NULL_FLAG,
    NUMBER_FLAG,
    OBJECT_FLAG,
    TEXT_FLAG,
    Kind,
)
from rules.part import Args, Part
from rules.pattern import Pattern, PatternRefused

Complaint: TypeAlias = tuple[int | None, str]
"""Which argument (None: all of them together), and what is wrong with it."""
Check: TypeAlias = Callable[[Args], Iterator[Complaint]]

_SCALAR: Final = BOOL_FLAG | NUMBER_FLAG | TEXT_FLAG
_NUMERIC: Final = BOOL_FLAG | NUMBER_FLAG
_WORDED: Final = {"true": "true", "false": "false"}


def nothing(_args: Args) -> Iterator[Complaint]:
    """Complain of nothing."""
    return iter(())


def compared(args: Args) -> Iterator[Complaint]:
    """Complain where neighbours can never be equal, or in order, whatever their values."""
    for left, right in itertools.pairwise(args):
        yield from _never_comparable(left, right, loosely=True)


def strictly_compared(args: Args) -> Iterator[Complaint]:
    """Complain likewise where nothing is converted: true is not 1."""
    for left, right in itertools.pairwise(args):
        yield from _never_comparable(left, right, loosely=False)


def ranged(args: Args) -> Iterator[Complaint]:
    """Complain where a value can never lie between its limits."""
    for limit in args[1:]:
        yield from _never_comparable(args[0], limit, loosely=True)


def _never_comparable(left: Part, right: Part, *, loosely: bool) -> Iterator[Complaint]:
    if not may_meet(left.kind, right.kind, loosely=loosely):
        sides = f"{left.kind.describe()} against {right.kind.describe()}"
        remedy = _remedy(left, right) or _remedy(right, left)
        yield None, f"this comparison can never hold: {sides}{remedy}"


def may_meet(left: Kind, right: Kind, *, loosely: bool) -> bool:
    """Tell whether a value of one kind can be equal to, or in order with, one of the other."""
    ours, theirs = left.flags & ~NULL_FLAG, right.flags & ~NULL_FLAG
    if not ours or not theirs or ours & theirs & _SCALAR:
        return True
    return loosely and bool(ours & _NUMERIC and theirs & _NUMERIC)


def _remedy(left: Part, right: Part) -> str:
    """Suggest what was probably meant by comparing these two."""
    if left.kind.only(LIST_FLAG) and right.kind.only(LIST_FLAG):
        return "; two lists are never equal: use `intersects`, `all` or `some`"
    if left.kind.only(LIST_FLAG):
        return "; to look into a list use `in`, `some` or `count`"
    if not isinstance(left.value, str):
        return ""
    if right.kind.only(BOOL_FLAG) and left.value.lower() in _WORDED:
        return f"; did you mean {left.value.lower()} without quotes?"
    if right.kind.only(NUMBER_FLAG) and left.value.lstrip("-").isdecimal():
        return f"; did you mean {left.value} without quotes?"
    return ""


def contained(args: Args) -> Iterator[Complaint]:
    """Complain of a place that holds nothing, or never such a value."""
    wanted, place = args[0], args[1]
    if not place.kind.may_be(LIST_FLAG | TEXT_FLAG):
        yield 1, f"`in` looks into a list or a text, not into {place.kind.describe()}"
    elif place.kind.only(TEXT_FLAG) and not wanted.kind.may_be(TEXT_FLAG):
        swapped = wanted.kind.only(LIST_FLAG)
        remedy = "; did you mean the list as the second argument?" if swapped else ""
        yield None, f"this can never hold: {wanted.kind.describe()} within a text{remedy}"
    elif place.kind.only(LIST_FLAG) and place.kind.item:
        yield from _never_within(wanted, place.kind.item)


def _never_within(wanted: Part, item: Kind) -> Iterator[Complaint]:
    if not may_meet(wanted.kind, item, loosely=False):
        sides = f"{wanted.kind.describe()} in a list of {item.describe()}"
        lists = wanted.kind.only(LIST_FLAG)
        remedy = "; to compare two lists use `intersects`" if lists else ""
        yield None, f"this can never hold: {sides}{remedy}"


def intersecting(args: Args) -> Iterator[Complaint]:
    """Complain of what is no list, and of lists that can share nothing."""
    yield from expects(LIST_FLAG)(args)
    left, right = (part.kind.item for part in args[:2])
    if left and right and not may_meet(left, right, loosely=False):
        sides = f"a list of {left.describe()} and one of {right.describe()}"
        yield None, f"this can never hold: {sides}"


def looped(args: Args) -> Iterator[Complaint]:
    """Complain of a loop over what is no list."""
    if not args[0].kind.may_be(LIST_FLAG):
        yield 0, f"a list is needed here, this is {args[0].kind.describe()}"


def calculated(args: Args) -> Iterator[Complaint]:
    """Complain of what has no number."""
    for at, part in enumerate(args):
        if not part.kind.may_be(_SCALAR):
            yield at, f"a number is needed here, this is {part.kind.describe()}"


def expects(flags: int) -> Check:
    """Make a check that every argument can be of a sort."""

    def check(args: Args) -> Iterator[Complaint]:
        for at, part in enumerate(args):
            if not part.kind.may_be(flags):
                needed, given = Kind(flags).describe(), part.kind.describe()
                yield at, f"{needed} is needed here, this is {given}"

    return check


def matched(args: Args) -> Iterator[Complaint]:
    """Complain of what is no text, and of a pattern that RE2 does not take."""
    yield from expects(TEXT_FLAG)(args[:1])
    if not isinstance(args[1].value, str):
        yield 1, "the pattern must be a text that stands in the rule itself"
        return
    try:
        Pattern(args[1].value)
    except PatternRefused as refusal:
        yield 1, f"this pattern is refused (RE2 syntax): {refusal}"


def no_object(args: Args) -> Iterator[Complaint]:
    """Complain of an object where text is made."""
    for at, part in enumerate(args):
        if part.kind.only(OBJECT_FLAG) and part.kind.flags & OBJECT_FLAG:
            yield at, "an object has no text; read one of its fields"
