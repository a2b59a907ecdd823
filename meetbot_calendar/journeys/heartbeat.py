"""Keep a lease while its work lasts: short, so that a dead worker's is soon another's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meetbot_calendar.journeys.outages import DatabaseDown
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendar_leases
from meetbot_calendar.storage.calendar_leases import Lease

LASTS = 20.0  # seconds that a lease lasts without a beat
_BEAT = 6.0  # seconds between two beats


@asynccontextmanager
async def kept(services: Services, lease: Lease) -> AsyncIterator[None]:
    """Prolong a calendar's lease, over and over, for as long as the block lasts."""
    beating = asyncio.create_task(_beat(services, lease))
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _beat(services: Services, lease: Lease) -> None:
    clock = services.clock
    while True:
        await clock.sleep_until(clock.now() + clock.patience(_BEAT))
        try:
            async with services.database.bare(lease.calendar.tenant_id) as session:
                until = clock.now() + clock.patience(LASTS)
                await calendar_leases.prolong(session, lease, until)
        except DatabaseDown:
            continue  # if it stays away, the lease ends, and the round is dropped as it is recorded
