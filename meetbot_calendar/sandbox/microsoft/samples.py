"""Puts Graph's own JSON into an Outlook calendar: as recorded, or brought to the present."""

import re
import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from meetbot_calendar.sandbox import uids
from meetbot_calendar.sandbox.store import Calendar, Row
from meetbot_calendar.sandbox.world import World

Payload = dict[str, Any]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_STAMPS = ("start", "end")
_WEEK = 7
_NO_INSTANCE = 0


def put_event(world: World, calendar: Calendar, event: Payload) -> Row:
    """Store an event as it is; whatever is missing stays missing, except ``id`` and ``type``.

    ``@removed`` becomes a tombstone. A row of the same id is replaced.
    """
    row_id = str(event.get("id") or "AAMkA" + secrets.token_urlsafe(30) + "AAA=")
    body = {name: value for name, value in event.items() if name != "id"}
    body.setdefault("type", _type_of(body))
    row = world.rows.put(calendar, row_id, body) or calendar.rows[row_id]
    if "@removed" in event:
        world.rows.remove(calendar, row_id)
    return row


def load_events(
    world: World, folder: Path, calendar: Calendar, *, to_present: bool = False
) -> list[Row]:
    """Store the field ``event`` of every ``*.json`` in a folder; see ``brought``.

    An id that several files use stays with the first; the others get one like it.
    """
    files = (msgspec.json.decode(path.read_bytes()) for path in sorted(folder.glob("*.json")))
    events = [file["event"] for file in files if isinstance(file.get("event"), dict)]
    events = _told_apart(events)
    if to_present:
        events = brought(events, world.clock.now().date())
    return [put_event(world, calendar, event) for event in events]


def brought(events: Iterable[Payload], today: date) -> list[Payload]:
    """Shift events by whole weeks so that each begins within the week from ``today``.

    What belongs to one series moves together; times of day and weekdays stay.
    """
    given = list(events)
    first: dict[str, date] = {}
    for event in given:
        begins = _begins(event)
        if begins:
            first[_group(event)] = min(begins, first.get(_group(event), begins))
    return [_shifted(event, _weeks_to(first.get(_group(event)), today)) for event in given]


def _told_apart(events: Iterable[Payload]) -> list[Payload]:
    seen: Counter[str] = Counter()
    found = []
    for event in events:
        item_id = str(event.get("id") or "")
        seen[item_id] += 1
        again = item_id and seen[item_id] > 1
        found.append(event | {"id": f"{item_id.rstrip('=')}{seen[item_id]}="} if again else event)
    return found


def _type_of(body: Payload) -> str:
    if body.get("recurrence"):
        return "seriesMaster"
    return "occurrence" if body.get("seriesMasterId") else "singleInstance"


def _group(event: Payload) -> str:
    return str(event.get("seriesMasterId") or event.get("id") or "")


def _begins(event: Payload) -> date | None:
    stamp = event.get("start")
    found = _DATE.match(str(stamp.get("dateTime"))) if isinstance(stamp, dict) else None
    return date.fromisoformat(found[0]) if found else None


def _weeks_to(begins: date | None, today: date) -> timedelta:
    if begins is None:
        return timedelta(0)
    return timedelta(weeks=-(-(today - begins).days // _WEEK))


def _shifted(event: Payload, by: timedelta) -> Payload:
    moved = dict(event)
    for side in _STAMPS:
        if isinstance(stamp := event.get(side), dict):
            moved[side] = stamp | {"dateTime": _later(stamp.get("dateTime"), by)}
    if isinstance(event.get("originalStart"), str):
        moved["originalStart"] = _later(event["originalStart"], by)
    if isinstance(rule := event.get("recurrence"), dict):
        moved["recurrence"] = rule | {"range": _range(rule.get("range") or {}, by)}
    if gone := event.get("cancelledOccurrences"):
        moved["cancelledOccurrences"] = [_later(oid, by) for oid in gone]
    if uid := event.get("iCalUId"):
        moved["iCalUId"] = _uid(str(uid), by)
    return moved


def _range(span: Payload, by: timedelta) -> Payload:
    return {k: _later(v, by) if k in ("startDate", "endDate") else v for k, v in span.items()}


def _later(value: Any, by: timedelta) -> Any:  # noqa: ANN401 - whatever stood there
    found = _DATE.search(value) if isinstance(value, str) else None
    if found is None or found[0] == "0001-01-01":
        return value
    day = date.fromisoformat(found[0]) + by
    return value[: found.start()] + day.isoformat() + value[found.end() :]


def _uid(uid: str, by: timedelta) -> str:
    """Move the instance date inside a GlobalObjectId; masters and singles have none."""
    if not uids.is_global_object_id(uid) or int(uid[32:40], 16) == _NO_INSTANCE:
        return uid
    day = date(int(uid[32:36], 16), int(uid[36:38], 16), int(uid[38:40], 16))
    return uids.for_instance(uid, day + by)
