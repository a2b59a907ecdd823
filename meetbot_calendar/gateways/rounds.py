"""Bounds a round of pages: no round turns in a circle, and none goes on for ever."""

import asyncio
from collections.abc import Iterable

import msgspec

from meetbot_calendar.errors import TryLater

ENDLESS = "endless_round"
_BARREN = 20  # pages in a row that bring nothing new


class Turns:
    """The pages that a round has asked for."""

    def __init__(self, pages: int, seconds: float) -> None:
        self._left = pages
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seen: set[str] = set()
        self._told: set[str] = set()
        self._barren = 0

    def turn(self, token: str) -> None:
        """Note the page that is asked for next. Raises ``TryLater`` once the round is endless."""
        self._left -= 1
        late = asyncio.get_running_loop().time() > self._deadline
        if token in self._seen or self._left < 0 or late:
            raise _endless()
        self._seen.add(token)

    def told(self, versions: Iterable[str]) -> None:
        """Note what a page told: some rounds have a new link on every page, and never news.

        ``versions`` name each row and which version of it it is. Raises as ``turn`` does.
        """
        fresh = set(versions) - self._told
        self._told |= fresh
        self._barren = 0 if fresh else self._barren + 1
        if self._barren >= _BARREN:
            raise _endless()


def _endless() -> TryLater:
    return TryLater("the provider's pages do not end", code=ENDLESS)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many pages a round may have, and how many seconds it may take."""

    pages: int = 400
    seconds: float = 240.0

    def start(self) -> Turns:
        """Begin to count a round."""
        return Turns(self.pages, self.seconds)
