"""The world's clock: the machine's (or a faster one), plus what a test or a story has skipped."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from meetbot_calendar.clock import Clock


class WorldClock:
    """A clock that can be pushed forward; whoever waits on it wakes when the push reaches them."""

    def __init__(self, base: Clock, skipped: timedelta = timedelta(0)) -> None:
        self.base = base
        self.skipped = skipped
        self.asleep: set[asyncio.Task[Any] | None] = set()  # who waits for an instant to come
        self._pushed = asyncio.Event()

    def now(self) -> datetime:
        """Return the present instant of the world, in UTC."""
        return self.base.now() + self.skipped

    def advance(self, by: timedelta) -> datetime:
        """Skip forward and return the new present; time never runs back."""
        if by < timedelta(0):
            raise ValueError("the world's clock runs forward only")
        self.skipped += by
        pushed, self._pushed = self._pushed, asyncio.Event()
        pushed.set()
        return self.now()

    async def sleep_until(self, instant: datetime) -> None:
        """Return when ``now()`` has reached ``instant``, by waiting or by being pushed."""
        while self.now() < instant:
            waits = {
                asyncio.ensure_future(self.base.sleep_until(instant - self.skipped)),
                asyncio.ensure_future(self._pushed.wait()),
            }
            sleeper = asyncio.current_task()
            self.asleep.add(sleeper)
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.asleep.discard(sleeper)
                for wait in waits:
                    wait.cancel()

    def patience(self, seconds: float) -> timedelta:
        """Say how far this clock moves while ``seconds`` really pass."""
        return self.base.patience(seconds)
