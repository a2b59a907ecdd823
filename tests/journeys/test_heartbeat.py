"""What somebody is at work on is nobody else's; what a dead worker held soon is."""

import asyncio
from datetime import timedelta

import pytest

from meetbot_calendar.calendars.model import CalendarId, Provider
from meetbot_calendar.journeys import sweep, sync
from tests.journeys.stage import ANN, Stage
from tests.journeys.test_dispatch import at_fleet, due, fired, status, taken, while_asking
from tests.journeys.trouble import while_reading

LEASE = "select lease_until from calendars"


async def calendar_of(stage: Stage) -> CalendarId:
    await stage.onboard(Provider.GOOGLE, ANN)
    (calendar_id,) = await stage.look("select id from calendars")
    return CalendarId(calendar_id)


async def beats(stage: Stage, lease: str, beat: timedelta) -> None:
    """Let so much time pass that ten beats are due, and each be heard."""
    async with asyncio.timeout(20):
        for _ in range(10):
            (before,) = await stage.look(lease)
            stage.world.clock.advance(beat)
            while (await stage.look(lease)) == [before]:  # noqa: ASYNC110 - no bell rings
                await asyncio.sleep(0)


async def test_a_reader_that_takes_minutes_keeps_its_calendar(stage: Stage) -> None:
    calendar_id = await calendar_of(stage)
    others: list[object] = []

    async def take_long() -> None:
        await beats(stage, LEASE, timedelta(seconds=1.5))
        others.append(await sync.sync(stage.services, stage.context.tenant_id, calendar_id))

    slow = while_reading(stage, Provider.GOOGLE, take_long)
    read = await sync.sync(slow.services, stage.context.tenant_id, calendar_id)

    assert (others, read is not None) == ([None], True)
    assert await stage.look(LEASE) == [None]


async def test_a_calendar_whose_reader_died_is_read_by_another_within_six_seconds(
    stage: Stage,
) -> None:
    calendar_id = await calendar_of(stage)

    async def die() -> None:
        raise KeyboardInterrupt

    dying = while_reading(stage, Provider.GOOGLE, die)
    with pytest.raises(KeyboardInterrupt):
        await sync.sync(dying.services, stage.context.tenant_id, calendar_id)
    stage.world.clock.advance(timedelta(seconds=6))

    assert await sync.sync(stage.services, stage.context.tenant_id, calendar_id) is not None


async def test_a_bot_whose_fleet_takes_long_to_answer_is_nobody_elses(stage: Stage) -> None:
    await due(stage)

    async def take_long() -> None:
        await beats(stage, "select lease_until from bots", timedelta(seconds=0.4))
        assert await sweep.departing(stage.services, timedelta(0), 10) == {}

    talking = while_asking(stage, take_long)

    assert await fired(talking, await taken(stage)) == ["dispatched"]
    assert await stage.look("select status, lease_until from bots") == [("dispatched", None)]


async def test_a_bot_whose_sender_died_is_asked_about_by_another_within_two_seconds(
    stage: Stage,
) -> None:
    await due(stage)

    async def die() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await fired(while_asking(stage, die), await taken(stage))
    before = await stage.look("select status from bots")
    stage.world.clock.advance(timedelta(seconds=1.5))
    (outcome,) = await stage.depart()

    assert (before, outcome.outcome) == (["dispatching"], "dispatched")
    assert (await status(stage), at_fleet(stage)) == (["dispatched"], ["accepted"])
