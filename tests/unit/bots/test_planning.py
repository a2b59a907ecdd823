"""Wants, outcomes and bots give the right steps, and only those."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.bots.model import FINAL, OUT, Bot, BotContent, BotId, BotStatus, Want
from meetbot_calendar.bots.planning import Settings, Step, reconcile
from meetbot_calendar.calendars.model import EventId
from tests.factories import ANN, BOB, MEET, NOON, TENANT, make_bot, make_want

LEAD = timedelta(seconds=90)
ZOOM = "https://zoom.us/j/5551112222"
ZOOM_SPELT = "https://us02web.zoom.us/j/5551112222?pwd=x&from=addon"
SET_BY_HAND = BotContent(meeting_url=MEET, hand_config={"bot_name": "Eve"}, hand_lead_seconds=600.0)
TEN_MINUTES = timedelta(minutes=10)
HOUR = timedelta(hours=1)


def settings(**given: Any) -> Settings:
    numbers = count(100)
    values: dict[str, Any] = {
        "tenant_id": TENANT,
        "now": NOON,
        "lead": LEAD,
        "new_bot_id": lambda: BotId(f"bot_{next(numbers)}"),
    }
    return Settings(**(values | given))


def told(steps: Sequence[Step]) -> list[tuple[str | None, str, bool]]:
    return [(step.told, step.after.status, step.recall) for step in steps]


def test_a_wanted_meeting_gets_a_bot_that_joins_ninety_seconds_before_its_start() -> None:
    want = make_want()

    (step,) = reconcile([want], [], settings())

    assert step == Step(
        before=None,
        after=make_bot(
            id=BotId("bot_100"), join_at=want.start - LEAD, created_at=NOON, updated_at=NOON,
            content=msgspec.structs.replace(make_bot().content, ical_uid=None),
        ),
        told="bot.scheduled",
    )  # fmt: skip


def test_a_planned_meeting_changes_nothing_when_planned_again() -> None:
    assert reconcile([make_want()], [make_bot()], settings()) == ()


def test_two_events_that_share_a_key_share_one_bot() -> None:
    wants = [
        make_want(event_id=EventId("evt_1"), keys=("uid:1@14", "room:a@14")),
        make_want(event_id=EventId("evt_2"), user_id=BOB, keys=("uid:2@14", "room:a@14")),
    ]

    (step,) = reconcile(wants, [], settings())

    assert (step.after.event_ids, step.after.user_ids) == (("evt_1", "evt_2"), (ANN, BOB))


def test_a_tenant_may_have_one_bot_per_person_instead() -> None:
    wants = [make_want(), make_want(event_id=EventId("evt_2"), user_id=BOB)]

    steps = reconcile(wants, [], settings(dedupe="user"))

    assert [step.after.user_ids for step in steps] == [(ANN,), (BOB,)]


def test_a_standing_room_at_two_times_is_two_meetings() -> None:
    wants = [
        make_want(keys=("room:a@14",)),
        make_want(event_id=EventId("evt_2"), keys=("room:a@16",), start=NOON + timedelta(hours=4)),
    ]

    assert told(reconcile(wants, [], settings())) == [("bot.scheduled", "scheduled", False)] * 2


def test_a_moved_meeting_moves_its_bot() -> None:
    later = NOON + timedelta(hours=5)

    (step,) = reconcile([make_want(start=later, keys=("uid:1@14",))], [make_bot()], settings())

    assert told([step]) == [("bot.rescheduled", "scheduled", False)]
    assert (step.after.join_at, step.after.generation) == (later - LEAD, 2)


def test_a_moved_meeting_takes_its_bot_along_though_another_event_shared_it() -> None:
    bot = make_bot(keys=("room:a@14",), event_ids=(EventId("evt_1"), EventId("evt_2")))
    wants = [
        make_want(event_id=EventId("evt_1"), keys=("room:a@17",), start=NOON + timedelta(hours=5)),
        make_want(event_id=EventId("evt_2"), keys=("room:a@14",)),
    ]

    steps = reconcile(wants, [bot], settings())

    assert [(s.told, s.after.id, s.after.event_ids) for s in steps] == [
        ("bot.scheduled", "bot_100", ("evt_1",)),
        (None, "bot_1", ("evt_2",)),
    ]


def test_the_bot_goes_only_with_the_last_want() -> None:
    bot = make_bot(event_ids=(EventId("evt_1"), EventId("evt_2")))
    one = make_want(event_id=EventId("evt_1"), wanted=False, reason="no_match")
    other = make_want(event_id=EventId("evt_2"))

    (kept,) = reconcile([one, other], [bot], settings())
    gone = reconcile(
        [one, msgspec.structs.replace(other, wanted=False, reason="no_match")], [bot], settings()
    )

    assert (kept.told, kept.after.event_ids, kept.after.generation) == (None, ("evt_2",), 1)
    assert [(s.told, s.after.status, s.after.reason) for s in gone] == [
        ("bot.cancelled", "cancelled", "no_match")
    ]


def test_a_meeting_found_late_is_joined_at_once() -> None:
    want = make_want(start=NOON - timedelta(minutes=5))

    (step,) = reconcile([want], [], settings())

    assert step.after.join_at == NOON


def test_a_meeting_that_is_over_gets_no_bot() -> None:
    assert reconcile([make_want(start=NOON - timedelta(hours=1))], [], settings()) == ()


def test_a_meeting_moved_into_the_past_loses_its_bot() -> None:
    want = make_want(start=NOON - timedelta(hours=3))

    assert [s.after.reason for s in reconcile([want], [make_bot()], settings())] == ["ended"]


def test_a_tenant_may_choose_not_to_join_meetings_that_have_begun() -> None:
    want = make_want(start=NOON - timedelta(minutes=5))

    assert reconcile([want], [], settings(join_late=False)) == ()


@pytest.mark.parametrize("by", [timedelta(), timedelta(minutes=5)])
def test_nor_does_a_waiting_bot_go_to_a_meeting_that_was_moved_to_before_now(by: timedelta) -> None:
    want = make_want(start=NOON - by)

    steps = reconcile([want], [make_bot()], settings(join_late=False))
    again = reconcile([want], [step.after for step in steps], settings(join_late=False))

    assert [(s.told, s.after.status, s.after.reason) for s in steps] == [
        ("bot.cancelled", "cancelled", "late")
    ]
    assert again == ()


@pytest.mark.parametrize(
    ("bot", "asked_at", "join_late"),
    [
        (make_bot(), NOON - timedelta(hours=3), False),  # a person asked for it
        (make_bot(), None, True),
        (make_bot(start=NOON - timedelta(minutes=5)), None, False),  # it was not moved
    ],
)
def test_else_a_waiting_bot_goes_to_a_meeting_that_has_begun(
    bot: Bot, asked_at: datetime | None, *, join_late: bool
) -> None:
    want = make_want(start=NOON - timedelta(minutes=5), by_hand_at=asked_at)

    planned = apply([bot], reconcile([want], [bot], settings(join_late=join_late)))

    assert [(b.id, b.status, b.start) for b in planned] == [("bot_1", "scheduled", want.start)]


def test_a_bot_that_is_out_is_called_back_when_its_meeting_is_put_off() -> None:
    bot = make_bot(status="dispatched", start=NOON + timedelta(minutes=1))
    want = make_want(start=NOON + timedelta(hours=1))

    steps = reconcile([want], [bot], settings())

    assert [(s.told, s.after.id, s.after.status, s.recall) for s in steps] == [
        ("bot.cancelled", "bot_1", "cancelled", True),
        ("bot.scheduled", "bot_100", "scheduled", False),
    ]


def test_a_bot_that_is_out_is_called_back_when_the_link_changes() -> None:
    bot = make_bot(status="joined", start=NOON - timedelta(minutes=1))
    want = make_want(start=NOON - timedelta(minutes=1), meeting_url=ZOOM)

    steps = reconcile([want], [bot], settings())

    assert told(steps) == [
        ("bot.cancelled", "cancelled", True),
        ("bot.scheduled", "scheduled", False),
    ]


@pytest.mark.parametrize("status", ["dispatching", "dispatched", "joined"])
def test_a_bot_that_is_out_stays_when_its_room_is_only_spelt_otherwise(status: BotStatus) -> None:
    begun = NOON - timedelta(minutes=1)
    bot = make_bot(status=status, start=begun, content=_titled(ZOOM))

    assert reconcile([make_want(start=begun, meeting_url=ZOOM_SPELT)], [bot], settings()) == ()


def test_a_bot_in_the_right_room_stays_though_it_is_spelt_otherwise_at_another_time() -> None:
    bot = make_bot(status="dispatched", start=NOON + timedelta(minutes=1), content=_titled(ZOOM))

    (step,) = reconcile([make_want(start=NOON, meeting_url=ZOOM_SPELT)], [bot], settings())

    assert step.after == msgspec.structs.replace(
        bot, start=NOON, end=NOON + timedelta(minutes=30), updated_at=NOON
    )


def test_a_waiting_bot_takes_a_newer_spelling_of_its_room_and_nobody_is_told() -> None:
    bot = make_bot(content=_titled(ZOOM))

    steps = reconcile([make_want(meeting_url=ZOOM_SPELT)], [bot], settings())

    after = msgspec.structs.replace(bot, content=_titled(ZOOM_SPELT), updated_at=NOON)
    assert steps == (Step(before=bot, after=after),)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ZOOM, "https://zoom.us/j/5559998888"),
        (ZOOM, MEET),
        ("https://rooms.example/a", "https://rooms.example/b"),
    ],
)
def test_another_room_of_a_waiting_bot_is_told(old: str, new: str) -> None:
    steps = reconcile([make_want(meeting_url=new)], [make_bot(content=_titled(old))], settings())

    assert [(s.told, s.after.content.meeting_url) for s in steps] == [("bot.rescheduled", new)]


def _titled(url: str) -> BotContent:
    return BotContent(meeting_url=url, title="Weekly")


@pytest.mark.parametrize(
    ("start", "url", "join_at"),
    [
        (NOON + timedelta(hours=1), MEET, NOON + timedelta(minutes=50)),
        (NOON + timedelta(minutes=2), ZOOM, NOON),
    ],
)
def test_what_a_person_set_goes_over_to_the_bot_that_replaces_one_that_is_out(
    start: datetime, url: str, join_at: datetime
) -> None:
    out = make_bot(status="dispatched", start=NOON + timedelta(minutes=2), content=SET_BY_HAND)

    _, fresh = reconcile([make_want(start=start, meeting_url=url)], [out], settings())

    assert (fresh.told, fresh.after.start, fresh.after.join_at) == (
        "bot.scheduled", start, join_at,
    )  # fmt: skip
    assert fresh.after.content == msgspec.structs.replace(
        SET_BY_HAND, meeting_url=url, title="Weekly"
    )


def test_a_bot_that_is_out_stays_within_the_lead_that_a_person_set() -> None:
    out = make_bot(status="dispatched", start=NOON + timedelta(minutes=2), content=SET_BY_HAND)

    steps = reconcile([make_want(start=NOON + timedelta(minutes=8))], [out], settings())

    assert [(s.told, s.after.id, s.after.status) for s in steps] == [(None, "bot_1", "dispatched")]


def test_what_a_person_set_stands_when_a_meeting_is_wanted_again() -> None:
    ended = make_bot(status="cancelled", reason="no_match", content=SET_BY_HAND)
    older = make_bot(
        id=BotId("bot_0"), status="cancelled", updated_at=ended.updated_at - timedelta(hours=1)
    )

    (step,) = reconcile([make_want()], [ended, older], settings())

    assert step.after.join_at == make_want().start - TEN_MINUTES
    assert step.after.content == msgspec.structs.replace(SET_BY_HAND, title="Weekly")


@pytest.mark.parametrize(
    ("last", "asked_at"),
    [
        ({"status": "cancelled"}, None),  # what was set is no longer set
        ({"status": "cancelled", "content": SET_BY_HAND, "stopped_by": "person"}, NOON),
        ({"status": "completed", "content": SET_BY_HAND}, NOON),
        ({"status": "cancelled", "content": SET_BY_HAND}, NOON),  # who asks anew says it anew
    ],
)
def test_only_what_was_set_on_the_last_bot_that_the_plan_cancelled_stands(
    last: dict[str, Any], asked_at: datetime | None
) -> None:
    older = make_bot(id=BotId("bot_0"), status="cancelled", content=SET_BY_HAND)
    ended = make_bot(updated_at=NOON - timedelta(hours=1), **last)
    want = make_want(start=NOON + timedelta(hours=5), by_hand_at=asked_at)

    (step,) = reconcile([want], [older, ended], settings())

    assert (step.after.join_at, step.after.content) == (want.start - LEAD, _titled(MEET))


def test_a_bot_waiting_in_the_right_room_stays_when_the_meeting_comes_forward() -> None:
    bot = make_bot(status="dispatched", start=NOON + timedelta(minutes=1))
    want = make_want(start=NOON)

    (step,) = reconcile([want], [bot], settings())

    assert (step.told, step.after.id, step.after.start) == (None, "bot_1", NOON)


@pytest.mark.parametrize("stopped_by", ["person", "host"])
def test_no_rule_sends_a_bot_where_a_person_ended_one(stopped_by: str) -> None:
    ended = make_bot(status="cancelled", stopped_by=stopped_by)

    assert reconcile([make_want()], [ended], settings()) == ()


@pytest.mark.parametrize("status", ["completed", "failed", "missed"])
def test_no_rule_sends_a_second_bot_to_a_meeting_that_had_its_own(status: str) -> None:
    begun = NOON - timedelta(minutes=10)
    ended = make_bot(status=status, start=begun)

    assert reconcile([make_want(start=begun)], [ended], settings()) == ()


def test_a_person_who_asks_afterwards_gets_another_bot() -> None:
    begun = NOON - timedelta(minutes=10)
    ended = make_bot(status="completed", start=begun, updated_at=NOON - timedelta(minutes=2))
    want = make_want(start=begun, by_hand_at=NOON - timedelta(minutes=1), source="manual")

    assert told(reconcile([want], [ended], settings())) == [("bot.scheduled", "scheduled", False)]


def test_a_person_who_asked_before_is_served_once() -> None:
    begun = NOON - timedelta(minutes=10)
    ended = make_bot(status="completed", start=begun, updated_at=NOON - timedelta(minutes=2))
    want = make_want(start=begun, by_hand_at=NOON - timedelta(hours=3), source="manual")

    assert reconcile([want], [ended], settings()) == ()


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_meeting_that_was_served_stays_so_on_the_day_it_is_put_off_to(status: str) -> None:
    ended = make_bot(status=status, start=NOON - timedelta(hours=1))

    assert reconcile([make_want(start=NOON + timedelta(days=1))], [ended], settings()) == ()


def test_a_meeting_whose_bot_was_missed_has_another_when_it_is_put_off() -> None:
    ended = make_bot(status="missed", start=NOON - timedelta(hours=2))
    want = make_want(start=NOON + timedelta(days=1))

    assert told(reconcile([want], [ended], settings())) == [("bot.scheduled", "scheduled", False)]


def test_a_new_lead_time_moves_waiting_bots() -> None:
    (step,) = reconcile([make_want()], [make_bot()], settings(lead=timedelta(seconds=60)))

    assert (step.told, step.after.join_at) == (
        "bot.rescheduled",
        make_bot().start - timedelta(seconds=60),
    )


def test_a_lead_set_by_hand_stays_and_follows_the_meeting() -> None:
    content = msgspec.structs.replace(make_bot().content, hand_lead_seconds=600.0)
    bot = make_bot(content=content, join_at=make_bot().start - timedelta(minutes=10))
    later = NOON + timedelta(hours=5)

    unmoved = reconcile([make_want()], [bot], settings())
    (moved,) = reconcile([make_want(start=later)], [bot], settings())

    assert unmoved == ()
    assert moved.after.join_at == later - timedelta(minutes=10)


def late_bot(**given: Any) -> Bot:
    """A bot that a person set to join ten minutes after its meeting's end, as it was planned."""
    bot = make_bot()
    join_at = bot.end + TEN_MINUTES
    lead = (bot.start - join_at).total_seconds()
    content = msgspec.structs.replace(bot.content, hand_lead_seconds=lead)
    late = msgspec.structs.replace(bot, content=content, join_at=join_at, end=join_at + HOUR)
    return msgspec.structs.replace(late, **given)


@pytest.mark.parametrize("status", ["scheduled", "dispatched"])
def test_a_bot_that_is_set_to_join_after_the_end_outlives_its_meeting(status: BotStatus) -> None:
    bot = late_bot(status=status)
    ended = make_want(wanted=False, reason="ended")

    assert reconcile([make_want()], [bot], settings()) == ()
    for now in (ended.end, bot.join_at, bot.end - timedelta(seconds=1)):
        for want in (make_want(), ended):
            assert reconcile([want], [bot], settings(now=now)) == ()


def test_a_late_bot_goes_with_its_meeting_where_that_is_moved_cancelled_or_refused() -> None:
    bot = late_bot()
    now = bot.join_at - timedelta(minutes=1)
    moved = make_want(start=NOON - HOUR, end=NOON, wanted=False, reason="ended")
    cancelled = make_want(wanted=False, reason="cancelled")
    later = make_want(start=now + HOUR, end=now + 2 * HOUR)

    (followed,) = reconcile([later], [bot], settings(now=now))

    for want in (moved, cancelled, make_want(wanted=False, reason="manual")):
        steps = reconcile([want], [bot], settings(now=now))
        assert told(steps) == [("bot.cancelled", "cancelled", False)]
    assert (followed.told, followed.after.join_at - later.start) == (
        "bot.rescheduled",
        bot.join_at - bot.start,
    )


def test_where_copies_disagree_the_freshest_is_believed() -> None:
    stale = make_want(event_id=EventId("evt_1"), seen_at=NOON - timedelta(hours=2))
    fresh = make_want(
        event_id=EventId("evt_2"),
        start=NOON + timedelta(hours=3),
        seen_at=NOON - timedelta(hours=1),
    )

    (step,) = reconcile([stale, fresh], [], settings())

    assert step.after.start == NOON + timedelta(hours=3)


KEYS = ["a", "b", "c", "d"]
instants = st.integers(-300, 300).map(lambda minutes: NOON + timedelta(minutes=minutes))


@st.composite
def want_lists(draw: st.DrawFn) -> list[Want]:
    return [
        make_want(
            event_id=EventId(f"evt_{number}"),
            user_id=draw(st.sampled_from([ANN, BOB])),
            keys=tuple(draw(st.sets(st.sampled_from(KEYS), min_size=1, max_size=2))),
            wanted=draw(st.booleans()),
            start=draw(instants),
            meeting_url=draw(st.sampled_from([MEET, ZOOM, ZOOM_SPELT])),
            by_hand_at=draw(st.sampled_from([None, NOON])),
            seen_at=draw(instants),
            reason="matched",
        )
        for number in range(draw(st.integers(0, 6)))
    ]


@st.composite
def bot_lists(draw: st.DrawFn) -> list[Bot]:
    statuses: list[BotStatus] = [
        "scheduled", "dispatching", "dispatched", "joined", "completed", "failed", "cancelled",
    ]  # fmt: skip
    return [
        make_bot(
            id=BotId(f"bot_{number}"),
            status=draw(st.sampled_from(statuses)),
            keys=tuple(sorted(draw(st.sets(st.sampled_from(KEYS), min_size=1, max_size=2)))),
            start=draw(instants),
            event_ids=tuple(
                EventId(f"evt_{n}") for n in sorted(draw(st.sets(st.integers(0, 5), max_size=3)))
            ),
            user_ids=(draw(st.sampled_from([ANN, BOB])),),
            content=draw(st.sampled_from([make_bot().content, _titled(ZOOM), SET_BY_HAND])),
            stopped_by=None,
        )
        for number in range(draw(st.integers(0, 3)))
    ]


def apply(bots: Sequence[Bot], steps: Sequence[Step]) -> list[Bot]:
    known = {bot.id: bot for bot in bots}
    known |= {step.after.id: step.after for step in steps}
    return list(known.values())


@given(want_lists(), bot_lists(), st.sampled_from(["meeting", "user"]), st.booleans())
def test_planning_twice_is_planning_once(
    wants: list[Want], bots: list[Bot], dedupe: Any, join_late: Any
) -> None:
    chosen = settings(dedupe=dedupe, join_late=join_late)

    planned = apply(bots, reconcile(wants, bots, chosen))

    assert reconcile(wants, planned, chosen) == ()


@given(want_lists(), bot_lists())
def test_no_event_ever_has_two_live_bots_and_no_waiting_bot_is_without_a_want(
    wants: list[Want], bots: list[Bot]
) -> None:
    planned = apply(bots, reconcile(wants, bots, settings()))
    live = [bot for bot in planned if bot.status not in FINAL and not _is_over(bot, NOON)]

    wanted = {want.event_id for want in wants if want.wanted}
    served = [event_id for bot in live for event_id in bot.event_ids if event_id in wanted]
    assert len(served) == len(set(served))
    assert all(set(bot.event_ids) & wanted for bot in live)


def _is_over(bot: Bot, now: datetime) -> bool:
    return bot.status in OUT and bot.end <= now
