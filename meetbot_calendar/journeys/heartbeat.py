"""Keep a lease while its work lasts: short, so that a dead worker's is soon another's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from meetbot_calendar.journeys.outages import DatabaseDown
from meetbot_calendar.journeys.services import Services

_LASTS = 6.0  # seconds that a lease lasts without a beat
_BEAT = 1.5  # seconds between two beats


def lasts(services: Services) -> timedelta:
    """Say for how long a lease is taken, and prolonged by each beat."""
    return services.clock.patience(_LASTS)


@asynccontextmanager
async def kept(
    services: Services, prolong: Callable[[datetime], Awaitable[None]]
) -> AsyncIterator[None]:
    """Prolong a lease, over and over, for as long as the block lasts."""
    beating = asyncio.create_task(_beat(services, prolong))
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _beat(services: Services, prolong: Callable[[datetime], Awaitable[None]]) -> None:
    clock = services.clock
    while True:
        await clock.sleep_until(clock.now() + clock.patience(_BEAT))
        try:
            await prolong(clock.now() + lasts(services))
        except DatabaseDown:
            continue  # if it stays away, the lease ends, and what was done under it is dropped
