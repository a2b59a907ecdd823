"""Turns stored rows into what a listing shows: rows as stored, or series expanded."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import msgspec

from meetbot_calendar.sandbox.google import times
from meetbot_calendar.sandbox.google.rows import instance_id
from meetbot_calendar.sandbox.meetings import slot_key, slot_start
from meetbot_calendar.sandbox.recurrence import bounded, slots
from meetbot_calendar.sandbox.rows import body_at
from meetbot_calendar.sandbox.store import Calendar, Row

Body = dict[str, Any]
DELETED_AHEAD = timedelta(days=183)
"""A deleted series is told instance by instance for about six months only (providers.md 2.3)."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a listing. ``gone`` lines are cancelled; ``slot`` is "" for rows themselves."""

    id: str
    row: Row
    body: Body
    slot: str = ""
    gone: bool = False

    @property
    def of_series(self) -> bool:
        """Tell whether this is an instance or an exception."""
        return "recurringEventId" in self.body


def stored(calendar: Calendar, since: int = -1) -> Iterator[Item]:
    """Yield masters, exceptions and singles as they are stored (singleEvents=false)."""
    for row in calendar.rows.values():
        if row.change > since:
            yield Item(id=row.id, row=row, body=row.body, gone=is_gone(row))


def expanded(calendar: Calendar, now: datetime, until: datetime | None) -> Iterator[Item]:
    """Yield every single and every instance (singleEvents=true), deleted ones as gone.

    Instances are made up to a day past ``until``: the filters know the zone of an all-day one.
    """
    limit = until + timedelta(days=1) if until else None
    for row in list(calendar.rows.values()):
        if series := _series(calendar, row):
            yield from _instances(calendar, row, series.upto(limit, now), gone=row.removed)
        elif not _orphan(calendar, row):
            yield Item(id=row.id, row=row, body=row.body, gone=is_gone(row))


def changed(calendar: Calendar, now: datetime, since: int) -> Iterator[Item]:
    """Yield what changed, expanded: a touched series comes whole, far beyond any window."""
    for row in list(calendar.rows.values()):
        if row.change <= since:
            continue
        if row.past and (old := body_at(row, since)):
            yield from _ghosts(calendar, row, old, now)
        yield from _present(calendar, row, now)


def occurrences(
    calendar: Calendar, master: Row, now: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield where a series' instances lie by rule, in order, boundedly."""
    series = _series(calendar, master)
    if series:
        starts = (slot_start(slot) for slot in series.upto(None, now))
        yield from ((start, start + series.length) for start in starts)


def instances(calendar: Calendar, master: Row, now: datetime) -> Iterator[Item]:
    """Yield one series' instances with its exceptions in their places."""
    series = _series(calendar, master)
    if series:
        yield from _instances(calendar, master, series.upto(None, now), gone=master.removed)
    for row in exceptions(calendar, master.id).values():
        yield Item(id=row.id, row=row, body=row.body, gone=is_gone(row))


def instance(calendar: Calendar, item_id: str) -> Item | None:
    """Find an instance that has no row of its own by its id."""
    master_id, _, slot = item_id.rpartition("_")
    row = calendar.rows.get(master_id)
    series = _series(calendar, row) if row else None
    if row is None or series is None or not series.has(slot):
        return None
    return series.item(slot, gone=row.removed)


def exceptions(calendar: Calendar, master_id: str) -> dict[str, Row]:
    """Return a series' live exceptions and cancelled instances by slot."""
    found: dict[str, Row] = {}
    for row in calendar.rows.values():
        if row.body.get("recurringEventId") != master_id or row.removed:
            continue
        original = row.body.get("originalStartTime")
        when = times.read(original, calendar.zone)
        if original and when and when[1]:  # a date is a date, wherever the calendar is
            found[str(original["date"]).replace("-", "")] = row
        elif when:
            found[slot_key(when[0], all_day=False)] = row
    return found


def is_gone(row: Row) -> bool:
    """Tell whether a row is shown as cancelled."""
    return row.removed or row.body.get("status") == "cancelled"


class _Series:
    """A master's body, read as a recurrence."""

    def __init__(self, row: Row, body: Body, zone: str) -> None:
        start = times.read(body.get("start"), zone)
        if start is None:
            raise ValueError("a series without a start")
        self.row, self.body = row, body
        self.zone = str(body["start"].get("timeZone") or zone)
        self.all_day = start[1]
        first = datetime.fromisoformat(body["start"]["date"]) if self.all_day else start[0]
        self.first = slot_start(first.strftime("%Y%m%d")) if self.all_day else first
        end = times.instant(body.get("end"), zone) or start[0]
        self.length = end - start[0]
        self.slots()

    def slots(self) -> Iterator[datetime]:
        return slots(self.body["recurrence"], self.first, self.zone, all_day=self.all_day)

    def upto(self, until: datetime | None, now: datetime) -> list[str]:
        if until is None:
            found = bounded(self.slots(), now)
        else:
            found = list(takewhile(lambda when: when < until, self.slots()))
        return [slot_key(when, all_day=self.all_day) for when in found]

    def has(self, slot: str) -> bool:
        try:
            wanted = slot_start(slot)
        except ValueError:
            return False
        return wanted in takewhile(lambda when: when <= wanted, self.slots())

    def item(self, slot: str, *, gone: bool = False) -> Item:
        start = slot_start(slot)
        body = {name: value for name, value in self.body.items() if name != "recurrence"}
        body["start"] = self._times(start)
        body["end"] = self._times(start + self.length)
        body["recurringEventId"] = self.row.id
        body["originalStartTime"] = self._times(start)
        own_id = instance_id(self.row.id, slot)
        return Item(id=own_id, row=self.row, body=body, slot=slot, gone=gone)

    def _times(self, when: datetime) -> times.Times:
        return times.dated(when) if self.all_day else times.timed(when, self.zone)


def _series(calendar: Calendar, row: Row, body: Body | None = None) -> _Series | None:
    found = row.body if body is None else body
    if not found.get("recurrence"):
        return None
    try:
        return _Series(row, found, calendar.zone)
    except (
        KeyError,
        ValueError,
        TypeError,
        OSError,
    ):  # recorded rows hold anything
        return None


def _orphan(calendar: Calendar, row: Row) -> bool:
    master = calendar.rows.get(str(row.body.get("recurringEventId")))
    return master is not None and master.removed and not row.removed


def _instances(calendar: Calendar, row: Row, found: list[str], *, gone: bool) -> Iterator[Item]:
    series = _series(calendar, row)
    own = exceptions(calendar, row.id)
    for slot in found:
        if series and slot not in own:
            yield series.item(slot, gone=gone)


def _present(calendar: Calendar, row: Row, now: datetime) -> Iterator[Item]:
    series = _series(calendar, row)
    if series is None:
        yield _restored(calendar, row) or Item(id=row.id, row=row, body=row.body, gone=is_gone(row))
    elif not row.removed:
        yield from instances(calendar, row, now)


def _restored(calendar: Calendar, row: Row) -> Item | None:
    """Return the plain instance that comes back when an exception to it is taken away."""
    master_id = row.body.get("recurringEventId")
    if not row.removed or not isinstance(master_id, str):
        return None
    master = calendar.rows.get(master_id)
    found = instance(calendar, row.id)
    return found if master and not master.removed else None


def _ghosts(calendar: Calendar, row: Row, old: Body, now: datetime) -> Iterator[Item]:
    """Yield what a row no longer is since it looked like ``old``: instances, or a single event."""
    before = _series(calendar, row, old)
    if before is None:
        if row.removed and _series(calendar, row):  # it was single, a series, and gone since
            yield Item(id=row.id, row=row, body=old, gone=True)
        return
    after = None if row.removed else _series(calendar, row)
    until = now + DELETED_AHEAD if row.removed else None
    lost = before.upto(until, now)
    kept: set[str] = set()
    if after and lost:
        last = slot_start(lost[-1]) + timedelta(days=1)
        kept = set(after.upto(last, now))
    kept |= set(exceptions(calendar, row.id))
    for slot in lost:
        if slot not in kept:
            yield before.item(slot, gone=True)
