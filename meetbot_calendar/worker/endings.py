"""Waiting that can be interrupted, and ending without breaking off what is nearly done."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from meetbot_calendar.journeys.services import Services

_MOMENT = 1.5  # seconds that work under way may take to end


async def pause(services: Services, until: datetime, *bells: asyncio.Event) -> None:
    """Wait until an instant, or until one of the bells rings."""
    waits = [asyncio.ensure_future(services.clock.sleep_until(until))]
    waits += [asyncio.ensure_future(_heard(bell)) for bell in bells]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _heard(bell: asyncio.Event) -> None:
    await bell.wait()


async def let_end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Give tasks a moment to end, then break off the others: their rows stay due."""
    under_way = set(tasks)
    if not under_way:
        return
    _, late = await asyncio.wait(under_way, timeout=_MOMENT)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
