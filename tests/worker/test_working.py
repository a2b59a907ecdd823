"""The whole worker at its work: rung through Redis while time stands still, swept when it moves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.gateways.wakeups import (
    QUEUE,
    deserialize,
    open_wakeups,
    redis_settings,
    serialize,
)
from meetbot_calendar.journeys.deliver import send_test
from meetbot_calendar.journeys.services import Jobs
from meetbot_calendar.sandbox import edits
from meetbot_calendar.worker.main import work
from tests.journeys.stage import ANN, PEOPLE, Stage, set_stage
from tests.journeys.trouble import READS, asked, while_reading

# arq closes its connections by a name that redis has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LEAD = timedelta(seconds=90)
POLL = timedelta(seconds=300)


@asynccontextmanager
async def working(stage: Stage, redis_url: str) -> AsyncIterator[asyncio.Event]:
    """Let a worker work until the block ends; the event is set to end it before."""
    jobs = Jobs(
        redis=redis_settings(redis_url), queue=QUEUE, serialize=serialize, deserialize=deserialize
    )
    stop = asyncio.Event()
    task = asyncio.create_task(work(stage.services, jobs, stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


@asynccontextmanager
async def stage_with(redis_url: str, database_url: str, folder: Path) -> AsyncIterator[Stage]:
    async with (
        Redis.from_url(redis_url) as redis,
        open_wakeups(redis_url, pause=0.05) as wakeups,
        set_stage(database_url, folder, wakeups) as stage,
    ):
        await redis.flushall()
        await stage.listen()
        yield stage


@pytest.fixture
async def stage(servers: ServerState, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_with(servers.redis_url, database_url, tmp_path) as found:
        yield found


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedServers]:
    """A server of this test's own, to stop and start."""
    found = EmbeddedServers(tmp_path / "redis", postgres=False, durable=False)
    found.start()
    yield found
    found.stop()


async def told(stage: Stage, kind: str, times: int = 1) -> list[dict[str, Any]]:
    """Wait until the customer has been told something so often."""
    found: list[dict[str, Any]] = []
    last = 0
    async with asyncio.timeout(60):  # real seconds, should it never come
        while len(found) < times:
            url = f"{stage.sandbox_url}/customer/received?after={last}&type={kind}&wait=15"
            body = (await stage.transport.request("GET", url, timeout=18.0)).read(dict[str, Any])
            found += body["messages"]
            last = body["last"]
    return found


async def onboard(stage: Stage) -> None:
    connected = await stage.connect(Provider.GOOGLE, ANN)
    await stage.record_everything(connected.user_id)


async def test_rings_alone_do_the_whole_job_while_time_stands_still(
    stage: Stage, servers: ServerState
) -> None:
    async with working(stage, servers.redis_url):
        await onboard(stage)
        await told(stage, "calendar.connected")

        stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
        await told(stage, "bot.scheduled")

    assert [bot.status for bot in await stage.bots()] == ["scheduled"]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_a_bot_leaves_at_its_instant_and_is_told_of_to_its_end(
    stage: Stage, servers: ServerState, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Weekly", 2 * HOUR)
    async with working(stage, servers.redis_url):
        connected = await stage.connect(provider, email)
        await stage.record_everything(connected.user_id)
        await told(stage, "bot.scheduled")

        stage.world.clock.advance(2 * HOUR - LEAD - SECOND)
        early = list(stage.ordered)
        stage.world.clock.advance(SECOND)
        (left,) = await told(stage, "bot.dispatched")
        stage.world.clock.advance(LEAD + timedelta(minutes=5))
        await told(stage, "bot.completed")

    (bot,) = await stage.bots()
    assert (early, bot.dispatched_at, bot.status) == ([], bot.join_at, "completed")
    assert left["verified"]


async def test_a_row_that_is_rung_for_many_times_is_worked_on_once(
    stage: Stage, servers: ServerState
) -> None:
    await onboard(stage)
    (calendar_id,) = await stage.look("select id from calendars")
    for _ in range(20):
        await stage.services.wakeups.ring("sync", stage.context.tenant_id, calendar_id)

    async with working(stage, servers.redis_url):
        stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
        await told(stage, "bot.scheduled")

    assert asked(stage, READS[Provider.GOOGLE]) <= 4


async def test_a_ring_for_what_is_under_way_is_heard_afterwards(
    stage: Stage, servers: ServerState
) -> None:
    await onboard(stage)

    async def meanwhile() -> None:
        stage.hold_meeting(ANN, "Late", 2 * HOUR)
        await stage.hear()

    await stage.settle()
    busy = while_reading(stage, Provider.GOOGLE, meanwhile)
    async with working(busy, servers.redis_url):
        stage.hold_meeting(ANN, "Early", HOUR)
        await told(stage, "bot.scheduled", 2)

    assert sorted(map(str, await stage.titles())) == ["Early", "Late"]


async def test_a_flush_in_the_midst_of_work_loses_nothing(
    stage: Stage, servers: ServerState
) -> None:
    async def flush() -> None:
        async with Redis.from_url(servers.redis_url) as redis:
            await redis.flushall()

    stage.hold_meeting(ANN, "One", 2 * HOUR)
    busy = while_reading(stage, Provider.GOOGLE, flush)
    await onboard(stage)
    await flush()
    async with working(busy, servers.redis_url):
        await told(stage, "bot.scheduled")
        await flush()
        stage.hold_meeting(ANN, "Two", 3 * HOUR)
        await told(stage, "bot.scheduled", 2)


async def test_without_redis_the_sweep_does_it_all_and_rings_are_heard_when_it_is_back(
    own_redis: EmbeddedServers, database_url: str, tmp_path: Path
) -> None:
    url = own_redis.addresses.redis_url
    async with stage_with(url, database_url, tmp_path / "stage") as stage, working(stage, url):
        await onboard(stage)
        await told(stage, "calendar.connected")

        own_redis.stop()
        stage.hold_meeting(ANN, "Swept", 2 * HOUR)
        swept = await as_time_goes(stage, SECOND, after=0)
        own_redis.start()
        await heard_again(stage, url)
        stage.hold_meeting(ANN, "Rung", 3 * HOUR)
        rung = await as_time_goes(stage, timedelta(0), after=swept["number"])

    titles = [each["body"]["data"]["event"]["title"] for each in (swept, rung)]
    assert titles == ["Swept", "Rung"]


async def heard_again(stage: Stage, redis_url: str) -> None:
    """Ring for nothing, as time moves on, until the worker takes it off the queue."""
    pausing = f"{stage.sandbox_url}/customer/received?type=nothing&wait=0.25"
    async with Redis.from_url(redis_url) as redis, asyncio.timeout(20):
        while True:
            stage.world.clock.advance(3 * SECOND)
            await stage.services.wakeups.ring("deliver", stage.context.tenant_id, "dlv_none")
            is_rung = await redis.zcard(QUEUE) > 0
            await stage.transport.request("GET", pausing)
            if is_rung and await redis.zcard(QUEUE) == 0:
                return


async def as_time_goes(stage: Stage, step: timedelta, after: int) -> dict[str, Any]:
    """Wait until a bot is scheduled, while time moves on and the last meeting is touched."""
    url = f"{stage.sandbox_url}/customer/received?type=bot.scheduled&wait=0.5&after={after}"
    messages: list[dict[str, Any]] = []
    for _ in range(40):
        stage.world.clock.advance(step)
        messages = (await stage.transport.request("GET", url)).read(dict[str, Any])["messages"]
        if messages:
            break
        *_, meeting = stage.world.state.meetings.values()
        edits.touch(stage.world, meeting.id)
    return messages[0]


async def test_a_worker_ends_soon_and_leaves_nothing_running(
    stage: Stage, servers: ServerState
) -> None:
    await onboard(stage)
    await stage.settle()
    (calendar_id,) = await stage.look("select id from calendars")
    (endpoint_id,) = await stage.look("select id from webhook_endpoints")
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await never.wait()

    before = asyncio.all_tasks()
    busy = while_reading(stage, Provider.GOOGLE, hang)
    async with working(busy, servers.redis_url):
        await stage.services.wakeups.ring("sync", stage.context.tenant_id, calendar_id)
        await asyncio.wait_for(reached.wait(), 10)
        await stage.services.wakeups.ring("sync", stage.context.tenant_id, calendar_id)
        await send_test(stage.services, stage.context, endpoint_id)
        await told(stage, "endpoint.test")

    assert asyncio.all_tasks() - before == set()


async def test_a_journey_that_crashes_is_done_later(stage: Stage, servers: ServerState) -> None:
    crashed = asyncio.Event()

    async def crash() -> None:
        crashed.set()
        raise RuntimeError("a bug of ours")

    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await onboard(stage)
    busy = while_reading(stage, Provider.GOOGLE, crash)

    async with working(busy, servers.redis_url):
        await asyncio.wait_for(crashed.wait(), 60)
        stage.world.clock.advance(POLL + SECOND)
        await told(stage, "bot.scheduled")


async def test_two_workers_send_one_bot_and_each_message_once(
    stage: Stage, servers: ServerState
) -> None:
    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    async with working(stage, servers.redis_url), working(stage, servers.redis_url):
        await onboard(stage)
        await told(stage, "bot.scheduled")
        stage.world.clock.advance(2 * HOUR - LEAD)
        await told(stage, "bot.dispatched")
        stage.world.clock.advance(HOUR)
        await told(stage, "bot.completed")

    ids = [message.id for message in stage.received]
    (bot,) = stage.fleet.bots.values()
    assert (len(ids), bot.repeats) == (len(set(ids)), 0)
    assert len(msgspec.to_builtins(stage.ordered)) == 1
