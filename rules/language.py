"""The operators of our JSON-logic: all that jsonlogic.com defines, and eight of our own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rules.operators import branching, calculating, comparing, lists, looping, reading, texts
from rules.signature import Operator


class UnknownOperator(Exception):
    """An expression names an operator that does not exist."""


OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        entry.name: entry
        for module in (reading, branching, comparing, lists, looping, texts, calculating)
        for entry in vars(module).values()
        if isinstance(entry, Operator)
    }
)
"""Every operator by its name."""

OUR_OWN: Final = frozenset(
    ["matches", "starts_with", "ends_with", "lower", "domain_of", "intersects", "count", "between"]
)
"""Those that jsonlogic.com does not define."""

OTHER_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not": "!",
        "&&": "and",
        "||": "or",
        "=": "==",
        "eq": "==",
        "equals": "==",
        "neq": "!=",
        "<>": "!=",
        "gt": ">",
        "gte": ">=",
        "lt": "<",
        "lte": "<=",
        "contains": "in",
        "includes": "in",
        "any": "some",
        "regex": "matches",
        "regexp": "matches",
        "=~": "matches",
        "like": "matches",
        "length": "count",
        "len": "count",
        "size": "count",
        "concat": "cat",
        "domain": "domain_of",
    }
)
"""What operators are called elsewhere: for suggestions."""


def reference() -> str:
    """Write the operators as a Markdown table; a star marks our own."""
    rows = [
        f"| `{name}`{' *' if name in OUR_OWN else ''} | {entry.arity()} | {entry.meaning} |"
        for name, entry in OPERATORS.items()
    ]
    return "\n".join(["| operator | takes | gives |", "|---|---|---|", *rows, ""])
