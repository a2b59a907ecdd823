"""Events follow their calendars, at both providers alike."""

from datetime import timedelta
from typing import Any

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import asked_sync, calendars, sync
from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.meetings import slot_key
from meetbot_calendar.sandbox.store import Calendar
from tests.journeys.stage import MEET, PEOPLE, Stage
from tests.journeys.trouble import EVENTS, READS, asked, silence, while_reading

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAILY = "RRULE:FREQ=DAILY;COUNT=4"
POLL = timedelta(seconds=300)

both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


def second_calendar(stage: Stage, provider: Provider, email: str, name: str = "Team") -> Calendar:
    owner = stage.world.directory.account(provider.value, email)
    assert owner is not None
    return stage.world.directory.add_calendar(owner, name)


async def starts(stage: Stage) -> list[timedelta]:
    """Return how long from now the standing events begin."""
    return [event.span.start - stage.now for event in await stage.events() if event.span]


@both
async def test_the_first_sync_reads_every_calendar_to_its_last_page(
    stage: Stage, provider: Provider, email: str
) -> None:
    team = second_calendar(stage, provider, email)
    for number in range(1, 8):
        stage.hold_meeting(email, f"Own {number}", number * HOUR)
    stage.hold_meeting(email, "Team's", 9 * HOUR, calendar=team.id)

    user_id = await stage.onboard(provider, email)

    assert await stage.titles() == [*[f"Own {n}" for n in range(1, 8)], "Team's"]
    for calendar in (await stage.calendars(user_id)).values():
        assert calendar.last_complete_sync_at == stage.now
        assert calendar.cursor is not None
        assert (calendar.failures, calendar.push) == (0, "active")


@both
async def test_later_syncs_follow_what_was_made_changed_moved_and_cancelled(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = [stage.hold_meeting(email, f"M{n}", n * HOUR) for n in (1, 2, 3)]
    await stage.onboard(provider, email)
    before = {event.content.title: event.id for event in await stage.events()}
    full = asked(stage, READS[provider])

    edits.edit(stage.world, held[0].id, title="Renamed")
    edits.move(stage.world, held[1].id, stage.now + 5 * HOUR, stage.now + 6 * HOUR)
    edits.cancel(stage.world, held[2].id)
    stage.hold_meeting(email, "New", 4 * HOUR)
    await stage.settle()

    events = await stage.events()
    assert [event.content.title for event in events] == ["Renamed", "New", "M2"]
    assert await starts(stage) == [HOUR, 4 * HOUR, 5 * HOUR]
    assert (events[0].id, events[2].id) == (before["M1"], before["M2"])
    assert [event.id for event in await stage.events(deleted=True)] == [before["M3"]]
    assert asked(stage, READS[provider]) - full <= 3


@both
async def test_one_occurrence_is_cancelled_and_one_moved(
    stage: Stage, provider: Provider, email: str
) -> None:
    series = stage.hold_meeting(email, "Daily", HOUR, recurrence=DAILY)
    await stage.onboard(provider, email)
    first, second = (slot_key(series.start + n * DAY, all_day=False) for n in (0, 1))

    edits.cancel(stage.world, series.id, first)
    moved_to = stage.now + DAY + 3 * HOUR
    edits.move(stage.world, series.id, moved_to, moved_to + HOUR, second)
    await stage.settle()

    assert await starts(stage) == [DAY + 3 * HOUR, 2 * DAY + HOUR, 3 * DAY + HOUR]
    assert len(await stage.events(deleted=True)) == 1


@both
async def test_a_series_that_moves_as_a_whole_leaves_nothing_behind(
    stage: Stage, provider: Provider, email: str
) -> None:
    series = stage.hold_meeting(email, "Daily", HOUR, recurrence=DAILY)
    await stage.onboard(provider, email)

    edits.move(stage.world, series.id, series.start + HOUR, series.end + HOUR)
    await stage.settle()

    assert await starts(stage) == [2 * HOUR + n * DAY for n in range(4)]


@both
async def test_a_series_that_is_split_goes_on_as_two(
    stage: Stage, provider: Provider, email: str
) -> None:
    series = stage.hold_meeting(email, "Daily", HOUR, recurrence="RRULE:FREQ=DAILY;COUNT=3")
    await stage.onboard(provider, email)

    slot = slot_key(series.start + 2 * DAY, all_day=False)
    edits.split(stage.world, series.id, slot, title="From now on")
    await stage.settle()

    shown = [title for title in await stage.titles() if title == "Daily"]
    renamed = [title for title in await stage.titles() if title == "From now on"]
    assert (len(shown), len(renamed)) == (2, 3)


@both
async def test_a_series_that_is_cancelled_takes_every_occurrence_along(
    stage: Stage, provider: Provider, email: str
) -> None:
    series = stage.hold_meeting(email, "Daily", HOUR, recurrence=DAILY)
    await stage.onboard(provider, email)

    edits.cancel(stage.world, series.id)
    await stage.settle()

    assert await stage.titles() == []
    assert {bot.status for bot in await stage.bots()} == {"cancelled"}


@both
async def test_what_was_deleted_while_the_cursor_was_lost_is_found_by_a_full_listing(
    stage: Stage, provider: Provider, email: str
) -> None:
    gone = stage.hold_meeting(email, "Gone", HOUR)
    stage.hold_meeting(email, "Stays", 2 * HOUR)
    await stage.onboard(provider, email)
    silence(stage)

    edits.cancel(stage.world, gone.id)
    stage.hold_meeting(email, "New", 3 * HOUR)
    stage.world.faults.add(EVENTS[provider], "410")
    await stage.pass_time(POLL)

    assert await stage.titles() == ["Stays", "New"]
    assert len(await stage.events(deleted=True)) == 1


@pytest.mark.parametrize("kind", ["400_sync_state", "404_sync_state"])
async def test_graph_says_in_several_ways_that_a_cursor_is_lost(stage: Stage, kind: str) -> None:
    provider, email = PEOPLE[1]
    gone = stage.hold_meeting(email, "Gone", HOUR)
    user_id = await stage.onboard(provider, email)
    silence(stage)

    edits.cancel(stage.world, gone.id)
    stage.world.faults.add(EVENTS[provider], kind)
    await stage.pass_time(POLL)

    (calendar,) = (await stage.calendars(user_id)).values()
    assert (await stage.titles(), calendar.failures) == ([], 0)


@both
async def test_an_empty_page_is_not_the_last(stage: Stage, provider: Provider, email: str) -> None:
    stage.hold_meeting(email, "Behind it", HOUR)
    stage.world.faults.add(EVENTS[provider], "empty_page")

    await stage.onboard(provider, email)

    assert await stage.titles() == ["Behind it"]


@both
async def test_a_sync_that_finds_nothing_new_writes_nothing(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Weekly", 20 * HOUR)
    await stage.onboard(provider, email)
    told, numbers = await stage.told(), await stage.look("select change_seq from events")
    decided = await stage.look("select decided_at from decisions")

    edits.touch(stage.world, held.id)
    await stage.pass_time(POLL)

    assert await stage.told() == told
    assert await stage.look("select change_seq from events") == numbers
    assert await stage.look("select decided_at from decisions") == decided


async def test_events_without_a_link_are_kept_and_not_recorded(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    stage.hold_meeting(email, "Lunch", HOUR, link="")

    await stage.onboard(provider, email)

    assert await stage.titles() == ["Lunch"]
    assert await stage.look("select reason from decisions") == ["no_meeting_link"]


NO_TIMES: list[tuple[Provider, str, dict[str, Any]]] = [
    (*PEOPLE[0], {"id": "x1", "status": "confirmed", "summary": "Odd", "location": MEET}),
    (*PEOPLE[1], {"id": "x1", "subject": "Odd", "location": {"displayName": MEET}}),
]


@pytest.mark.parametrize(("provider", "email", "raw"), NO_TIMES)
async def test_an_event_without_times_disturbs_nobody(
    stage: Stage, provider: Provider, email: str, raw: dict[str, Any]
) -> None:
    owner = stage.world.directory.account(provider.value, email)
    assert owner is not None
    calendar = stage.world.directory.primary(owner)
    stage.world.raw_writers[provider.value](stage.world, calendar, raw)
    stage.hold_meeting(email, "Sound", HOUR)

    await stage.onboard(provider, email)

    assert "Sound" in await stage.titles()
    assert [bot.content.title for bot in await stage.bots()] == ["Sound"]


@both
async def test_the_window_moves_on_with_the_days(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Far", 29 * DAY + 12 * HOUR)
    await stage.onboard(provider, email)
    before = await stage.titles()

    await stage.pass_time(DAY + POLL)

    assert (before, await stage.titles()) == ([], ["Far"])


@both
async def test_a_meeting_that_moves_beyond_the_window_leaves_it(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Soon", 2 * HOUR)
    await stage.onboard(provider, email)

    edits.move(stage.world, held.id, stage.now + 60 * DAY, stage.now + 60 * DAY + HOUR)
    await stage.settle()

    assert await stage.titles() == []
    assert [bot.status for bot in await stage.bots()] == ["cancelled"]


@both
async def test_a_notice_rings_exactly_its_calendar(
    stage: Stage, provider: Provider, email: str
) -> None:
    team = second_calendar(stage, provider, email)
    await stage.onboard(provider, email)

    stage.hold_meeting(email, "Team's", HOUR, calendar=team.id)
    await stage.hear()

    assert await stage.due_calendars() == ["Team"]


@both
async def test_a_notice_during_a_running_sync_is_not_lost(
    stage: Stage, provider: Provider, email: str
) -> None:
    user_id = await stage.onboard(provider, email)
    (calendar,) = (await stage.calendars(user_id)).values()

    async def meanwhile() -> None:
        stage.hold_meeting(email, "Late", 20 * HOUR)
        await stage.hear()

    busy = while_reading(stage, provider, meanwhile)
    synced = await sync.sync(busy.services, stage.context.tenant_id, calendar.id)

    assert synced is not None
    assert synced.created == 0
    assert await stage.due_calendars() == [calendar.name]
    await stage.settle()
    assert await stage.titles() == ["Late"]


@both
async def test_lost_notices_cost_a_poll_and_no_more(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)
    silence(stage)

    stage.hold_meeting(email, "Unheard", 20 * HOUR)
    await stage.settle()
    before = await stage.titles()
    await stage.pass_time(POLL)

    assert (before, await stage.titles()) == ([], ["Unheard"])


@both
async def test_a_calendar_is_looked_at_again_before_its_bot_leaves(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Soon", timedelta(minutes=20))
    await stage.onboard(provider, email)
    silence(stage)
    for _ in range(16):
        await stage.pass_time(timedelta(minutes=1))

    edits.cancel(stage.world, held.id)
    for _ in range(2):
        await stage.pass_time(timedelta(minutes=1, seconds=1))

    assert [bot.status for bot in await stage.bots()] == ["cancelled"]


async def test_a_calendar_that_is_deselected_is_shown_no_more_until_it_is_selected_again(
    stage: Stage,
) -> None:
    provider, email = PEOPLE[0]
    stage.hold_meeting(email, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(provider, email)
    (calendar,) = (await stage.calendars(user_id)).values()

    async def choose(*, selected: bool) -> tuple[list[str | None], list[str]]:
        await calendars.select(
            stage.services, stage.context, user_id, calendar.id, selected=selected
        )
        await stage.settle()
        live = [bot.reason for bot in await stage.bots() if bot.status == "scheduled"]
        return await stage.titles(), live

    assert await choose(selected=False) == ([], [])
    assert await choose(selected=True) == (["Weekly"], ["no_match"])


@both
async def test_a_new_calendar_is_found_in_the_next_poll(
    stage: Stage, provider: Provider, email: str
) -> None:
    user_id = await stage.onboard(provider, email)

    team = second_calendar(stage, provider, email)
    stage.hold_meeting(email, "Team's", 5 * HOUR, calendar=team.id)
    await stage.pass_time(POLL)

    assert await stage.titles() == ["Team's"]
    assert (await stage.calendars(user_id))["Team"].push == "active"


@both
async def test_a_calendar_that_its_account_shows_no_longer_is_let_go(
    stage: Stage, provider: Provider, email: str
) -> None:
    team = second_calendar(stage, provider, email)
    stage.hold_meeting(email, "Team's", 5 * HOUR, calendar=team.id)
    user_id = await stage.onboard(provider, email)

    stage.world.directory.remove_calendar(team)
    await stage.pass_time(POLL)

    calendar = (await stage.calendars(user_id))["Team"]
    assert (calendar.selected, calendar.push) == (False, "lost")
    assert await stage.titles() == []
    assert [bot.status for bot in await stage.bots()] == ["cancelled"]


async def test_everything_of_a_person_is_synced_at_once_on_request(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    second_calendar(stage, provider, email)
    user_id = await stage.onboard(provider, email)
    silence(stage)
    stage.hold_meeting(email, "New", 2 * HOUR)

    synced = await asked_sync.sync_user(stage.answered, stage.context, user_id)

    assert sorted(one.created for one in synced) == [0, 1]
    assert {one.error for one in synced} == {None}
