"""One piece of a compiled expression: how to run it, and what is known of it beforehand."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from rules.budget import Fuel
from rules.kinds import NULL, NUMBER_FLAG, OBJECT_FLAG, Kind, kind_of
from rules.values import NAN, Json, truthy

Run: TypeAlias = Callable[[Json, Fuel], Json]
"""Takes the data that ``var`` reads and the steps that are left; gives a value."""
Test: TypeAlias = Callable[[Json, Fuel], bool]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A literal (``op`` is empty) or an operator with its arguments.

    ``cost`` is the steps of running it once, the passes of loops inside not counted: those are
    taken from the fuel as they come. ``field`` names what it reads where that is all it does, and
    ``is_sure`` says that the data has it for certain: operators may then read it themselves.
    """

    run: Run
    kind: Kind
    cost: int = 1
    op: str = ""
    args: tuple["Part", ...] = ()
    value: Json = None
    field: str = ""
    is_sure: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether it is a value that stands in the rule itself."""
        return not self.op


Args: TypeAlias = tuple[Part, ...]


def literal(value: Json) -> Part:
    """Make a part of a value that stands in the rule. What it gives out is never shared."""
    kind = kind_of(value)
    if isinstance(value, list | dict):
        run = lambda _data, _fuel: copied(value)  # noqa: E731 - one line, like the other
        return Part(run=run, kind=kind, value=value, cost=_size(value))
    return Part(run=lambda _data, _fuel: value, kind=kind, value=value)


def _size(value: Json) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def copied(value: Json) -> Json:
    """Copy lists and objects all the way down."""
    if isinstance(value, list):
        return [copied(item) for item in value]
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return value


def filled(args: Args, count: int, filling: Part) -> Args:
    """Add what stands for an argument that is not given, JavaScript's undefined."""
    return args + (filling,) * (count - len(args))


NOTHING = Part(run=lambda _data, _fuel: None, kind=NULL)
NOT_A_NUMBER = Part(run=lambda _data, _fuel: NAN, kind=Kind(NUMBER_FLAG), value=NAN)


def is_plain(part: Part) -> bool:
    """Tell whether Python and JsonLogic agree on when its value counts as true."""
    return not part.kind.flags & (NUMBER_FLAG | OBJECT_FLAG)


def test_of(part: Part) -> Test:
    """Make a function that tells whether the part's value counts as true."""
    run = part.run
    if is_plain(part):
        return run
    return lambda data, fuel: truthy(run(data, fuel))
