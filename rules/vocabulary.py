"""Which variables a rule may read where it stands, and what sort of value each has."""

from collections.abc import Iterator

from rules.faults import did_you_mean, shown
from rules.kinds import (
    ANY,
    LIST_FLAG,
    NULL_FLAG,
    NUMBER,
    OBJECT_FLAG,
    TEXT,
    TEXT_FLAG,
    Kind,
)
from rules.operators.reading import Step, steps_of


class Scope:
    """What ``var`` can see: the event's facts, or within a loop the item at hand."""

    __slots__ = ("loop", "outer", "shape")

    def __init__(self, shape: Kind, *, loop: str = "", outer: "Scope | None" = None) -> None:
        self.shape = shape
        self.loop = loop
        self.outer = outer

    def within(self, loop: str, shape: Kind) -> "Scope":
        """Give what can be seen inside a loop."""
        return Scope(shape, loop=loop, outer=self)

    def kind_of(self, path: str) -> Kind | None:
        """Give the kind of what a path leads to; None where it can never lead anywhere."""
        kind: Kind | None = self.shape
        for step in steps_of(path) if path else ():
            kind = _kind_inside(kind, step) if kind else None
        return kind

    def complaint(self, path: str) -> str:
        """Say why a path leads nowhere, and which one was probably meant."""
        known = tuple(_paths(self.shape))
        suggestion = did_you_mean(path, known)
        if self.outer is not None and not suggestion and self._outermost().kind_of(path):
            return (
                f"{shown(path)} belongs to the event; inside `{self.loop}` only the item "
                f"itself can be read{_listing(known)}"
            )
        return f"there is no variable {shown(path)}{suggestion or _elsewhere(path, known)}"

    def _outermost(self) -> "Scope":
        return self.outer._outermost() if self.outer else self  # noqa: SLF001 - its own class


def _kind_inside(kind: Kind, step: Step) -> Kind | None:
    found = _found_inside(kind, step)
    if found and kind.flags & NULL_FLAG:
        return Kind(found.flags | NULL_FLAG, found.item, found.fields)
    return found


def _found_inside(kind: Kind, step: Step) -> Kind | None:
    name, place = step
    if kind.flags & OBJECT_FLAG and kind.fields is None:
        return ANY
    if kind.flags & OBJECT_FLAG and kind.fields and name in kind.fields:
        return kind.fields[name]
    if not kind.flags & (LIST_FLAG | TEXT_FLAG):
        return None
    if place >= 0:
        inside = (kind.item or ANY) if kind.flags & LIST_FLAG else TEXT
        return Kind(inside.flags | NULL_FLAG, inside.item, inside.fields)
    return NUMBER if name == "length" else None


def _paths(kind: Kind, before: str = "") -> Iterator[str]:
    for name, inner in (kind.fields or {}).items():
        yield before + name
        yield from _paths(inner, f"{before}{name}.")


def _elsewhere(path: str, known: tuple[str, ...]) -> str:
    """Suggest a path that ends alike, or where one's own facts about the user are."""
    leaf = path.rpartition(".")[2]
    alike = [name for name in known if name.rpartition(".")[2] == leaf]
    if alike:
        return f"; did you mean `{alike[0]}`?"
    if "user.attributes" in known and path.isidentifier():
        return f"; your own facts about the user are {shown(f'user.attributes.{path}')}"
    return ""


def _listing(known: tuple[str, ...]) -> str:
    return f": {', '.join(known)}" if known else ""
