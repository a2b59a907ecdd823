"""What an operator takes, gives and means: the form that every entry of the language has."""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec

from rules import checks
from rules.kinds import (
    ANY,
    BOOL,
    LIST_FLAG,
    NULL,
    NULL_FLAG,
    NUMBER,
    NUMBER_FLAG,
    TEXT,
    TEXT_FLAG,
    Kind,
    either,
    list_of,
)
from rules.part import Args, Run

Gives: TypeAlias = Callable[[Args], Kind]


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """One operator of the language.

    ``most`` is None where there may be any number of arguments. ``loop`` says what ``var`` sees in
    the second argument: the item, or the pair of ``current`` and ``accumulator``. ``reads`` marks
    those whose arguments are paths into the data; ``scans`` those that pay for a literal list by
    what they look at, not by its length.
    """

    name: str
    meaning: str
    compile: Callable[[Args], Run]
    gives: Gives
    least: int
    most: int | None
    check: checks.Check = checks.nothing
    loop: Literal["", "item", "pair"] = ""
    reads: bool = False
    scans: bool = False

    def takes(self, count: int) -> bool:
        """Tell whether it takes so many arguments."""
        return count >= self.least and (self.most is None or count <= self.most)

    def arity(self) -> str:
        """Say how many arguments it takes."""
        count = str(self.least)
        if self.most is None:
            count = f"at least {self.least}" if self.least else "any number of"
        elif self.most > self.least:
            count = f"{self.least} to {self.most}"
        return f"{count} argument{'' if count in {'1', 'at least 1'} else 's'}"


def _always(kind: Kind) -> Gives:
    return lambda _args: kind


A_BOOL: Final = _always(BOOL)
A_NUMBER: Final = _always(NUMBER)
A_NUMBER_OR_NULL: Final = _always(Kind(NUMBER_FLAG | NULL_FLAG))
A_TEXT: Final = _always(TEXT)
A_TEXT_OR_NULL: Final = _always(Kind(TEXT_FLAG | NULL_FLAG))
ANYTHING: Final = _always(ANY)
PATHS: Final = _always(Kind(LIST_FLAG))


def any_argument(args: Args) -> Kind:
    """Give what one of the arguments gives."""
    return either(part.kind for part in args)


def any_branch(args: Args) -> Kind:
    """Give what one of the results of ``if`` gives."""
    branches = [part.kind for part in args[1::2]]
    return either([*branches, args[-1].kind if len(args) % 2 else NULL])


def merged(args: Args) -> Kind:
    """Give a list of all items."""
    if not all(part.kind.only(LIST_FLAG) and part.kind.item for part in args):
        return Kind(LIST_FLAG)
    return list_of([part.kind.item or ANY for part in args])


def kept(args: Args) -> Kind:
    """Give a list of the first argument's items."""
    return Kind(LIST_FLAG, args[0].kind.item if args else None)


def changed(args: Args) -> Kind:
    """Give a list of what the second argument gives."""
    return list_of([part.kind for part in args[1:2]])


def reduced(args: Args) -> Kind:
    """Give what the second argument gives, or the third."""
    return either([*(part.kind for part in args[1:3]), NULL])


def operation(
    name: str,
    meaning: str,
    least: int,
    most: int | None,
    gives: Gives,
    check: checks.Check = checks.nothing,
    *,
    loop: Literal["", "item", "pair"] = "",
    reads: bool = False,
    scans: bool = False,
) -> Callable[[Callable[[Args], Run]], Operator]:
    """Make an operator of the function that compiles it."""

    def entry(compiled: Callable[[Args], Run]) -> Operator:
        return Operator(
            name=name,
            meaning=meaning,
            compile=compiled,
            gives=gives,
            least=least,
            most=most,
            check=check,
            loop=loop,
            reads=reads,
            scans=scans,
        )

    return entry
