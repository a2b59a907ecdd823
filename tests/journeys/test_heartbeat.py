"""A calendar that is being read is nobody else's; one whose reader died soon is."""

import asyncio
from datetime import timedelta

import pytest

from meetbot_calendar.calendars.model import CalendarId, Provider
from meetbot_calendar.journeys import sync
from tests.journeys.stage import ANN, Stage
from tests.journeys.trouble import while_reading

BEAT = timedelta(seconds=6)
LEASE = "select lease_until from calendars"


async def calendar_of(stage: Stage) -> CalendarId:
    await stage.onboard(Provider.GOOGLE, ANN)
    (calendar_id,) = await stage.look("select id from calendars")
    return CalendarId(calendar_id)


async def test_a_reader_that_takes_minutes_keeps_its_calendar(stage: Stage) -> None:
    calendar_id = await calendar_of(stage)
    others: list[object] = []

    async def take_long() -> None:
        async with asyncio.timeout(20):
            for _ in range(10):
                (before,) = await stage.look(LEASE)
                stage.world.clock.advance(BEAT)
                while (await stage.look(LEASE)) == [before]:  # noqa: ASYNC110 - no bell rings
                    await asyncio.sleep(0)
        others.append(await sync.sync(stage.services, stage.context.tenant_id, calendar_id))

    slow = while_reading(stage, Provider.GOOGLE, take_long)
    read = await sync.sync(slow.services, stage.context.tenant_id, calendar_id)

    assert (others, read is not None) == ([None], True)
    assert await stage.look(LEASE) == [None]


async def test_a_calendar_whose_reader_died_is_read_by_another_within_twenty_seconds(
    stage: Stage,
) -> None:
    calendar_id = await calendar_of(stage)

    async def die() -> None:
        raise KeyboardInterrupt

    dying = while_reading(stage, Provider.GOOGLE, die)
    with pytest.raises(KeyboardInterrupt):
        await sync.sync(dying.services, stage.context.tenant_id, calendar_id)
    stage.world.clock.advance(timedelta(seconds=20))

    assert await sync.sync(stage.services, stage.context.tenant_id, calendar_id) is not None
