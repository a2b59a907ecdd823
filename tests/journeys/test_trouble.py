"""Providers that are slow, strict or gone: what waits, what is told, and what is restored."""

import asyncio
from datetime import timedelta

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import asked_sync, grants, sync
from meetbot_calendar.journeys.grants import fresh
from meetbot_calendar.sandbox import edits
from tests.journeys.stage import ANN, PEOPLE, Stage
from tests.journeys.test_sync import second_calendar
from tests.journeys.trouble import EVENTS, LISTS, READS, TOKENS, asked, silence, while_reading

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POLL = timedelta(seconds=300)
DUE = "select extract(epoch from due_at - cast(:now as timestamptz)) from calendars"

both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


def withdraw(stage: Stage, provider: Provider, email: str) -> None:
    """Let a person take back at the provider what they allowed."""
    assert stage.world.grants.revoke_account(f"{provider}:{email}") == 1


async def health(stage: Stage) -> list[str]:
    return await stage.look("select status from connections order by id")


async def refreshes(stage: Stage) -> int:
    return sum(each.note == "refresh_token" for each in stage.world.journal.find("/token"))


async def test_throttling_is_obeyed_to_the_second(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    user_id = await stage.onboard(provider, email)
    stage.world.faults.add(EVENTS[provider], "429", retry_after=1234)

    await stage.pass_time(POLL)

    (due,) = await stage.look(DUE, now=stage.now)
    (calendar,) = (await stage.calendars(user_id)).values()
    assert (float(due), calendar.failures, await health(stage)) == (1234.0, 1, ["active"])


async def test_who_asks_us_to_wait_for_the_list_is_not_asked_for_the_events(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    await stage.onboard(provider, email)
    silence(stage)
    stage.world.faults.add(LISTS[provider], "429", retry_after=1234)
    before = asked(stage, READS[provider])

    await stage.pass_time(POLL)

    (due,) = await stage.look(DUE, now=stage.now)
    assert (float(due), asked(stage, READS[provider]) - before) == (1234.0, 0)


@both
async def test_an_outage_however_long_is_over_within_one_poll(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)
    silence(stage)
    stage.world.faults.add(EVENTS[provider], "503_json", times=-1)
    for _ in range(40):
        await stage.pass_time(POLL / 2)
    stage.world.faults.clear()
    silence(stage)
    stage.hold_meeting(email, "New", 5 * HOUR)

    await stage.pass_time(POLL)

    assert await stage.titles() == ["New"]


async def test_a_notice_that_comes_as_a_round_fails_is_followed_within_seconds(
    stage: Stage,
) -> None:
    provider, email = PEOPLE[0]
    user_id = await stage.onboard(provider, email)
    stage.world.clock.advance(POLL)
    stage.world.faults.add(EVENTS[provider], "503_json")
    (calendar,) = (await stage.calendars(user_id)).values()

    async def ring() -> None:
        stage.hold_meeting(email, "New", 5 * HOUR)
        await stage.hear()

    slow = while_reading(stage, provider, ring, call="calendars")
    await sync.sync(slow.services, stage.context.tenant_id, calendar.id)
    (due,) = await stage.look(DUE, now=stage.now)

    assert float(due) == 5.0


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [("429", 0, 600), ("403_user_rate", 0, 600), ("403_quota", 7200, 7800)],
)
async def test_google_throttles_in_several_ways(
    stage: Stage, kind: str, least: float, most: float
) -> None:
    await stage.onboard(Provider.GOOGLE, ANN)
    stage.world.faults.add("google.events", kind)

    await stage.pass_time(POLL)

    (due,) = await stage.look(DUE, now=stage.now)
    assert least <= float(due) <= most
    assert await health(stage) == ["active"]


@both
async def test_a_provider_that_is_down_is_asked_again_and_then_all_is_well(
    stage: Stage, provider: Provider, email: str
) -> None:
    user_id = await stage.onboard(provider, email)
    silence(stage)
    stage.hold_meeting(email, "New", 5 * HOUR)
    stage.world.faults.add(EVENTS[provider], "503_json", times=2)

    await stage.pass_time(POLL)
    (down,) = (await stage.calendars(user_id)).values()
    for _ in range(2):
        await stage.pass_time(HOUR)

    (well,) = (await stage.calendars(user_id)).values()
    assert (down.failures, down.error_code) == (1, "try_later")
    assert (well.failures, well.error_code) == (0, None)
    assert await stage.titles() == ["New"]


@both
async def test_a_refused_access_token_is_refreshed_once(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)
    stage.world.faults.add(EVENTS[provider], "401")
    before = await refreshes(stage)

    await stage.pass_time(POLL)

    assert await refreshes(stage) - before == 1
    assert await stage.look("select failures from calendars") == [0]


@both
async def test_an_access_token_that_is_refused_again_and_again_is_no_reason_to_reconnect(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)
    stage.world.faults.add(EVENTS[provider], "401", times=-1)
    before = await refreshes(stage)

    await stage.pass_time(POLL)

    assert await refreshes(stage) - before == 1
    assert await stage.look("select error_code from calendars") == ["access_expired"]
    assert await health(stage) == ["active"]


@both
async def test_tokens_are_refreshed_over_the_days(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)

    for _ in range(3):
        await stage.pass_time(2 * HOUR)

    assert await refreshes(stage) == 3
    assert await health(stage) == ["active"]


async def test_several_who_need_a_fresh_token_cause_one_refresh(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    user_id = await stage.onboard(provider, email)
    (connection,) = await stage.connections(user_id)
    stage.world.clock.advance(2 * HOUR)
    second: list[asyncio.Task[object]] = []

    async def another() -> None:
        ask = fresh(stage.services, stage.context, connection.id)
        second.append(asyncio.create_task(ask))
        await asyncio.wait(second, timeout=0.05)

    busy = while_reading(stage, provider, another, call="refresh")
    first = await fresh(busy.services, stage.context, connection.id)
    stage.world.clock.advance(timedelta(seconds=1))

    assert await second[0] == first
    assert await refreshes(stage) == 1


async def test_a_refresher_that_died_is_followed_by_another(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    user_id = await stage.onboard(provider, email)
    (connection,) = await stage.connections(user_id)
    stage.world.clock.advance(2 * HOUR)

    async def die() -> None:
        raise KeyboardInterrupt

    dying = while_reading(stage, provider, die, call="refresh")
    with pytest.raises(KeyboardInterrupt):
        await fresh(dying.services, stage.context, connection.id)
    stage.world.clock.advance(timedelta(seconds=31))

    assert (await fresh(stage.services, stage.context, connection.id)).expires_at > stage.now


@both
async def test_a_wrong_client_secret_is_nobodys_need_to_reconnect(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)
    client = stage.world.grants.client(f"{provider}-1")
    assert client is not None
    client.secret = "another"

    await stage.pass_time(2 * HOUR)
    trouble = await stage.look("select error_code from calendars")
    held_against = await health(stage)
    client.secret = "secret-1"
    await stage.pass_time(2 * HOUR)

    assert (trouble, held_against) == (["installation_fault"], ["active"])
    assert await stage.look("select error_code from calendars") == [None]
    assert "calendar.needs_reauth" not in [kind for kind, _ in await stage.told()]


@both
async def test_a_connection_is_in_error_while_none_of_its_calendars_can_be_read(
    stage: Stage, provider: Provider, email: str
) -> None:
    team = second_calendar(stage, provider, email)
    await stage.onboard(provider, email)
    reads = {Provider.GOOGLE: "google.events", Provider.OUTLOOK: "microsoft.delta"}[provider]
    states: list[list[str]] = []

    stage.world.faults.add(reads, "503_json", times=1000)
    for _ in range(6):
        await stage.pass_time(POLL)
        states.append(await health(stage))
    said = await stage.look("select error_detail from connections")
    stage.world.faults.clear()
    stage.world.directory.remove_calendar(team)
    await stage.pass_time(POLL)

    assert (states[0], states[-1]) == (["active"], ["error"])
    assert [each.split(" answers ")[1][:3] for each in said] == ["503"]
    assert await health(stage) == ["active"]
    assert await stage.look("select error_detail from connections") == [None]


@both
async def test_a_refused_refresh_token_is_told_once_and_polling_stops(
    stage: Stage, provider: Provider, email: str
) -> None:
    second_calendar(stage, provider, email)
    await stage.onboard(provider, email)
    withdraw(stage, provider, email)

    await stage.pass_time(POLL)
    reads, tokens = asked(stage, READS[provider]), asked(stage, "/token")
    await stage.pass_time(2 * DAY)

    assert await health(stage) == ["needs_reauth"]
    told = [data for kind, data in await stage.told() if kind == "calendar.needs_reauth"]
    assert [(data["account_id"], data["status"]) for data in told] == [(email, "needs_reauth")]
    assert (asked(stage, READS[provider]), asked(stage, "/token")) == (reads, tokens)
    assert await stage.look("select due_at from calendars") == [None, None]


async def test_a_notice_for_who_must_reconnect_leaves_nothing_due(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    await stage.onboard(provider, email)
    withdraw(stage, provider, email)
    await stage.pass_time(POLL)

    stage.hold_meeting(email, "Unseen", 5 * HOUR)
    await stage.settle()

    assert await stage.look("select due_at from calendars") == [None]
    assert await stage.titles() == []


async def test_syncing_who_must_reconnect_says_so_at_once(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    user_id = await stage.onboard(provider, email)
    withdraw(stage, provider, email)
    await stage.pass_time(POLL)

    async with asyncio.timeout(5):
        (synced,) = await asked_sync.sync_user(stage.answered, stage.context, user_id)

    assert "connect" in str(synced.error)
    await stage.settle()


async def test_bots_of_the_next_day_leave_and_later_ones_do_not(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    stage.hold_meeting(email, "Within", 23 * HOUR)
    stage.hold_meeting(email, "Beyond", 26 * HOUR)
    await stage.onboard(provider, email)
    withdraw(stage, provider, email)

    await stage.pass_time(POLL)
    await stage.pass_time(23 * HOUR)
    await stage.pass_time(3 * HOUR)

    assert [order["metadata"]["title"] for order in stage.ordered] == ["Within"]
    (bot,) = [bot for bot in await stage.bots() if bot.content.title == "Beyond"]
    assert (bot.status, bot.reason) == ("cancelled", "needs_reauth")


@both
async def test_connecting_again_restores_everything(
    stage: Stage, provider: Provider, email: str
) -> None:
    moved = stage.hold_meeting(email, "Moved", 3 * DAY)
    gone = stage.hold_meeting(email, "Gone", 3 * DAY + 2 * HOUR)
    user_id = await stage.onboard(provider, email)
    withdraw(stage, provider, email)
    await stage.pass_time(POLL)
    edits.move(stage.world, moved.id, stage.now + 4 * DAY, stage.now + 4 * DAY + HOUR)
    edits.cancel(stage.world, gone.id)
    stage.hold_meeting(email, "New", 5 * DAY)
    await stage.pass_time(2 * DAY)

    await stage.connect(provider, email)
    await stage.settle()

    (calendar,) = (await stage.calendars(user_id)).values()
    live = [bot.content.title for bot in await stage.bots() if bot.status == "scheduled"]
    assert (await health(stage), calendar.push) == (["active"], "active")
    assert await stage.titles() == ["Moved", "New"]
    assert sorted(map(str, live)) == ["Moved", "New"]


async def test_a_sync_that_still_runs_does_not_call_a_connection_well(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    second_calendar(stage, provider, email)
    user_id = await stage.onboard(provider, email)
    one, other = (await stage.calendars(user_id)).values()

    async def meanwhile() -> None:
        withdraw(stage, provider, email)
        await sync.sync(stage.services, stage.context.tenant_id, other.id)

    busy = while_reading(stage, provider, meanwhile)
    await sync.sync(busy.services, stage.context.tenant_id, one.id)
    await stage.pass_time(2 * HOUR)

    assert await health(stage) == ["needs_reauth"]
    assert [kind for kind, _ in await stage.told()].count("calendar.needs_reauth") == 1


async def test_an_old_refusal_does_not_undo_a_new_consent(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    user_id = await stage.onboard(provider, email)
    (connection,) = await stage.connections(user_id)
    stage.world.clock.advance(2 * HOUR)
    stage.world.faults.add(TOKENS[provider], "invalid_grant")

    async def again() -> None:
        assert (await stage.connect(provider, email)).error_code is None

    busy = while_reading(stage, provider, again, call="refresh")
    calendar_id = next(iter((await stage.calendars(user_id)).values())).id
    await sync.sync(busy.services, stage.context.tenant_id, calendar_id)
    await stage.settle()

    assert await health(stage) == ["active"]
    assert (await grants.fresh(stage.services, stage.context, connection.id)).expires_at > stage.now
    assert "calendar.needs_reauth" not in [kind for kind, _ in await stage.told()]


async def test_an_organisation_that_asks_for_a_new_sign_in_needs_its_person(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    await stage.onboard(provider, email)
    stage.world.faults.add(EVENTS[provider], "401_claims")

    await stage.pass_time(POLL)

    assert await health(stage) == ["needs_reauth"]
    assert await stage.look("select due_at from calendars") == [None]


@both
async def test_a_calendar_that_is_refused_three_times_is_shown_no_more_until_it_is_read_again(
    stage: Stage, provider: Provider, email: str
) -> None:
    team = second_calendar(stage, provider, email)
    stage.hold_meeting(email, "Team's", 5 * HOUR, calendar=team.id)
    user_id = await stage.onboard(provider, email)
    (calendar_id,) = [c.id for c in (await stage.calendars(user_id)).values() if c.name == "Team"]
    team.removed = True
    seen = []

    for _ in range(3):
        await sync.sync(stage.services, stage.context.tenant_id, calendar_id)
        seen.append(await stage.titles())
    team.removed = False
    await sync.sync(stage.services, stage.context.tenant_id, calendar_id)

    assert seen == [["Team's"], ["Team's"], []]
    assert await stage.titles() == ["Team's"]


async def test_a_calendar_that_was_throttled_is_not_let_go_at_the_first_refusal(
    stage: Stage,
) -> None:
    provider, email = PEOPLE[0]
    team = second_calendar(stage, provider, email)
    user_id = await stage.onboard(provider, email)
    calendar = (await stage.calendars(user_id))["Team"]
    stage.world.faults.add(EVENTS[provider], "503_json", times=4)

    for _ in range(4):
        await sync.sync(stage.services, stage.context.tenant_id, calendar.id)
    stage.world.directory.remove_calendar(team)
    await sync.sync(stage.services, stage.context.tenant_id, calendar.id)

    assert (await stage.calendars(user_id))["Team"].selected


async def test_a_delta_that_never_ends_is_gone_round_by_the_plain_view(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    await stage.onboard(provider, email)
    silence(stage)
    stage.world.faults.add(EVENTS[provider], "endless", times=-1)
    seen = []

    for title in ("First", "Second"):
        stage.hold_meeting(email, title, 5 * HOUR)
        await stage.pass_time(POLL)
        seen.append(await stage.titles())
    stage.world.faults.clear(EVENTS[provider])
    stage.hold_meeting(email, "Third", 6 * HOUR)
    await stage.pass_time(POLL)

    assert seen == [["First"], ["First", "Second"]]
    assert await stage.titles() == ["First", "Second", "Third"]
    assert await stage.look("select cursor is null from calendars") == [False]


async def test_pages_that_turn_in_a_circle_end_in_a_full_listing(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    await stage.onboard(provider, email)
    silence(stage)
    stage.world.faults.add(EVENTS[provider], "loop_pages", times=2)
    stage.hold_meeting(email, "New", 5 * HOUR)

    await stage.pass_time(POLL)

    assert await stage.titles() == ["New"]
