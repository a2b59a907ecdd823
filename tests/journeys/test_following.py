"""A followed series: when an occurrence is over, the next gets a bot like it, till told to stop."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meetbot_calendar.calendars.model import Provider, StoredEvent
from meetbot_calendar.errors import Refused
from meetbot_calendar.journeys import parting, rescheduling, rule_sets, steer
from meetbot_calendar.journeys.rescheduling import Next, Toggled
from meetbot_calendar.journeys.scheduling import Scheduled
from meetbot_calendar.sandbox.edits import cancel, move, repeat
from tests.journeys.stage import ANN, PEOPLE, Stage
from tests.journeys.test_by_hand import DAILY, DAY, EVE, HOUR, WEEKLY, Desk, at_desk

MONTHLY = "RRULE:FREQ=MONTHLY"


async def toggle(desk: Desk, event: StoredEvent, *, follow: bool) -> Toggled:
    services, context = desk.stage.services, desk.stage.context
    return await rescheduling.toggle(services, context, desk.user_id, event.id, follow=follow)


async def next_one(desk: Desk, event: StoredEvent, **wish: Any) -> Scheduled:
    services, context = desk.stage.services, desk.stage.context
    return await rescheduling.schedule_next(services, context, desk.user_id, event.id, Next(**wish))


async def starts(desk: Desk) -> list[str]:
    """Return the starts of the bots that were not cancelled."""
    return [start for start, status, _ in await desk.bots() if status != "cancelled"]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_each_occurrence_is_followed_by_the_next_with_the_same_settings(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Weekly", HOUR, recurrence=WEEKLY)
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()

    await desk.schedule(first, bot_config=EVE, follow=True)
    seen = [await starts(desk)]
    for by in (HOUR, timedelta(minutes=29), timedelta(minutes=1), 7 * DAY):
        await stage.pass_time(by)
        seen.append(await starts(desk))

    assert seen == [
        ["11-23 13:00"],
        ["11-23 13:00"],
        ["11-23 13:00"],
        ["11-23 13:00", "11-30 13:00"],
        ["11-23 13:00", "11-30 13:00", "12-07 13:00"],
    ]
    found = await stage.bots()
    assert {(bot.source, bot.content.bot_config["bot_name"]) for bot in found} == {
        ("manual", "Eve")
    }


async def test_following_is_turned_off_and_the_bot_that_is_scheduled_stays(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", HOUR, recurrence=f"{WEEKLY};BYDAY=MO,WE,FR")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()

    await desk.schedule(first, follow=True)
    await stage.pass_time(2 * HOUR)
    off = await toggle(desk, first, follow=False)
    await stage.pass_time(7 * DAY)

    assert (off.follows, off.rule) == (False, "FREQ=WEEKLY;BYDAY=MO,WE,FR")
    assert await starts(desk) == ["11-23 13:00", "11-25 13:00"]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_following_goes_by_what_the_calendar_shows(
    stage: Stage, provider: Provider, email: str
) -> None:
    """Moved occurrences, cancelled ones, those that a person took out, and a clock change."""
    start = datetime(2027, 3, 25, 8, tzinfo=UTC)
    stage.world.clock.advance(start - 2 * HOUR - stage.now)  # two days before the clocks change
    series = stage.hold_meeting(email, "Daily", 2 * HOUR, recurrence=DAILY, zone="Europe/Berlin")
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)
    cancel(stage.world, series.id, "20270326T080000Z")
    late = start + 2 * DAY + 3 * HOUR
    move(stage.world, series.id, late, late + HOUR, slot="20270327T080000Z")
    await stage.settle()

    for _ in range(4):
        await stage.pass_time(DAY)
        bots = await stage.bots()
        coming = [bot for bot in bots if bot.status == "scheduled"]
        if len(bots) == 3:
            await steer.cancel_bot(stage.services, stage.context, coming[0].id)

    # 25: scheduled, 26: cancelled, 27: moved, 28 (an hour earlier in UTC): taken out, 29: next
    assert [row[:2] for row in await desk.bots()][:4] == [
        ("03-25 08:00", "missed"),
        ("03-27 11:00", "missed"),
        ("03-28 07:00", "cancelled"),
        ("03-29 07:00", "scheduled"),
    ]


async def test_what_a_person_took_out_ahead_is_passed_over_at_once(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=f"{DAILY};COUNT=5")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, second, *_ = await stage.events()
    await desk.schedule(first, follow=True)
    await desk.unschedule(second)

    await stage.pass_time(2 * HOUR)

    assert await starts(desk) == ["11-23 13:00", "11-25 13:00"]


async def test_an_occurrence_that_is_held_earlier_is_followed_earlier(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Daily", 6 * HOUR, recurrence=f"{DAILY};COUNT=5")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)

    soon = stage.now + HOUR
    move(stage.world, held.id, soon, soon + HOUR / 2, slot="20261123T180000Z")
    await stage.pass_time(HOUR / 2)
    await stage.pass_time(HOUR)

    assert await starts(desk) == ["11-23 13:00", "11-24 18:00"]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_occurrences_that_change_places_are_all_followed(
    stage: Stage, provider: Provider, email: str
) -> None:
    """The second is put off to after the third, the fifth brought forward to before the fourth."""
    held = stage.hold_meeting(email, "Weekly", HOUR, recurrence=f"{WEEKLY};COUNT=5")
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()
    begin = stage.now
    await desk.schedule(first, bot_config=EVE, follow=True)
    later, sooner = begin + 15 * DAY, begin + 17 * DAY
    move(stage.world, held.id, later, later + HOUR, slot="20261130T130000Z")
    await stage.settle()

    for day in range(30):
        if day == 9:
            move(stage.world, held.id, sooner, sooner + HOUR, slot="20261221T130000Z")
            await stage.settle()
        await stage.pass_time(DAY)

    assert await starts(desk) == [
        "11-23 13:00",
        "12-07 13:00",
        "12-08 12:00",
        "12-10 12:00",
        "12-14 13:00",
    ]
    assert {bot.content.bot_config["bot_name"] for bot in await stage.bots()} == {"Eve"}


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_what_is_followed_from_was_put_off_already(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Weekly", HOUR, recurrence=f"{WEEKLY};COUNT=3")
    later = stage.now + 8 * DAY
    move(stage.world, held.id, later, later + HOUR, slot="20261123T130000Z")
    desk = await at_desk(stage, provider, email)
    _, first, _ = await stage.events()

    await toggle(desk, first, follow=True)
    for _ in range(20):
        await stage.pass_time(DAY)

    assert await starts(desk) == ["11-30 13:00", "12-07 13:00"]


async def test_the_next_bot_is_like_the_last_as_it_was_changed_by_hand(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", HOUR, recurrence=WEEKLY)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, bot_config=EVE | {"video_required": False}, follow=True)
    (bot,) = await stage.bots()

    patch = steer.BotPatch(settings={"bot_name": "Adam"})
    await steer.patch_bot(stage.services, stage.context, bot.id, patch)
    for by in (HOUR, HOUR, 7 * DAY - HOUR, HOUR, 7 * DAY - HOUR):
        await stage.pass_time(by)

    adam = {"bot_name": "Adam", "video_required": False}
    assert [order["bot_config"] for order in stage.ordered] == [adam] * 3


async def test_the_bot_after_one_of_a_rule_has_the_rules_settings(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", HOUR, recurrence=WEEKLY)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    weekly = {"name": "weekly", "action": "record", "when": True, "bot_config": EVE}
    await rule_sets.save_rules(
        stage.services, stage.context, desk.user_id, {"default": "skip", "rules": [weekly]}
    )
    await stage.settle()
    first, *_ = await stage.events()

    await toggle(desk, first, follow=True)
    for by in (HOUR, HOUR, 7 * DAY - HOUR):
        await stage.pass_time(by)

    assert [order["bot_config"] for order in stage.ordered] == [EVE] * 2


async def test_a_worker_that_was_away_goes_on_with_what_is_still_to_come(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=DAILY)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)

    stage.world.clock.advance(5 * DAY)
    await stage.settle()
    await stage.settle()

    assert await starts(desk) == ["11-23 13:00", "11-28 13:00"]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_an_occurrence_beyond_what_is_in_view_is_waited_for(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Monthly", HOUR, recurrence=MONTHLY)
    desk = await at_desk(stage, provider, email)
    (first,) = await stage.events()

    on = await toggle(desk, first, follow=True)
    for _ in range(3):
        await stage.pass_time(DAY)

    assert on.rule in ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=23")
    assert await starts(desk) == ["12-23 13:00"]


async def test_a_series_that_ends_is_followed_no_longer(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Daily", HOUR, recurrence=DAILY)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)

    repeat(stage.world, held.id, [f"{DAILY};COUNT=2"])
    for _ in range(3):
        await stage.pass_time(DAY)

    assert await starts(desk) == ["11-23 13:00", "11-24 13:00"]
    assert await stage.look("select follows, due_at from series") == [(False, None)]


async def test_unscheduling_all_of_a_series_ends_its_following(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=DAILY)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)

    await desk.unschedule(first, all_occurrences=True)
    await stage.pass_time(3 * DAY)

    assert await starts(desk) == []


async def test_following_ends_where_a_person_said_no_from_a_date_on(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=DAILY)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)

    await desk.unschedule(first, from_time=stage.now + 2 * DAY)
    for _ in range(4):
        await stage.pass_time(DAY)

    assert await starts(desk) == ["11-23 13:00", "11-24 13:00"]
    assert await stage.look("select follows from series") == [False]


@pytest.mark.parametrize(("purge", "follows"), [(True, []), (False, [False])])
async def test_an_account_that_is_disconnected_has_nothing_followed(
    stage: Stage, *, purge: bool, follows: list[bool]
) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=DAILY)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)
    (account,) = await stage.connections(desk.user_id)

    await parting.disconnect(stage.services, stage.context, account.id, purge_events=purge)
    await stage.settle()
    await stage.pass_time(2 * DAY)

    assert await stage.look("select follows from series") == follows
    assert await starts(desk) == []


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_the_next_occurrence_is_scheduled_on_request(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Weekly", HOUR, recurrence=f"{WEEKLY};COUNT=7")
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()
    begin = stage.now + HOUR

    done = await next_one(desk, first, after=begin, rule="FREQ=DAILY", bot_config=EVE)
    beyond = await next_one(desk, first, after=begin + 28 * DAY)
    codes = []
    for wish in (
        {"after": begin},
        {"after": begin + 60 * DAY},
        {"after": begin, "rule": "FREQ=SECONDLY"},
    ):
        with pytest.raises(Refused) as refused:
            await next_one(desk, first, **wish)
        codes.append(refused.value.code)

    assert [f"{each.bot.start:%m-%d %H:%M}" for each in done.booked] == ["11-30 13:00"]
    assert done.booked[0].bot.content.bot_config == EVE
    assert [f"{when:%m-%d %H:%M}" for when in beyond.ahead] == ["12-28 13:00"]
    assert codes == ["already_scheduled", "no_next_occurrence", "bad_recurrence"]


async def test_the_next_one_on_request_is_the_next_that_is_held(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", HOUR, recurrence=WEEKLY)
    later = stage.now + 15 * DAY
    move(stage.world, held.id, later, later + HOUR, slot="20261130T130000Z")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()

    for after in (stage.now + HOUR, stage.now + 14 * DAY + HOUR):
        await next_one(desk, first, after=after)

    assert await starts(desk) == ["12-07 13:00", "12-08 12:00"]


async def test_a_single_event_cannot_be_followed(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    (event,) = await stage.events()

    for asked in (toggle(desk, event, follow=True), next_one(desk, event, after=stage.now)):
        with pytest.raises(Refused) as refused:
            await asked
        assert refused.value.code == "not_recurring"
