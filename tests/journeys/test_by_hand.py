"""A person schedules and unschedules by hand; nothing that happens by itself undoes it."""

from datetime import timedelta
from typing import Any

import pytest

from meetbot_calendar.calendars.model import Provider, StoredEvent
from meetbot_calendar.errors import Conflict, Missing, Refused, TryLater
from meetbot_calendar.journeys import decide, policy, scheduling_series, steer, unscheduling
from meetbot_calendar.journeys.scheduling_series import Scheduled, Wish
from meetbot_calendar.journeys.unscheduling import Unscheduled, Unwish
from meetbot_calendar.sandbox.edits import cancel, move
from tenants.identity import CalendarUserId, OptOut, TenantContext
from tests.journeys.stage import ANN, BOB, PEOPLE, Stage

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAILY = "RRULE:FREQ=DAILY"
WEEKLY = "RRULE:FREQ=WEEKLY"
EVE = {"bot_name": "Eve"}


class Desk:
    """A person at a stage, who says what is to be recorded."""

    def __init__(self, stage: Stage, user_id: CalendarUserId) -> None:
        self.stage, self.user_id = stage, user_id

    async def schedule(self, event: StoredEvent, **wish: Any) -> Scheduled:
        services, context = self.stage.services, self.stage.context
        return await scheduling_series.schedule(
            services, context, self.user_id, event.id, Wish(**wish)
        )

    async def unschedule(self, event: StoredEvent, **wish: Any) -> Unscheduled:
        services, context = self.stage.services, self.stage.context
        return await unscheduling.unschedule(
            services, context, self.user_id, event.id, Unwish(**wish)
        )

    async def refused(self, event: StoredEvent, **wish: Any) -> str:
        with pytest.raises((Refused, Missing)) as refusal:
            await self.schedule(event, **wish)
        return refusal.value.code

    async def bots(self) -> list[tuple[str, str, str]]:
        """Return each bot's start, status and reason, in the order of starts."""
        found = sorted(await self.stage.bots(), key=lambda bot: (bot.start, bot.status))
        return [(f"{b.start:%m-%d %H:%M}", b.status, b.reason) for b in found]


async def at_desk(stage: Stage, provider: Provider, email: str, name: str = "ann") -> Desk:
    connected = await stage.connect(provider, email, customer_user_id=name)
    await stage.settle()
    return Desk(stage, connected.user_id)


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_an_event_is_scheduled_once_and_its_bot_is_the_persons(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Kick-off", HOUR)
    desk = await at_desk(stage, provider, email)
    (event,) = await stage.events()

    done = await desk.schedule(event, bot_config=EVE)
    with pytest.raises(Conflict) as again:
        await desk.schedule(event)
    await decide.redecide(stage.services, stage.context, desk.user_id)

    (bot,) = await stage.bots()
    assert [each.bot for each in done.booked] == [bot]
    assert (bot.status, bot.source, bot.content.bot_config) == ("scheduled", "manual", EVE)
    assert (again.value.code, again.value.existing) == ("already_scheduled", {"bot_id": bot.id})


async def test_what_cannot_be_recorded_is_refused_by_the_reason_of_the_decision(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "No link", HOUR, link="")
    stage.hold_meeting(ANN, "Over", -2 * HOUR)
    stage.hold_meeting(ANN, "Secret", 2 * HOUR, link="https://zoom.us/j/5551112222")
    gone = stage.hold_meeting(ANN, "Gone", 3 * HOUR)
    stage.world.add_meeting(
        ANN, "Fair", stage.now, stage.now + DAY, all_day=True, link="https://zoom.us/j/5551112223"
    )
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    cancel(stage.world, gone.id)
    await stage.settle()
    rooms = {"opt_out": OptOut(rooms=("https://zoom.us/j/5551112222",))}
    await policy.change_own(stage.services, stage.context, rooms)
    events = await stage.events() + await stage.events(deleted=True)

    refused = {event.content.title: await desk.refused(event) for event in events}

    assert refused == {
        "No link": "no_meeting_link",
        "Over": "ended",
        "Secret": "opted_out",
        "Gone": "cancelled",
        "Fair": "all_day",
    }
    assert await stage.bots() == []


async def test_a_bot_of_the_rules_is_taken_over_by_hand(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    (before,) = await stage.bots()
    (event,) = await stage.events()

    await Desk(stage, user_id).schedule(event, bot_config=EVE)

    (after,) = await stage.bots()
    assert (before.source, after.source) == ("rule", "manual")
    assert (after.id, after.content.bot_config) == (before.id, EVE)


async def test_another_persons_event_is_nowhere_to_be_found(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    await at_desk(stage, Provider.GOOGLE, ANN)
    other = await at_desk(stage, Provider.OUTLOOK, BOB, "bob")
    (event,) = await stage.events()

    assert await other.refused(event) == "not_found"
    with pytest.raises(Missing):
        await other.unschedule(event)


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_an_unscheduled_event_stays_so_whatever_rules_and_calendar_do(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Kick-off", HOUR)
    user_id = await stage.onboard(provider, email)
    (event,) = await stage.events()

    done = await Desk(stage, user_id).unschedule(event)
    again = await Desk(stage, user_id).unschedule(event)
    await stage.record_everything(user_id)
    move(stage.world, held.id, held.start + HOUR, held.end + HOUR)
    await stage.settle()

    (bot,) = await stage.bots()
    assert [each.id for each in done.cancelled] == [each.id for each in done.left] == [bot.id]
    assert (bot.status, bot.reason, bot.stopped_by) == ("cancelled", "manual", "person")
    assert again.left == ()
    assert (await stage.told_of_bots()).count("bot.cancelled") == 1


async def test_what_was_unscheduled_is_scheduled_again_by_hand_alone(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    (event,) = await stage.events()

    for _ in range(3):  # at one and the same instant
        await desk.schedule(event)
        await desk.unschedule(event)
    await desk.schedule(event)

    found = sorted(bot.status for bot in await stage.bots())
    assert found == [*["cancelled"] * 3, "scheduled"]


async def test_a_deleted_bot_stays_deleted_and_its_event_can_be_scheduled_again(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    (event,) = await stage.events()
    (bot,) = await stage.bots()

    await steer.cancel_bot(stage.services, stage.context, bot.id)
    await stage.record_everything(user_id)
    deleted = [each.status for each in await stage.bots()]
    await Desk(stage, user_id).schedule(event)

    assert deleted == ["cancelled"]
    assert sorted(each.status for each in await stage.bots()) == ["cancelled", "scheduled"]


async def test_a_bot_that_another_person_wants_too_stays_for_that_person(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR, BOB)
    ann = await stage.onboard(Provider.GOOGLE, ANN)
    bob = await stage.onboard(Provider.OUTLOOK, BOB, "bob")
    event = next(each for each in await stage.events() if each.user_id == ann)

    done = await Desk(stage, ann).unschedule(event)

    (bot,) = await stage.bots()
    assert (bot.status, bot.user_ids, bot.stopped_by) == ("scheduled", (bob,), None)
    assert ([each.id for each in done.left], done.cancelled) == ([bot.id], ())


async def test_a_persons_other_copy_of_a_meeting_brings_no_second_bot_and_none_back(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR, BOB)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    await at_desk(stage, Provider.OUTLOOK, BOB)  # another account of the same person's
    first, second = await stage.events()

    await desk.schedule(first)
    twice = await desk.refused(second)
    await desk.unschedule(first)
    await stage.record_everything(desk.user_id)

    assert twice == "already_scheduled"
    assert [bot.status for bot in await stage.bots()] == ["cancelled"]


async def test_a_no_to_one_copy_is_a_no_to_the_persons_others(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR, BOB)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    await at_desk(stage, Provider.OUTLOOK, BOB)  # another account of the same person's
    first, _ = await stage.events()
    (shared,) = await stage.bots()

    done = await Desk(stage, user_id).unschedule(first)

    assert len(shared.event_ids) == 2
    assert [bot.id for bot in done.cancelled] == [shared.id]
    assert [bot.status for bot in await stage.bots()] == ["cancelled"]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_a_series_is_scheduled_whole_and_as_it_comes_into_view(
    stage: Stage, provider: Provider, email: str
) -> None:
    series = stage.hold_meeting(email, "Weekly", HOUR, recurrence=WEEKLY)
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()

    done = await desk.schedule(first, all_occurrences=True, limit=6, bot_config=EVE)
    at_once = await desk.bots()
    await stage.pass_time(21 * DAY)
    cancel(stage.world, series.id, "20261221T130000Z")
    await stage.settle()
    await stage.pass_time(21 * DAY)

    assert [row[:2] for row in at_once] == [
        ("11-23 13:00", "scheduled"),
        ("11-30 13:00", "scheduled"),
        ("12-07 13:00", "scheduled"),
        ("12-14 13:00", "scheduled"),
        ("12-21 13:00", "scheduled"),
    ]
    assert [f"{when:%m-%d}" for when in done.ahead] == ["12-28"]
    found = await stage.bots()
    assert {bot.source for bot in found} == {"manual"}
    assert {bot.content.bot_config["bot_name"] for bot in found} == {"Eve"}
    assert [row[0] for row in await desk.bots()][-2:] == ["12-21 13:00", "12-28 13:00"]
    assert dict(row[:2] for row in await desk.bots())["12-21 13:00"] == "cancelled"


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_an_occurrence_that_was_cancelled_in_view_is_not_said_to_be_ahead(
    stage: Stage, provider: Provider, email: str
) -> None:
    series = stage.hold_meeting(email, "Weekly", HOUR, recurrence=WEEKLY)
    cancel(stage.world, series.id, "20261221T130000Z")
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()

    done = await desk.schedule(first, all_occurrences=True, limit=6)

    assert [f"{each.bot.start:%m-%d}" for each in done.booked] == [
        "11-23",
        "11-30",
        "12-07",
        "12-14",
    ]
    assert [f"{when:%m-%d}" for when in done.ahead] == ["12-28", "01-04"]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_what_was_cancelled_of_a_series_far_ahead_is_known(
    stage: Stage, provider: Provider, email: str
) -> None:
    series = stage.hold_meeting(email, "Weekly", HOUR, recurrence=f"{WEEKLY};COUNT=9")
    cancel(stage.world, series.id, "20270104T130000Z")
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()

    done = await desk.schedule(first, all_occurrences=True)

    assert [f"{when:%m-%d}" for when in done.ahead] == ["12-28", "01-11", "01-18"]
    assert await desk.refused(first, occurrence="2027-01-04") == "no_such_occurrence"


async def test_of_a_scheduled_series_a_person_takes_out_one_and_sets_another(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=f"{DAILY};COUNT=4")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, second, third, fourth = await stage.events()

    await desk.schedule(second, bot_config=EVE)
    await desk.schedule(first, all_occurrences=True)
    await stage.pass_time(timedelta(minutes=1))
    await desk.unschedule(third)
    await decide.redecide(stage.services, stage.context, desk.user_id)
    names = [bot.content.bot_config.get("bot_name") for bot in await stage.bots()]

    assert [row[1] for row in await desk.bots()] == [
        "scheduled",
        "scheduled",
        "cancelled",
        "scheduled",
    ]
    assert sorted(map(str, names)) == ["Eve", "None", "None", "None"]
    assert await desk.refused(fourth) == "already_scheduled"
    assert await desk.refused(first, all_occurrences=True, limit=2) == "already_scheduled"
    assert len((await desk.schedule(first, all_occurrences=True)).booked) == 1  # the third again


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_a_series_is_unscheduled_from_a_date_on_or_all_of_it(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Weekly", HOUR, recurrence=WEEKLY)
    user_id = await stage.onboard(provider, email)
    desk = Desk(stage, user_id)
    first, *_ = await stage.events()

    from_date = await desk.unschedule(first, from_time=stage.now + 14 * DAY)
    kept = [row[:2] for row in await desk.bots()]
    await stage.pass_time(7 * DAY)
    both = await desk.bots()
    everything = await desk.unschedule(first, all_occurrences=True)
    await stage.pass_time(7 * DAY)
    await stage.record_everything(user_id)

    assert len(from_date.cancelled) == 3
    assert kept[:2] == [("11-23 13:00", "scheduled"), ("11-30 13:00", "scheduled")]
    assert {status for _, status in kept[2:]} == {"cancelled"}
    assert len(both) == len(kept)  # what came into view since is not recorded either
    assert [f"{bot.start:%m-%d}" for bot in everything.cancelled] == ["11-30"]
    assert {row[1] for row in await desk.bots()} == {"missed", "cancelled"}


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_from_a_date_on_means_when_an_occurrence_is_held_not_when_it_was_meant_to_be(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Weekly", HOUR, recurrence=WEEKLY)
    begin = stage.now
    later, sooner = begin + 15 * DAY, begin + 11 * DAY
    move(stage.world, held.id, later, later + HOUR, slot="20261130T130000Z")
    move(stage.world, held.id, sooner, sooner + HOUR, slot="20261214T130000Z")
    desk = await at_desk(stage, provider, email)
    first, *_ = await stage.events()
    await desk.schedule(first, all_occurrences=True, bot_config=EVE)

    await desk.unschedule(first, from_time=begin + 12 * DAY)
    await stage.pass_time(28 * DAY)

    found = [row[:2] for row in await desk.bots()]
    assert found == [
        ("11-23 13:00", "missed"),
        ("12-04 12:00", "missed"),
        ("12-07 13:00", "cancelled"),
        ("12-08 12:00", "cancelled"),
        ("12-21 13:00", "cancelled"),
    ]


async def test_another_occurrence_is_named_by_its_instant_its_wall_time_or_its_day(
    stage: Stage,
) -> None:
    series = stage.hold_meeting(ANN, "Weekly", HOUR, recurrence=WEEKLY, zone="America/New_York")
    wednesday = stage.now + 9 * DAY
    move(stage.world, series.id, wednesday, wednesday + HOUR, slot="20261130T130000Z")
    cancel(stage.world, series.id, "20261221T130000Z")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()

    for named in ("2026-11-30T13:00:00Z", "2026-12-07T08:00:00", "2026-12-14"):
        (booked,) = (await desk.schedule(first, occurrence=named)).booked
        assert booked.event.series_id == first.series_id
    later = await desk.schedule(first, occurrence="2027-01-11T13:00:00Z")

    assert [row[0] for row in await desk.bots()] == ["12-02 12:00", "12-07 13:00", "12-14 13:00"]
    assert [f"{when:%Y-%m-%d %H:%M}" for when in later.ahead] == ["2027-01-11 13:00"]
    assert await desk.refused(first, occurrence="2027-01-11") == "already_scheduled"
    assert await desk.refused(first, occurrence="2026-11-26") == "no_such_occurrence"
    assert await desk.refused(first, occurrence="2026-12-21") == "no_such_occurrence"
    assert await desk.refused(first, occurrence="2027-01-12") == "no_such_occurrence"
    assert await desk.refused(first, occurrence="soon") == "bad_occurrence_date"
    await stage.pass_time(28 * DAY)
    assert ("01-11 13:00", "scheduled") in [row[:2] for row in await desk.bots()]


async def test_a_single_event_is_no_series(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    (event,) = await stage.events()

    codes = [
        await desk.refused(event, **wish)
        for wish in ({"all_occurrences": True}, {"occurrence": "2026-11-24"}, {"follow": True})
    ]

    assert codes == ["not_recurring"] * 3
    assert await stage.bots() == []
    assert (await desk.unschedule(event, from_time=stage.now + DAY)).left == ()


async def test_a_series_that_no_provider_tells_about_is_scheduled_as_far_as_it_is_in_view(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=f"{DAILY};COUNT=3")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    stage.world.faults.add("google.event", "503_json", times=9)

    with pytest.raises(TryLater):
        await desk.schedule(first, all_occurrences=True)
    done = await desk.schedule(first, all_occurrences=True, limit=3)

    assert (len(done.booked), done.ahead) == (3, ())


async def test_what_a_provider_told_of_a_series_once_helps_when_it_is_away(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence=f"{DAILY};COUNT=40")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, second, *_ = await stage.events()

    await desk.schedule(first, all_occurrences=True, limit=30)
    await desk.unschedule(first, all_occurrences=True)
    stage.world.faults.add("google.event", "503_json", times=9)
    again = await desk.schedule(second, all_occurrences=True)

    assert len(again.booked) + len(again.ahead) == 40


async def test_a_key_of_one_person_sees_no_others(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    bob = await at_desk(stage, Provider.OUTLOOK, BOB, "bob")
    (event,) = await stage.events()
    his = TenantContext(tenant_id=stage.context.tenant_id, actor="key", user_id=bob.user_id)

    with pytest.raises(Missing):
        await scheduling_series.schedule(stage.services, his, desk.user_id, event.id, Wish())
