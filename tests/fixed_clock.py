"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class FixedClock:
    """Time that passes when ``advance`` says so."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._moved = asyncio.Condition()

    def now(self) -> datetime:
        return self._now

    async def advance(self, delta: timedelta) -> None:
        async with self._moved:
            self._now += delta
            self._moved.notify_all()

    async def sleep_until(self, instant: datetime) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._now >= instant)

    def patience(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)
