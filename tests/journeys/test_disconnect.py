"""Parting from an account: hidden at once, its bots gone, and a farewell to its provider."""

from datetime import timedelta

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import parting, tenants
from meetbot_calendar.journeys.tenants import TenantWish
from tenants.identity import CalendarUserId, TenantContext
from tests.journeys.stage import ANN, BOB, PEOPLE, Stage
from tests.journeys.test_watching import watches
from tests.journeys.trouble import READS, asked

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POLL = timedelta(seconds=300)
SOON = timedelta(seconds=5)

both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


async def part(stage: Stage, user_id: CalendarUserId, *, purge: bool = True) -> None:
    (connection,) = await stage.connections(user_id)
    await parting.disconnect(stage.services, stage.context, connection.id, purge_events=purge)


def is_granted(stage: Stage, provider: Provider, email: str) -> bool:
    return stage.world.grants.grant_of(f"{provider}-1", f"{provider}:{email}") is not None


async def grants_kept(stage: Stage) -> list[int]:
    """Return how many bytes of each connection's grant are kept."""
    return await stage.look("select length(grant_sealed) from connections")


async def test_a_disconnected_account_is_hidden_at_once_and_told(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    user_id = await stage.onboard(provider, email)

    await part(stage, user_id)

    (told,) = [data for kind, data in await stage.told() if kind == "calendar.disconnected"]
    assert await stage.connections(user_id) == ()
    assert (told["account_id"], told["status"]) == (email, "disconnected")


@both
async def test_a_farewell_stops_watches_gives_the_grant_back_and_forgets_it(
    stage: Stage, provider: Provider, email: str
) -> None:
    user_id = await stage.onboard(provider, email)
    await part(stage, user_id)

    await stage.settle()
    await stage.pass_time(SOON)

    assert watches(stage) == []
    assert await stage.look("select count(*) from watches") == [0]
    assert is_granted(stage, provider, email) is (provider is Provider.OUTLOOK)  # has no way
    assert await grants_kept(stage) == [0]


async def test_bots_of_a_disconnected_account_are_cancelled_with_the_reason(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    stage.hold_meeting(email, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(provider, email)

    await part(stage, user_id, purge=False)
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.reason) == ("cancelled", "calendar_disconnected")
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.cancelled"]


async def test_a_bot_that_is_out_is_called_back(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    stage.hold_meeting(email, "Now", timedelta(seconds=60))
    user_id = await stage.onboard(provider, email)

    await part(stage, user_id)
    await stage.settle()

    assert [bot.status for bot in stage.fleet.bots.values()] == ["recalled"]


@pytest.mark.parametrize("purge", [True, False])
async def test_its_events_are_deleted_or_kept_as_is_wished(stage: Stage, *, purge: bool) -> None:
    provider, email = PEOPLE[0]
    stage.hold_meeting(email, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(provider, email)

    await part(stage, user_id, purge=purge)
    await stage.settle()
    await stage.pass_time(SOON)

    deleted = [event.content.title for event in await stage.events(deleted=True)]
    assert (await stage.titles(), deleted) == (([], [None]) if purge else (["Weekly"], []))


@both
@pytest.mark.parametrize("purge", [True, False])
async def test_connecting_again_brings_its_events_and_bots_back(
    stage: Stage, provider: Provider, email: str, *, purge: bool
) -> None:
    stage.hold_meeting(email, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(provider, email)
    await part(stage, user_id, purge=purge)
    await stage.settle()
    await stage.pass_time(SOON)

    await stage.connect(provider, email)
    await stage.settle()

    live = [bot.content.title for bot in await stage.bots() if bot.status == "scheduled"]
    assert (await stage.titles(), live) == (["Weekly"], ["Weekly"])
    assert len(watches(stage)) == 1


async def test_who_comes_back_before_the_farewell_keeps_everything(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    stage.hold_meeting(email, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(provider, email)

    await part(stage, user_id, purge=False)
    await stage.connect(provider, email)
    await stage.settle()

    assert is_granted(stage, provider, email)
    assert [bot.status for bot in await stage.bots()] == ["scheduled"]
    await stage.pass_time(2 * HOUR)
    assert await stage.look("select error_code from calendars") == [None]


async def test_a_disconnected_account_is_read_no_more(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    user_id = await stage.onboard(provider, email)
    await part(stage, user_id)
    await stage.settle()
    await stage.pass_time(SOON)
    before = asked(stage, READS[provider])

    stage.hold_meeting(email, "Unseen", 5 * HOUR)
    await stage.pass_time(DAY)

    assert asked(stage, READS[provider]) == before
    assert await stage.look("select due_at from calendars") == [None]


async def test_a_grant_that_another_tenant_lives_on_is_not_given_back(stage: Stage) -> None:
    made = await tenants.create_tenant(stage.services, TenantWish(name="Other"))
    context = TenantContext(tenant_id=made.tenant.id, actor="test")
    other = msgspec.structs.replace(stage, context=context)
    await other.onboard(Provider.GOOGLE, ANN)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)

    await part(stage, user_id)
    await stage.settle()
    await stage.pass_time(2 * HOUR)

    assert is_granted(stage, Provider.GOOGLE, ANN)
    assert await other.look("select status, error_code from connections") == [("active", None)]
    assert await grants_kept(stage) == [0]


async def test_a_meeting_that_somebody_else_wants_keeps_its_bot(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Both", 2 * HOUR, BOB)
    ann = await stage.onboard(Provider.GOOGLE, ANN, "ann")
    bob = await stage.onboard(Provider.OUTLOOK, BOB, "bob")

    await part(stage, ann)
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.user_ids) == ("scheduled", (bob,))


async def test_a_provider_that_is_down_is_bidden_farewell_later(stage: Stage) -> None:
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    stage.world.faults.add("google.revoke", "503_json", times=2)

    await part(stage, user_id)
    await stage.settle()
    await stage.pass_time(SOON)
    before = is_granted(stage, Provider.GOOGLE, ANN)
    for _ in range(2):
        await stage.pass_time(POLL)

    assert (before, is_granted(stage, Provider.GOOGLE, ANN)) == (True, False)
    assert await grants_kept(stage) == [0]


async def test_a_farewell_is_given_up_after_a_day_and_the_grant_forgotten(stage: Stage) -> None:
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    stage.world.faults.add("google.revoke", "503_json", times=-1)

    await part(stage, user_id)
    await stage.settle()
    await stage.pass_time(POLL)
    before = await grants_kept(stage)
    await stage.pass_time(DAY)

    assert before != [0]
    assert await grants_kept(stage) == [0]
