"""Redis that is away is asked again after a while, by one caller, and not by every request."""

import asyncio
import logging

_LONGEST_PAUSE = 15.0

_log = logging.getLogger(__name__)


class Absence:
    """Knows since when something is away. ``pause`` is in seconds; each failure doubles it."""

    def __init__(self, pause: float, meaning: str) -> None:
        self._first_pause = self._pause = pause
        self._meaning = meaning
        self._silent_until: float | None = None

    @property
    def is_known(self) -> bool:
        """Say whether the last word was that it is away."""
        return self._silent_until is not None

    def may_try(self) -> bool:
        """Let one caller at a time find out whether it is back."""
        now = asyncio.get_running_loop().time()
        if self._silent_until is None:
            return True
        if now < self._silent_until:
            return False
        self._silent_until = now + self._pause
        return True

    def begin(self, error: Exception, *, probing: bool) -> None:
        """Note that it did not answer; ``probing`` if it was known to be away before."""
        if probing:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        elif self._silent_until is None:
            _log.warning("Redis is away, %s: %s", self._meaning, type(error).__name__)
            self._pause = self._first_pause
        self._silent_until = asyncio.get_running_loop().time() + self._pause

    def end(self) -> None:
        """Note that it answered."""
        if self._silent_until is not None:
            _log.info("Redis is back")
            self._silent_until = None
