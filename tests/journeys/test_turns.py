"""Who is asked when: what a provider asks of us is kept, urgent calendars come first."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import asked_sync, calendars, notices, sweep, sync
from meetbot_calendar.sandbox import edits
from meetbot_calendar.storage import calendar_leases
from tests.journeys.killing import watched_database
from tests.journeys.stage import ANN, BOB, PEOPLE, Running, Stage
from tests.journeys.trouble import EVENTS, LISTS, READS, asked, silence

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
POLL = timedelta(seconds=301)
both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


async def test_no_notice_and_nobody_who_asks_undercuts_a_retry_after(stage: Stage) -> None:
    user_id = await stage.onboard(Provider.OUTLOOK, BOB)
    stage.world.faults.add(EVENTS[Provider.OUTLOOK], "429", retry_after=600)
    stage.hold_meeting(BOB, "New", 2 * HOUR)
    await stage.settle()
    before = asked(stage, READS[Provider.OUTLOOK])

    stage.hold_meeting(BOB, "Newer", 3 * HOUR)
    await stage.pass_time(MINUTE)
    await asked_sync.sync_user(stage.answered, stage.context, user_id)
    await stage.pass_time(8 * MINUTE)
    during = asked(stage, READS[Provider.OUTLOOK])
    await stage.pass_time(2 * MINUTE)

    assert during == before
    assert await stage.titles() == ["New", "Newer"]


async def test_a_throttled_list_of_calendars_is_obeyed_and_no_poll_is_lost(stage: Stage) -> None:
    await stage.onboard(Provider.OUTLOOK, BOB)
    silence(stage)
    stage.world.faults.add(LISTS[Provider.OUTLOOK], "429", retry_after=30)
    stage.hold_meeting(BOB, "New", 2 * HOUR)

    await stage.pass_time(POLL)
    told_to_wait = await stage.titles()
    await stage.pass_time(2 * MINUTE)

    assert (told_to_wait, await stage.titles()) == ([], ["New"])
    assert await stage.look("select failures from calendars") == [0]


async def test_what_was_rung_is_found_before_what_is_only_due(stage: Stage) -> None:
    await stage.onboard(Provider.GOOGLE, ANN)
    await stage.onboard(Provider.OUTLOOK, BOB, "bob")
    stage.world.clock.advance(2 * POLL)

    stage.hold_meeting(BOB, "New", 2 * HOUR)
    await stage.hear()

    due = [work.row_id for work in await sweep.due(stage.services, 100) if work.kind == "sync"]
    rung = await stage.look("select id from calendars where is_urgent")
    assert due[:1] == rung


async def test_of_an_outlook_mailbox_one_calendar_is_read_at_a_time(stage: Stage) -> None:
    account = stage.world.directory.account("outlook", BOB)
    assert account is not None
    stage.world.directory.add_calendar(account, "Team")
    await stage.onboard(Provider.OUTLOOK, BOB)
    first, second = await stage.look("select id from calendars order by id")
    tenant = stage.services.database.tenant(stage.context.tenant_id)
    async with tenant as session:
        await calendar_leases.claim(session, first, now=stage.now, until=stage.now + MINUTE)

    busy = await sync.sync(stage.services, stage.context.tenant_id, second)
    await stage.pass_time(2 * MINUTE)
    free = await sync.sync(stage.services, stage.context.tenant_id, second)

    assert busy is None
    assert free is not None


@both
async def test_a_calendar_that_comes_back_is_taken_up_again(
    stage: Stage, provider: Provider, email: str
) -> None:
    calendar, me = shared_in(stage, provider, email)
    await stage.onboard(provider, email)
    seen = []

    for role in (None, "reader"):
        if role is None:
            stage.world.directory.unshare(calendar, me)
        else:
            stage.world.directory.share(calendar, me, "reader")
        await stage.pass_time(POLL)
        seen.append(await stage.titles())

    assert seen == [[], ["Theirs"]]


async def test_a_calendar_that_shows_more_than_who_is_busy_is_taken_up(stage: Stage) -> None:
    calendar, me = shared_in(stage, Provider.GOOGLE, ANN)
    await stage.onboard(Provider.GOOGLE, ANN)
    seen = []

    for role in ("freeBusyReader", "writer"):
        stage.world.directory.share(calendar, me, role)  # type: ignore[arg-type]
        await stage.pass_time(POLL)
        seen.append(await stage.titles())

    assert seen == [[], ["Theirs"]]


async def test_a_calendar_that_its_person_left_out_stays_out_when_it_comes_back(
    stage: Stage,
) -> None:
    calendar, me = shared_in(stage, Provider.GOOGLE, ANN)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    theirs = (await stage.calendars(user_id))["Cy's"].id
    await calendars.select(stage.services, stage.context, user_id, theirs, selected=False)

    stage.world.directory.unshare(calendar, me)
    await stage.pass_time(POLL)
    stage.world.directory.share(calendar, me, "reader")
    await stage.pass_time(POLL)

    assert not (await stage.calendars(user_id))["Cy's"].selected
    assert await stage.titles() == []


@both
async def test_a_calendar_that_comes_with_a_reconnection_and_leaves_at_once_is_let_go(
    stage: Stage, provider: Provider, email: str
) -> None:
    user_id = await stage.onboard(provider, email)
    calendar, me = shared_in(stage, provider, email)
    await stage.connect(provider, email)
    (theirs,) = [c for c in (await stage.calendars(user_id)).values() if not c.is_primary]

    stage.world.directory.unshare(calendar, me)
    await stage.pass_time(POLL)

    assert theirs.selected
    assert [c.selected for c in (await stage.calendars(user_id)).values() if not c.is_primary] == [
        False
    ]


@both
async def test_calendars_are_listed_in_every_turn_however_lately_a_notice_was_followed(
    stage: Stage, provider: Provider, email: str
) -> None:
    user_id = await stage.onboard(provider, email)
    (turn,) = await stage.look("select due_at from calendars")
    await stage.pass_time(turn - stage.now)
    await stage.pass_time(timedelta(seconds=250))
    stage.hold_meeting(email, "Pushed", 2 * HOUR)
    await stage.settle()
    shared_in(stage, provider, email)

    await stage.pass_time(timedelta(seconds=60))

    assert len(await stage.calendars(user_id)) == 2


async def test_a_notice_is_taken_while_a_round_is_being_written(stage: Stage) -> None:
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    silence(stage)
    stage.hold_meeting(ANN, "New", 2 * HOUR)
    (watch,) = stage.world.state.watches.values()
    answers: list[Any] = []

    async def ring() -> None:
        answers.append(
            await notices.take(
                stage.services,
                Provider.GOOGLE,
                watch.address.rpartition("/")[2],
                headers={
                    "x-goog-channel-id": watch.id,
                    "x-goog-resource-id": watch.resource_id,
                    "x-goog-resource-state": "exists",
                    "x-goog-channel-token": watch.secret,
                },
                query={},
                body=b"",
            )
        )

    services = watched_database(stage.services, "INSERT INTO events", ring)
    front = msgspec.structs.replace(stage.front, wakeups=Running(services))
    await asked_sync.sync_user(front, stage.context, user_id)
    due = [work.kind for work in await sweep.due(stage.services, 100)]

    assert [answer.status for answer in answers] == [202]
    assert "sync" in due


def shared_in(stage: Stage, provider: Provider, email: str) -> tuple[Any, Any]:
    """Share a calendar of a colleague's, with a meeting in it."""
    owner = stage.world.directory.add_account(provider.value, "cy@acme.example", "Cy")
    me = stage.world.directory.account(provider.value, email)
    assert me is not None
    calendar = stage.world.directory.add_calendar(owner, "Cy's")
    stage.world.directory.share(calendar, me, "reader")
    held = stage.hold_meeting("cy@acme.example", "Theirs", 5 * HOUR, calendar=calendar.id)
    edits.touch(stage.world, held.id)
    return calendar, me


@both
async def test_a_calendar_that_lets_us_see_more_is_read_whole(
    stage: Stage, provider: Provider, email: str
) -> None:
    calendar, me = shared_in(stage, provider, email)
    (held,) = stage.world.state.meetings.values()
    edits.edit(stage.world, held.id, visibility="private")
    await stage.onboard(provider, email)
    veiled = await stage.titles()

    stage.world.directory.share(calendar, me, "writer")
    await stage.pass_time(POLL)

    assert (veiled, await stage.titles()) == ([None], ["Theirs"])
