"""One mailbox connected twice under one app: Graph lets one subscription stand, and all hear it."""

from datetime import timedelta

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import parting, tenants
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.sandbox.microsoft.notices import send_lifecycle
from tenants.identity import TenantContext
from tenants.storage import users
from tests.journeys.stage import BOB, Stage
from tests.journeys.test_watching import push, watches

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(params=["one tenant", "two tenants"])
async def two(request: pytest.FixtureRequest, stage: Stage) -> tuple[Stage, Stage]:
    """Bob's mailbox, connected for two calendar users: of one tenant, or of two."""
    other = stage
    if request.param == "two tenants":
        made = await tenants.create_tenant(stage.services, TenantWish(name="Other"))
        context = TenantContext(tenant_id=made.tenant.id, actor="test")
        other = msgspec.structs.replace(stage, context=context)
    await stage.onboard(Provider.OUTLOOK, BOB, "bob")
    await other.onboard(Provider.OUTLOOK, BOB, "robert")
    return stage, other


async def heard(two: tuple[Stage, Stage], title: str) -> list[int]:
    """Hold a meeting, let the notices be followed and no time pass; count the copies found."""
    two[0].hold_meeting(BOB, title, 5 * HOUR)
    await two[0].settle()
    return [(await each.titles()).count(title) for each in each_of(two)]


def each_of(two: tuple[Stage, Stage]) -> tuple[Stage, ...]:
    stage, other = two
    return (stage,) if other is stage else two


def everybody(two: tuple[Stage, Stage]) -> list[int]:
    return [2] if len(each_of(two)) == 1 else [1, 1]


async def test_two_connections_of_a_mailbox_live_on_one_subscription(
    two: tuple[Stage, Stage],
) -> None:
    stage, _ = two

    first = await heard(two, "First")
    for _ in range(5):
        await stage.pass_time(2 * DAY)
    later = await heard(two, "Later")

    assert (first, later) == (everybody(two), everybody(two))
    assert len(watches(stage)) == 1
    assert [state for each in each_of(two) for state in await push(each)] == ["active"] * 2


@pytest.mark.parametrize("leaver", [0, 1])
async def test_whoever_leaves_the_other_goes_on_hearing(
    two: tuple[Stage, Stage], leaver: int
) -> None:
    leaving = two[leaver]
    async with leaving.services.database.tenant(leaving.context.tenant_id) as session:
        user = await users.by_customer_id(session, ("bob", "robert")[leaver])
    assert user is not None
    (connection,) = await leaving.connections(user.id)

    await parting.disconnect(leaving.services, leaving.context, connection.id, purge_events=True)
    await leaving.settle()
    found = await heard(two, "After")

    assert sum(found) == 1
    assert len(watches(leaving)) == 1


async def test_when_graph_ends_the_subscription_both_are_made_well(
    two: tuple[Stage, Stage],
) -> None:
    stage, _ = two
    (ended,) = watches(stage)

    stage.world.state.watches.pop(ended.id)
    send_lifecycle(stage.world, ended, "subscriptionRemoved")
    await stage.settle()
    found = await heard(two, "After")

    assert found == everybody(two)
    assert len(watches(stage)) == 1


async def test_a_subscription_of_nobody_known_gives_way(two: tuple[Stage, Stage]) -> None:
    stage, _ = two
    (standing,) = watches(stage)
    standing.address = standing.address[:-4] + "gone"
    lost = "update calendars set push = 'lost', push_due_at = :now returning 1"
    for each in each_of(two):
        await each.look(lost, now=stage.now)

    await stage.settle()
    found = await heard(two, "After")

    assert found == everybody(two)
    assert [watch.id for watch in watches(stage)] != [standing.id]
