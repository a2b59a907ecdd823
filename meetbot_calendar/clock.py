"""The only reader of time: what is now, and waiting until an instant."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec


class Clock(Protocol):
    """Time as a part that is handed over, so that a test can stand still and a demo can hurry."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        ...

    async def sleep_until(self, instant: datetime) -> None:
        """Return when ``now()`` has reached ``instant``; at once if it has."""
        ...

    def patience(self, seconds: float) -> timedelta:
        """Say how far this clock moves while ``seconds`` really pass: for leases and time-outs."""
        ...


class SystemClock(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's clock, or one that runs ``speed`` times as fast since ``origin``.

    A fast clock is for rehearsals (``up --demo``): every process that shares ``speed`` and
    ``origin`` agrees on the time. At speed 1 the origin does not matter.
    """

    speed: float = 1.0
    origin: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        real = datetime.now(UTC)  # noqa: TID251 - the one place
        return real if self.speed == 1.0 else self.origin + (real - self.origin) * self.speed

    async def sleep_until(self, instant: datetime) -> None:
        """Return when ``now()`` has reached ``instant``; at once if it has."""
        while (left := (instant - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock
            await asyncio.sleep(min(left / self.speed, 60.0))

    def patience(self, seconds: float) -> timedelta:
        """Say how far this clock moves while ``seconds`` really pass."""
        return timedelta(seconds=seconds * self.speed)
