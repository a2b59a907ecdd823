from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.freshness import (
    SyncOutcome,
    backoff,
    must_roll,
    new_window,
    next_sync,
    next_turn,
    renew_watch_at,
)
from meetbot_calendar.calendars.model import Window

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
HOUR = timedelta(hours=1)

instants = st.datetimes(datetime(2026, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy wants its bounds naive
intervals = st.floats(0.05, 86_400).map(lambda seconds: timedelta(seconds=seconds))
phases = st.floats(0, 1, exclude_max=True)


def _next(outcome: SyncOutcome, phase: float = 0.0) -> datetime | None:
    return next_sync(outcome, now=NOW, interval=INTERVAL, phase=phase)


def test_a_calendar_that_synced_is_due_at_its_next_turn() -> None:
    assert _next(SyncOutcome()) == NOW + INTERVAL
    assert _next(SyncOutcome(), phase=0.5) == NOW + INTERVAL / 2


def test_a_connection_that_only_its_person_can_mend_is_never_due() -> None:
    outcome = SyncOutcome(status="needs_reauth", failures=3, departures=(NOW + HOUR,))

    assert _next(outcome) is None


@given(instants, intervals, phases)
def test_turns_come_once_an_interval(now: datetime, interval: timedelta, phase: float) -> None:
    turn = next_turn(now, interval, phase)

    assert now < turn <= now + interval
    assert next_turn(turn, interval, phase) == turn + interval


def test_connections_have_their_turns_apart() -> None:
    turns = [next_turn(NOW, INTERVAL, number / 100) for number in range(100)]

    seconds = sorted((turn - NOW).total_seconds() for turn in turns)
    assert seconds == [3.0 * number for number in range(1, 101)]


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(1, 75), (2, 150), (3, 300), (4, 600), (6, 2400), (7, 3600), (1000, 3600)],
)
def test_waits_double_up_to_an_hour(failures: int, wait: float) -> None:
    outcome = SyncOutcome(failures=failures)

    assert _next(outcome, phase=0.5) == NOW + timedelta(seconds=wait)


@given(st.integers(1, 10_000), intervals, phases)
def test_a_longer_failure_never_waits_less(
    failures: int, interval: timedelta, phase: float
) -> None:
    wait = backoff(failures, interval=interval, phase=phase)

    assert timedelta(0) < wait <= max(HOUR, interval) * 1.25
    assert wait <= backoff(failures + 1, interval=interval, phase=phase)


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (timedelta(seconds=1), timedelta(seconds=75)),
        (timedelta(minutes=20), timedelta(minutes=20)),
        (timedelta(days=999), timedelta(hours=24)),
    ],
)
def test_the_provider_is_given_the_time_it_asks_for(asked: timedelta, waited: timedelta) -> None:
    assert _next(SyncOutcome(failures=1, retry_after=asked), phase=0.5) == NOW + waited


def test_a_departure_does_not_undercut_what_the_provider_asks_for() -> None:
    outcome = SyncOutcome(
        failures=1, retry_after=timedelta(minutes=20), departures=(NOW + timedelta(minutes=6),)
    )

    assert _next(outcome) == NOW + timedelta(minutes=20)


@pytest.mark.parametrize(
    ("departs_in", "phase", "due_in"),
    [
        (3600, 0.0, 3300),
        (3600, 0.5, 3330),
        (200, 0.0, 110),
        (240, 0.5, 180),
        (30, 0.0, 86_400),
        (-60, 0.0, 86_400),
    ],
)
def test_a_calendar_is_looked_at_before_its_bot_leaves(
    departs_in: float, phase: float, due_in: float
) -> None:
    interval = timedelta(days=1)
    now = next_turn(NOW, interval, phase)
    outcome = SyncOutcome(departures=(now + timedelta(seconds=departs_in),))

    due = next_sync(outcome, now=now, interval=interval, phase=phase)

    assert due == now + timedelta(seconds=due_in)


@given(st.floats(301, 9000), phases, st.integers(0, 9))
def test_every_departure_is_preceded_by_a_look_within_five_minutes(
    departs_in: float, phase: float, failures: int
) -> None:
    departure = NOW + timedelta(seconds=departs_in)
    outcome = SyncOutcome(failures=failures, departures=(departure,))
    now = NOW
    looks: list[datetime] = []

    while now < departure:
        due = next_sync(outcome, now=now, interval=INTERVAL, phase=phase)
        assert due is not None
        assert due > now
        looks.append(due)
        now = due

    assert any(timedelta(0) < departure - look <= timedelta(minutes=5) for look in looks)


def test_a_window_reaches_a_day_further_than_asked() -> None:
    now = NOW.replace(microsecond=123)

    window = new_window(now, past_days=1, future_days=28)

    assert window == Window(NOW - timedelta(days=1), NOW + timedelta(days=29))


@pytest.mark.parametrize(
    ("after", "rolls"),
    [(timedelta(0), False), (timedelta(hours=24), False), (timedelta(hours=24, seconds=1), True)],
)
def test_a_window_rolls_before_its_far_edge_is_nearer_than_asked(
    after: timedelta, rolls: bool
) -> None:
    window = new_window(NOW, past_days=1, future_days=28)

    assert must_roll(window, NOW + after, past_days=1, future_days=28) is rolls


@pytest.mark.parametrize(("past_days", "future_days"), [(2, 28), (1, 60)])
def test_a_window_rolls_when_more_is_asked_for(past_days: float, future_days: float) -> None:
    window = new_window(NOW, past_days=1, future_days=28)

    assert must_roll(window, NOW, past_days=past_days, future_days=future_days)


def test_a_calendar_without_a_window_needs_one() -> None:
    assert must_roll(None, NOW, past_days=1, future_days=28)


@given(instants, st.floats(0, 60), st.floats(0, 400))
def test_a_new_window_need_not_roll(now: datetime, past_days: float, future_days: float) -> None:
    window = new_window(now, past_days=past_days, future_days=future_days)

    assert not must_roll(window, now, past_days=past_days, future_days=future_days)


@pytest.mark.parametrize(
    ("life", "renewed_after"),
    [
        (timedelta(days=7), timedelta(days=5)),
        (timedelta(days=30), timedelta(days=28)),
        (timedelta(days=6), timedelta(days=4)),
        (timedelta(hours=3), timedelta(hours=2)),
        (timedelta(minutes=45), timedelta(minutes=30)),
        (timedelta(0), timedelta(0)),
        (timedelta(hours=-1), timedelta(hours=-1)),
    ],
)
def test_a_watch_is_renewed_while_it_still_rings(life: timedelta, renewed_after: timedelta) -> None:
    assert renew_watch_at(NOW, NOW + life) == NOW + renewed_after
