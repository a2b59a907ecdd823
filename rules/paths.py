"""Which variables an argument of var, missing or missing_some may name, without running it."""

from collections.abc import Iterator

from rules.faults import Where
from rules.values import Json


class Unforeseeable(Exception):
    """A path is computed in a way that cannot be followed; ``where`` says which."""

    def __init__(self, where: Where) -> None:
        super().__init__("a path is computed")
        self.where = where


def paths_in(node: Json, where: Where) -> Iterator[tuple[str, Where]]:
    """Give every path that a node may come to: literals, lists of them, and choices between them.

    Raises ``Unforeseeable`` for anything else.
    """
    if node is None or isinstance(node, str):
        yield node or "", where
    elif isinstance(node, int) and not isinstance(node, bool):
        yield str(node), where
    elif isinstance(node, list):
        for at, item in enumerate(node):
            yield from paths_in(item, (where, at))
    elif isinstance(node, dict) and len(node) == 1:
        yield from _paths_chosen(node, where)
    else:
        raise Unforeseeable(where)


def _paths_chosen(node: dict[str, Json], where: Where) -> Iterator[tuple[str, Where]]:
    name, given = next(iter(node.items()))
    args = given if isinstance(given, list) else [given]
    for at, arg in enumerate(args):
        is_condition = name in {"if", "?:"} and at % 2 == 0 and at < len(args) - 1
        if name not in {"if", "?:", "merge", "or", "and"}:
            raise Unforeseeable(where)
        if not is_condition:
            yield from paths_in(arg, ((where, name), at) if given is args else (where, name))
