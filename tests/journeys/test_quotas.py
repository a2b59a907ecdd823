"""A Google project's quota is counted ahead: polls wait for their turn, haste does not."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.gateways.limits import open_limits
from meetbot_calendar.journeys import quotas
from meetbot_calendar.journeys.limits import Limits
from meetbot_calendar.sandbox import edits
from meetbot_calendar.storage import calendar_leases
from tenants.limits import Quota, Rate
from tests.journeys.stage import ANN, BOB, Stage
from tests.journeys.trouble import READS, asked, silence

HOUR = timedelta(hours=1)
POLL = timedelta(seconds=300)
TWO_POLLS = Rate(name="google", quota=5, window=timedelta(hours=10))  # 4 requests are the polls'


class Counting:
    """Counts as another does, and remembers what each count was for."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.costs: list[int] = []

    async def take(self, name: str, rate: Rate, now: datetime, *, cost: int = 1) -> Quota | None:
        self.costs.append(cost)
        return await self.limits.take(name, rate, now, cost=cost)


@pytest.fixture
async def scarce(stage: Stage, servers: ServerState) -> AsyncIterator[Stage]:
    """A stage whose Google project may ask five things in ten hours."""
    async with Redis.from_url(servers.redis_url) as redis:
        await redis.flushall()
    async with open_limits(servers.redis_url) as limits:
        house = msgspec.structs.replace(stage.services.house, google_requests=TWO_POLLS)
        services = msgspec.structs.replace(stage.services, limits=limits, house=house)
        yield msgspec.structs.replace(stage, services=services)


async def polled(stage: Stage, provider: Provider, many: int) -> list[int]:
    """Let so many intervals pass; return how often the events had been asked for after each."""
    counts = []
    for _ in range(many):
        await stage.pass_time(POLL)
        counts.append(asked(stage, READS[provider]))
    return counts


async def test_polls_wait_while_the_projects_quota_is_used_up(scarce: Stage) -> None:
    user_id = await scarce.onboard(Provider.GOOGLE, ANN)
    silence(scarce)
    before = asked(scarce, READS[Provider.GOOGLE])

    counts = await polled(scarce, Provider.GOOGLE, 4)

    assert [count - before for count in counts] == [1, 2, 2, 2]
    (calendar,) = (await scarce.calendars(user_id)).values()
    assert (calendar.failures, calendar.error_code) == (0, None)
    assert (await scarce.look("select due_at from calendars"))[0] > scarce.now


async def test_no_poll_is_put_off_past_the_look_before_a_departure(scarce: Stage) -> None:
    held = scarce.hold_meeting(ANN, "Soon", timedelta(minutes=40))
    await scarce.onboard(Provider.GOOGLE, ANN)
    silence(scarce)
    await polled(scarce, Provider.GOOGLE, 6)

    edits.cancel(scarce.world, held.id)
    for _ in range(9):
        await scarce.pass_time(timedelta(minutes=1))

    assert [bot.status for bot in await scarce.bots()] == ["cancelled"]


async def test_a_large_quota_is_asked_for_in_parts_and_what_is_not_used_lapses(
    scarce: Stage,
) -> None:
    rate = Rate(name="google", quota=1000, window=timedelta(minutes=1))  # 800, in parts of 8
    counted = Counting(scarce.services.limits)
    house = msgspec.structs.replace(scarce.services.house, google_requests=rate)
    services = msgspec.structs.replace(scarce.services, limits=counted, house=house)
    stage = msgspec.structs.replace(scarce, services=services)
    await stage.onboard(Provider.GOOGLE, ANN)
    (calendar_id,) = await stage.look("select id from calendars")
    async with services.database.tenant(stage.context.tenant_id) as session:
        lease = await calendar_leases.claim(
            session, calendar_id, now=stage.now, until=stage.now + POLL
        )
    assert lease is not None
    turn = msgspec.structs.replace(lease, is_urgent=False)

    counted.costs.clear()
    moments = [stage.now] * 5 + [stage.now + timedelta(minutes=1)]
    waits = [await quotas.wait_for_turn(services, turn, now, requests=2) for now in moments]

    assert waits == [None] * 6
    assert counted.costs == [8, 8, 8]


async def test_what_is_in_haste_does_not_wait(scarce: Stage) -> None:
    await scarce.onboard(Provider.GOOGLE, ANN)
    await polled(scarce, Provider.GOOGLE, 4)

    scarce.hold_meeting(ANN, "Pushed", 5 * HOUR)
    await scarce.settle()

    assert await scarce.titles() == ["Pushed"]


async def test_microsoft_counts_by_mailbox_and_no_poll_waits_for_another(scarce: Stage) -> None:
    await scarce.onboard(Provider.OUTLOOK, BOB)
    before = asked(scarce, READS[Provider.OUTLOOK])

    counts = await polled(scarce, Provider.OUTLOOK, 4)

    assert [count - before for count in counts] == [1, 2, 3, 4]
