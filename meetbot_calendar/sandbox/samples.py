"""Puts recorded Google events into a calendar, as they are, or brought to the present."""

import re
import secrets
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from meetbot_calendar.sandbox.store import Calendar, Row
from meetbot_calendar.sandbox.world import World

Payload = dict[str, Any]

_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}")
_COMPACT_DATE = re.compile(r"\d{8}")
_WEEK = 7


def insert_raw(world: World, calendar: Calendar, payload: Payload) -> Row:
    """Store a provider's own JSON as a row; a missing id is made up, anything else may be missing.

    A row of the same id is replaced. Google's ``status: cancelled`` without times is a tombstone,
    unless it belongs to a series.
    """
    row_id = str(payload.get("id") or secrets.token_hex(13))
    body = {name: value for name, value in payload.items() if name != "id"}
    row = world.rows.put(calendar, row_id, body) or calendar.rows[row_id]
    if body.get("status") == "cancelled" and "recurringEventId" not in body:
        world.rows.remove(calendar, row_id)
    return row


def load_samples(
    world: World, folder: Path, calendar: Calendar, *, to_present: bool = False
) -> list[Row]:
    """Insert every ``*.json`` of a folder whose field ``event`` is an event; see ``brought``."""
    files = (msgspec.json.decode(path.read_bytes()) for path in sorted(folder.glob("*.json")))
    events = [file["event"] for file in files if isinstance(file.get("event"), dict)]
    if to_present:
        events = brought(events, world.clock.now().date())
    return [insert_raw(world, calendar, event) for event in events]


def brought(events: Iterable[Payload], today: date) -> list[Payload]:
    """Shift events by whole weeks so that each begins within the week from ``today``.

    A series and its exceptions move together; times of day and weekdays stay.
    """
    given = list(events)
    weeks = {id_: _weeks_to(event, today) for event in given if (id_ := event.get("id"))}
    return [
        _shift(event, weeks.get(event.get("recurringEventId"), _weeks_to(event, today)))
        for event in given
    ]


def _weeks_to(event: Payload, today: date) -> timedelta:
    begins = _day_of(event.get("start"))
    if begins is None:
        return timedelta(0)
    behind = (today - begins).days
    return timedelta(weeks=-(-behind // _WEEK))


def _day_of(times: object) -> date | None:
    if not isinstance(times, dict):
        return None
    found = _DATE.match(str(times.get("dateTime") or times.get("date") or ""))
    return date.fromisoformat(found[0]) if found else None


def _shift(event: Payload, by: timedelta) -> Payload:
    moved = dict(event)
    for name in ("start", "end", "originalStartTime"):
        if isinstance(times := event.get(name), dict):
            moved[name] = {k: _shift_text(v, by) for k, v in times.items()}
    if isinstance(lines := event.get("recurrence"), list):
        moved["recurrence"] = [_COMPACT_DATE.sub(lambda m: _compact(m[0], by), s) for s in lines]
    return moved


def _shift_text(value: Any, by: timedelta) -> Any:  # noqa: ANN401 - whatever stood there
    if not isinstance(value, str) or not (found := _DATE.match(value)):
        return value
    return (date.fromisoformat(found[0]) + by).isoformat() + value[found.end() :]


def _compact(text: str, by: timedelta) -> str:
    day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return (day + by).strftime("%Y%m%d")
