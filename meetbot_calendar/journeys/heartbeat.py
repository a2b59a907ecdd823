"""Keep a lease while its work lasts: short, so that a dead worker's is soon another's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.journeys.outages import DatabaseDown
from meetbot_calendar.journeys.services import Services


class Pace(msgspec.Struct, frozen=True):
    """For how many seconds a lease lasts without a beat, and how many lie between two beats."""

    lasts: float
    beat: float


STEADY = Pace(6.0, 1.5)
QUICK = Pace(1.5, 0.4)
"""For work that is done again without harm, should its worker have been no more than slow."""


def lasts(services: Services, pace: Pace = STEADY) -> timedelta:
    """Say for how long a lease is taken, and prolonged by each beat."""
    return services.clock.patience(pace.lasts)


@asynccontextmanager
async def kept(
    services: Services, prolong: Callable[[datetime], Awaitable[None]], pace: Pace = STEADY
) -> AsyncIterator[None]:
    """Prolong a lease, over and over, for as long as the block lasts."""
    beating = asyncio.create_task(_beat(services, prolong, pace))
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _beat(
    services: Services, prolong: Callable[[datetime], Awaitable[None]], pace: Pace
) -> None:
    clock = services.clock
    while True:
        await clock.sleep_until(clock.now() + clock.patience(pace.beat))
        try:
            await prolong(clock.now() + lasts(services, pace))
        except DatabaseDown:
            continue  # if it stays away, the lease ends, and what was done under it is dropped
