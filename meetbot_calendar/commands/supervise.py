"""Keeps a list of parts running: starts them, starts again what dies, ends all."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from meetbot_calendar.embedded.started import Part, Started
from meetbot_calendar.embedded.trouble import CannotStart, remedy_for

_READY_WITHIN = 60.0
_STEP = 0.05
_STEADY_AFTER = 10.0
_FIRST_PAUSE, _DOUBLINGS = 0.2, 5
_KILLED_WITHIN = 0.5


class _Kept:
    """One part and its present life."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.deaths = 0
        self.launch()

    def launch(self) -> None:
        self.start_again_at: float | None = None
        self.since = time.monotonic()
        self.started: Started = self.part.launch()


class Supervisor:
    """Parts of one process tree. ``tell`` gets a sentence for a person when one is restarted."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._kept: list[_Kept] = []

    async def start(self, parts: Iterable[Part], stop: asyncio.Event) -> bool:
        """Start parts, wait until all are ready; false if asked to end. Raises ``CannotStart``."""
        new = [_Kept(part) for part in parts]
        self._kept += new
        for kept in new:
            await self._until_ready(kept, stop)
        return not stop.is_set()

    async def keep(self, stop: asyncio.Event) -> None:
        """Start again what dies, until ``stop`` is set."""
        while not stop.is_set():
            for kept in self._kept:
                self._tend(kept)
            await _pause(stop)

    async def end(self, patience: float) -> None:
        """Ask every part to end, and kill what still lives after ``patience`` seconds."""
        for kept in self._kept:
            kept.started.ask_to_end()
        await self._until_gone(patience)
        for kept in self._kept:
            kept.started.insist()
        await self._until_gone(_KILLED_WITHIN)
        self._kept.clear()

    async def _until_ready(self, kept: _Kept, stop: asyncio.Event) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while not stop.is_set():
            # Asking may wait for a socket, so it is done beside the loop.
            if await asyncio.to_thread(kept.part.is_ready, kept.started):
                return
            if not kept.started.is_alive or time.monotonic() > deadline:
                reason = kept.part.why_it_ended(kept.started)
                cause = f"{kept.part.name} did not start: {reason}"
                raise CannotStart(cause, remedy_for(reason))
            await _pause(stop)

    def _tend(self, kept: _Kept) -> None:
        if kept.started.is_alive:
            return
        now = time.monotonic()
        if kept.start_again_at is None:
            kept.deaths = 1 if now - kept.since > _STEADY_AFTER else kept.deaths + 1
            kept.start_again_at = now + _FIRST_PAUSE * 2 ** min(kept.deaths - 1, _DOUBLINGS)
            self._tell(f"{kept.part.name} {kept.started.how_it_ended}; it is started again")
        elif now >= kept.start_again_at:
            self._relaunch(kept)

    def _relaunch(self, kept: _Kept) -> None:
        try:
            kept.launch()
        except (OSError, CannotStart) as error:
            self._tell(f"{kept.part.name} cannot be started again yet: {error}")

    async def _until_gone(self, seconds: float) -> None:
        never, deadline = asyncio.Event(), time.monotonic() + seconds
        while time.monotonic() < deadline and any(k.started.is_alive for k in self._kept):
            await _pause(never)


async def _pause(stop: asyncio.Event) -> None:
    """Wait a moment, or less when ``stop`` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _STEP)
