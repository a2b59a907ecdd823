"""When to sync next, when to read a new window, when to renew a watch.

``phase`` is where in every interval a person's calendars have their turn, from 0 up to 1: drawn
once per person, it keeps thousands of them from calling in the same second.
"""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from meetbot_calendar.calendars.model import ConnectionStatus, Window

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_LONGEST_BACKOFF = timedelta(hours=1)
_LONGEST_OBEYED = timedelta(hours=24)

# A calendar is looked at again when one of its bots is about to leave: once when there is still
# time to move or recall it quietly, once just before. Each look is spread over a minute.
_LAST_LOOKS = (timedelta(minutes=5), timedelta(seconds=90))
_LOOK_SPREAD = timedelta(minutes=1)

_WINDOW_SLACK = timedelta(days=1)
_WATCH_MARGIN = timedelta(days=2)


class SyncOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the sync that just ended went. ``failures`` counts those in a row, this one included.

    ``retry_after`` is what the provider asked for; ``will_pass`` says that the trouble may be over
    at any time; ``departures`` when the first of the calendar's waiting bots leave.
    """

    status: ConnectionStatus = "active"
    failures: int = 0
    retry_after: timedelta | None = None
    will_pass: bool = False
    departures: tuple[datetime, ...] = ()


def next_sync(
    outcome: SyncOutcome, *, now: datetime, interval: timedelta, phase: float
) -> datetime | None:
    """Return when the calendar is due again; None while only its person can mend it."""
    if outcome.status == "needs_reauth":
        return None
    if outcome.failures == 0:
        due = next_turn(now, interval, phase)
    else:
        wait = backoff(outcome.failures, interval=interval, phase=phase)
        due = now + (min(wait, interval) if outcome.will_pass else wait)
    due = min([due, *looks_ahead(outcome.departures, now, phase)])
    if outcome.retry_after is not None:  # what the provider asks for, no haste of ours undercuts
        due = max(due, now + obeyed(outcome.retry_after))
    return due


def look_at_once(departure: datetime, last_looked_at: datetime | None, now: datetime) -> bool:
    """Say whether a bot that was just planned leaves so soon that its calendar is stale."""
    first, _ = _LAST_LOOKS
    is_soon = now <= departure <= now + first
    return is_soon and (last_looked_at is None or last_looked_at < now - first)


def phase_of(user_id: str) -> float:
    """Return when in every interval a person's calendars have their turn, all of them together."""
    return zlib.crc32(user_id.encode()) / 2**32


def obeyed(wait: timedelta) -> timedelta:
    """Return how long a wait that a provider asks for is kept: a day at most."""
    return min(wait, _LONGEST_OBEYED)


def next_turn(now: datetime, interval: timedelta, phase: float) -> datetime:
    """Return the next turn after ``now``: turns are ``interval`` apart, shifted by ``phase``."""
    offset = interval * (phase % 1.0)
    since_last = (now - _EPOCH - offset) % interval
    return now - since_last + interval


def backoff(failures: int, *, interval: timedelta, phase: float) -> timedelta:
    """Return how long to wait after so many failures in a row: doubling, spread, an hour at most.

    The first wait is a quarter of the interval, so that a hiccup is mended before the next turn.
    """
    doublings = min(max(failures, 1) - 1, 20)
    wait = min(interval / 4 * (1 << doublings), max(_LONGEST_BACKOFF, interval))
    return wait * (0.75 + 0.5 * (phase % 1.0))


def last_look(departure: datetime, now: datetime, phase: float) -> datetime | None:
    """Return the next of the looks before a departure; None where all of them are over."""
    looks = (departure - ahead + _LOOK_SPREAD * (phase % 1.0) for ahead in _LAST_LOOKS)
    return next((look for look in looks if look > now), None)


def looks_ahead(departures: Sequence[datetime], now: datetime, phase: float) -> list[datetime]:
    """Return the next look before each departure that has one yet."""
    looks = (last_look(departure, now, phase) for departure in departures)
    return [look for look in looks if look is not None]


def new_window(now: datetime, *, past_days: float, future_days: float) -> Window:
    """Return the window to read in full: a day longer than asked, to last for a day."""
    start = now.replace(microsecond=0) - timedelta(days=past_days)
    end = now.replace(microsecond=0) + timedelta(days=future_days) + _WINDOW_SLACK
    return Window(start, end)


def must_roll(
    window: Window | None, now: datetime, *, past_days: float, future_days: float
) -> bool:
    """Say whether the window falls short of what is promised, so that a new one must be read."""
    if window is None:
        return True
    return window.end < now + timedelta(days=future_days) or window.start > now - timedelta(
        days=past_days
    )


def renew_watch_at(made_at: datetime, expires_at: datetime) -> datetime:
    """Return when to renew a watch: at two thirds of its life, or two days before a long one ends.

    The old watch still rings while its successor is made.
    """
    life = max(expires_at - made_at, timedelta(0))
    return expires_at - min(life / 3, _WATCH_MARGIN)
