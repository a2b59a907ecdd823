"""Where the items of a calendar lie in time, and the occurrences that a series has in a window."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from meetbot_calendar.sandbox import uids
from meetbot_calendar.sandbox.microsoft import names, patterns, zones
from meetbot_calendar.sandbox.recurrence import slots
from meetbot_calendar.sandbox.store import Calendar, Row

_FAR = datetime(9998, 1, 1, tzinfo=UTC)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time; what overlaps it is in it (6.3)."""

    start: datetime
    end: datetime

    def holds(self, item: "Item") -> bool:
        """Tell whether an item is in it; what has no times at all is never left out."""
        if item.start is None or item.end is None:
            return True
        if item.end <= item.start:
            return self.start <= item.start < self.end
        return item.start < self.end and item.end > self.start


EVERYTHING = Window(start=datetime(1, 1, 2, tzinfo=UTC), end=_FAR)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that Graph can show; ``body`` is complete, ``row`` says which version it is."""

    id: str
    kind: str
    body: dict[str, Any]
    row: Row
    start: datetime | None
    end: datetime | None


def item_of(row: Row) -> Item:
    """Return a stored row as an item: single, exception, or master with its first times."""
    start, end = _span(row.body)
    kind = str(row.body.get("type") or "singleInstance")
    return Item(id=row.id, kind=kind, body=row.body, row=row, start=start, end=end)


def exceptions_of(calendar: Calendar, master_id: str) -> list[Item]:
    """Return a series' changed occurrences, wherever they lie now."""
    rows = (r for r in calendar.rows.values() if not r.removed)
    mine = (r for r in rows if r.body.get("seriesMasterId") == master_id)
    return [item_of(r) for r in mine]


def occurrences(calendar: Calendar, master: Row, window: Window) -> list[Item]:
    """Return what a series shows in a window: plain occurrences and exceptions, in order."""
    exceptions = exceptions_of(calendar, master.id)
    replaced = {e.id for e in exceptions}
    plain = (_occurrence(master, when) for when in _slots(master, window.end))
    kept = [o for o in plain if window.holds(o) and o.id not in replaced and not _lost(master, o)]
    kept += [e for e in exceptions if window.holds(e)]
    return sorted(kept, key=lambda item: (item.start or _FAR, item.id))


def occurrence_on(master: Row, day: date) -> Item | None:
    """Return the plain occurrence that a series has on a date, if it still has it."""
    day_end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=3)
    for when in _slots(master, day_end):
        found = _occurrence(master, when)
        if found.id == names.occurrence_id(master.id, day):
            return None if _lost(master, found) else found
    return None


def expanded(calendar: Calendar, window: Window) -> list[Item]:
    """Return a calendar view: singles, occurrences and exceptions; never a master."""
    found: list[Item] = []
    for row in calendar.rows.values():
        if row.removed or _belongs_to_known_master(calendar, row):
            continue
        item = item_of(row)
        if is_master(row):
            found += occurrences(calendar, row, window)
        elif window.holds(item):
            found.append(item)
    return sorted(found, key=lambda item: (item.start or _FAR, item.id))


def is_master(row: Row) -> bool:
    """Tell whether a row is a series that can be expanded."""
    return bool(row.body.get("recurrence")) and "start" in row.body


def _belongs_to_known_master(calendar: Calendar, row: Row) -> bool:
    master = calendar.rows.get(str(row.body.get("seriesMasterId") or ""))
    return master is not None and not master.removed


def _span(body: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    try:
        return _moment(body, "start"), _moment(body, "end")
    except (KeyError, TypeError, ValueError):
        return None, None


def _moment(body: dict[str, Any], side: str) -> datetime:
    if body.get("isAllDay"):
        day = zones.read_date(body[side])
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    return zones.read_wall(body[side])


def _zone_name(master: Row) -> str:
    span = master.body["recurrence"].get("range") or {}
    named = span.get("recurrenceTimeZone") or master.body.get("originalStartTimeZone") or "UTC"
    return zones.iana_name(str(named))


def _slots(master: Row, until: datetime) -> Iterator[datetime]:
    """Yield the series' slots; one whose pattern or times make no sense has none."""
    first, _ = _span(master.body)
    try:
        rule = patterns.to_rrule(master.body["recurrence"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return
    all_day = bool(master.body.get("isAllDay"))
    if first is None:
        return
    for when in slots([rule], first, _zone_name(master), all_day=all_day):
        if when >= until:
            return
        yield when


def _occurrence(master: Row, when: datetime) -> Item:
    start, end = _span(master.body)
    length = end - start if start and end else timedelta(0)
    all_day = bool(master.body.get("isAllDay"))
    day = when.date() if all_day else when.astimezone(zones.zone_of(_zone_name(master))).date()
    shown = names.occurrence_id(master.id, day)
    return Item(
        id=shown,
        kind="occurrence",
        body=_occurrence_body(master, when, when + length, day),
        row=master,
        start=when,
        end=when + length,
    )


def _occurrence_body(master: Row, start: datetime, end: datetime, day: date) -> dict[str, Any]:
    body = {k: v for k, v in master.body.items() if k != "cancelledOccurrences"}
    uid = str(body.get("iCalUId") or "")
    if body.get("isAllDay"):
        times = {"start": zones.write_date(start.date(), "UTC")}
        times["end"] = zones.write_date(end.date(), "UTC")
    else:
        times = {"start": zones.write_wall(start, "UTC"), "end": zones.write_wall(end, "UTC")}
    return {
        **body,
        **times,
        "type": "occurrence",
        "seriesMasterId": master.id,
        "originalStart": zones.write_seconds(start),
        "iCalUId": uids.for_instance(uid, day) if uids.is_global_object_id(uid) else uid,
        "recurrence": None,
    }


def _lost(master: Row, occurrence: Item) -> bool:
    found = names.read_occurrence_id(occurrence.id)
    gone = master.body.get("cancelledOccurrences") or []
    return found is not None and names.cancelled_oid(master.id, found[1]) in gone
