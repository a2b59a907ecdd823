"""Bots are held ahead, leave at their instant whatever else is slow, and are given back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import dispatch, sweep
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.worker.departures import Departures
from tests.journeys.stage import ANN, MEET, Stage, set_stage

LEAD = timedelta(seconds=90)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LEASES = "select count(*) from bots where lease_until > :now"


@pytest.fixture
async def stage(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_stage(database_url, tmp_path) as found:
        yield found


async def waiting(stage: Stage) -> None:
    """Hold a meeting in an hour that a bot waits for."""
    stage.hold_meeting(ANN, "Weekly", HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)


@asynccontextmanager
async def departing(services: Services) -> AsyncIterator[None]:
    """Let bots depart until the block ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(Departures(services).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def until(stage: Stage, statement: str, wanted: object) -> None:
    async with asyncio.timeout(20):
        while await stage.look(statement, now=stage.now) != [wanted]:  # noqa: ASYNC110 - no bell
            await asyncio.sleep(0)


async def test_a_worker_that_is_told_to_end_gives_back_what_it_holds(stage: Stage) -> None:
    await waiting(stage)
    stage.world.clock.advance(HOUR - LEAD - 5 * SECOND)

    async with departing(stage.services):
        await until(stage, LEASES, 1)
        held = await sweep.departing(stage.services, 5 * SECOND, 10)
    given_back = await sweep.departing(stage.services, 5 * SECOND, 10)

    assert held == {}
    assert list(given_back) == [stage.context.tenant_id]


async def test_a_fleet_to_which_no_connection_opens_ahead_keeps_no_bot_waiting(
    stage: Stage,
) -> None:
    await waiting(stage)

    async def never(many: int) -> None:
        assert many == 1
        await asyncio.Event().wait()

    services = msgspec.structs.replace(stage.services, warm=never)
    stage.world.clock.advance(HOUR - LEAD - 5 * SECOND)

    async with departing(services):
        await until(stage, LEASES, 1)
        stage.world.clock.advance(4 * SECOND)
        before = list(stage.fleet.bots)
        stage.world.clock.advance(SECOND)
        await until(stage, "select status from bots", "dispatched")

    assert before == []
    assert [order["meeting_url"] for order in stage.ordered] == [MEET]


async def test_what_a_worker_held_that_died_leaves_on_time_all_the_same(stage: Stage) -> None:
    await waiting(stage)
    stage.world.clock.advance(HOUR - LEAD - 5 * SECOND)
    (bot,) = await stage.bots()
    ahead = timedelta(seconds=10)
    await dispatch.hold(stage.services, stage.context.tenant_id, [bot.id], ahead)
    held = await sweep.departing(stage.services, ahead, 10)

    stage.world.clock.advance(timedelta(seconds=2.5))  # and nobody has said that it lives
    async with departing(stage.services):
        await until(stage, LEASES, 1)
        stage.world.clock.advance(timedelta(seconds=2.5))
        await until(stage, "select status from bots", "dispatched")

    (gone,) = await stage.bots()
    assert (held, gone.dispatched_at) == ({}, gone.join_at)


async def test_what_a_living_worker_holds_stays_its_own(stage: Stage) -> None:
    await waiting(stage)
    stage.world.clock.advance(HOUR - LEAD - 9 * SECOND)
    others: list[object] = []

    async with departing(stage.services):
        await until(stage, LEASES, 1)
        for _ in range(6):
            (before,) = await stage.look("select lease_until from bots")
            stage.world.clock.advance(SECOND)
            await until(stage, f"select lease_until > '{before}' from bots", wanted=True)  # noqa: S608
            others.append(await sweep.departing(stage.services, timedelta(seconds=10), 10))

    assert others == [{}] * 6
