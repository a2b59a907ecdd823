"""The patterns of ``matches``: RE2 syntax, searched in linear time, and only so large."""

from collections.abc import Callable
from typing import Final, TypeAlias

import re2

from rules.budget import Fuel

_LARGEST_PROGRAM: Final = 2_000
"""In RE2 instructions: what a search may cost per byte at the worst."""
_LONGEST: Final = 4_000
_Search: TypeAlias = Callable[[bytes], object]


class PatternRefused(Exception):
    """A pattern is not RE2 syntax, or too large."""


class Pattern:
    """A compiled pattern, and what searching a text with it costs."""

    __slots__ = ("_search", "_size")

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise PatternRefused(f"it is longer than {_LONGEST:,} characters")
        options = re2.Options()
        options.max_mem = 1 << 20
        options.log_errors = False
        try:
            compiled = re2.compile(_encoded(text), options)
        except re2.error as refusal:
            raise PatternRefused(_reason(refusal)) from None
        self._search: _Search = compiled.search
        self._size: int = compiled.programsize
        if self._size > _LARGEST_PROGRAM:
            raise PatternRefused("it is too large: use fewer or smaller repetitions")

    def is_in(self, text: str, fuel: Fuel) -> bool:
        """Tell whether the pattern is found anywhere in the text."""
        fuel.spend(len(text) * self._size >> 6)
        return self._search(_encoded(text)) is not None


def _encoded(text: str) -> bytes:
    # Half a surrogate pair has no bytes; it must not stop a search for something else.
    return text.encode(errors="replace")


def _reason(refusal: Exception) -> str:
    # RE2 words its errors as bytes.
    said = refusal.args[0] if refusal.args else b""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
