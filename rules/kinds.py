"""What sort of value an expression may give, as far as that is known before it runs."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from rules.values import Json

NULL_FLAG: Final = 1
BOOL_FLAG: Final = 2
NUMBER_FLAG: Final = 4
TEXT_FLAG: Final = 8
LIST_FLAG: Final = 16
OBJECT_FLAG: Final = 32
_ALL: Final = 63

_WORDS: Final = {
    BOOL_FLAG: "true or false",
    NUMBER_FLAG: "a number",
    TEXT_FLAG: "text",
    LIST_FLAG: "a list",
    OBJECT_FLAG: "an object",
}


class Kind(msgspec.Struct, frozen=True):
    """The sorts of value that are possible, as bits.

    ``item`` describes what stands in the list, ``fields`` what stands in the object; None says that
    it may be anything.
    """

    flags: int
    item: "Kind | None" = None
    fields: "Mapping[str, Kind] | None" = None

    def only(self, flags: int) -> bool:
        """Tell whether nothing but these sorts (or null) can come."""
        return not self.flags & ~(flags | NULL_FLAG)

    def may_be(self, flags: int) -> bool:
        """Tell whether one of these sorts can come; of what is never but null nothing is known."""
        return bool(self.flags & flags) or self.flags == NULL_FLAG

    def describe(self) -> str:
        """Name the sorts in words, null left out."""
        return " or ".join(word for flag, word in _WORDS.items() if self.flags & flag) or "null"


ANY: Final = Kind(_ALL)
NULL: Final = Kind(NULL_FLAG)
BOOL: Final = Kind(BOOL_FLAG)
NUMBER: Final = Kind(NUMBER_FLAG)
TEXT: Final = Kind(TEXT_FLAG)
LIST: Final = Kind(LIST_FLAG)


def either(kinds: Iterable[Kind]) -> Kind:
    """Give the kind of a value that may come from any of several places."""
    seen = tuple(kinds)
    flags = 0
    for kind in seen:
        flags |= kind.flags
    items = [kind.item for kind in seen if kind.flags & LIST_FLAG]
    fields = [kind.fields for kind in seen if kind.flags & OBJECT_FLAG]
    return Kind(
        flags or NULL_FLAG,
        items[0] if items and items.count(items[0]) == len(items) else None,
        fields[0] if fields and fields.count(fields[0]) == len(fields) else None,
    )


def list_of(kinds: Iterable[Kind]) -> Kind:
    """Give the kind of a list with such items."""
    seen = tuple(kinds)
    return Kind(LIST_FLAG, either(seen) if seen else None)


def kind_of(value: Json) -> Kind:
    """Give the kind of a literal."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, str):
        return TEXT
    if isinstance(value, list):
        return list_of(map(kind_of, value))
    return Kind(OBJECT_FLAG, fields={key: kind_of(inner) for key, inner in value.items()})


def kind_of_type(hint: msgspec.inspect.Type) -> Kind:
    """Give the kind of what a struct's field holds once it has become plain JSON."""
    match hint:
        case msgspec.inspect.Metadata(type=inner):
            return kind_of_type(inner)
        case msgspec.inspect.UnionType(types=types):
            return either(map(kind_of_type, types))
        case msgspec.inspect.VarTupleType(item_type=item):
            return Kind(LIST_FLAG, kind_of_type(item))
        case msgspec.inspect.StructType(fields=fields):
            inside = {field.encode_name: kind_of_type(field.type) for field in fields}
            return Kind(OBJECT_FLAG, fields=inside)
        case msgspec.inspect.DictType():
            return Kind(OBJECT_FLAG)
        case _:
            return _PLAIN.get(type(hint), ANY)


_PLAIN: Final[Mapping[type[msgspec.inspect.Type], Kind]] = {
    msgspec.inspect.NoneType: NULL,
    msgspec.inspect.BoolType: BOOL,
    msgspec.inspect.IntType: NUMBER,
    msgspec.inspect.FloatType: NUMBER,
    msgspec.inspect.StrType: TEXT,
    msgspec.inspect.LiteralType: TEXT,
    msgspec.inspect.DateTimeType: TEXT,
}
