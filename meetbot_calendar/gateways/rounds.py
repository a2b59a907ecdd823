"""Bounds a round of pages: no round turns in a circle, and none goes on for ever."""

import asyncio

import msgspec

from meetbot_calendar.errors import TryLater


class Turns:
    """The pages that a round has asked for."""

    def __init__(self, pages: int, seconds: float) -> None:
        self._left = pages
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seen: set[str] = set()

    def turn(self, token: str) -> None:
        """Note the page that is asked for next. Raises ``TryLater`` once the round is endless."""
        self._left -= 1
        late = asyncio.get_running_loop().time() > self._deadline
        if token in self._seen or self._left < 0 or late:
            raise TryLater("the provider's pages do not end", code="endless_round")
        self._seen.add(token)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many pages a round may have, and how many seconds it may take."""

    pages: int = 400
    seconds: float = 240.0

    def start(self) -> Turns:
        """Begin to count a round."""
        return Turns(self.pages, self.seconds)
