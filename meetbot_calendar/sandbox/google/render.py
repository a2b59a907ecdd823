"""Prints one event as a given reader may see it (providers.md 2.4 to 2.7)."""

import hashlib
from typing import Any

import msgspec

from meetbot_calendar.sandbox.google import times
from meetbot_calendar.sandbox.google.access import Sight
from meetbot_calendar.sandbox.google.expand import Item

Body = dict[str, Any]

_SEES_PRIVATE = ("writer", "owner")
_TIMES = ("start", "end", "originalStartTime")
_SERIES = ("recurringEventId", "originalStartTime")
_SKELETON = ("status", "start", "end", "iCalUID", "recurrence", *_SERIES)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How a reader wants to see events: the response zone, and how many attendees at most."""

    sight: Sight
    zone: str = ""
    max_attendees: int = 0


def event_json(item: Item, view: View) -> Body:
    """Return the event resource, sparse when cancelled, bare when private or free/busy only."""
    if item.gone:
        return _cancelled(item, view)
    body = item.body
    if _hidden(body, view):
        body = {name: body[name] for name in _SKELETON if name in body} | {"visibility": "private"}
    elif 0 < view.max_attendees < len(body.get("attendees", [])):
        mine = [row for row in body["attendees"] if row.get("self")]
        body = body | {"attendees": mine, "attendeesOmitted": True}
    head = _head(item) | {"htmlLink": _html_link(item)}
    if "updated" not in body:
        head["updated"] = times.stamp(item.row.updated_at)
    return head | _zoned(body, view)


def etag(text: str) -> str:
    """Return a quoted etag."""
    return f'"{int(hashlib.sha256(text.encode()).hexdigest()[:13], 16)}"'


def envelope(view: View, items: list[Body]) -> Body:
    """Return what stands around the items of events.list."""
    calendar = view.sight.calendar
    full = view.sight.entry.role in _SEES_PRIVATE
    return {
        "kind": "calendar#events",
        "etag": etag(f"{calendar.id}{calendar.change}"),
        "summary": calendar.name,
        "description": "",
        "updated": times.stamp(calendar.updated_at),
        "timeZone": view.zone or calendar.zone,
        "accessRole": view.sight.entry.role,
        "defaultReminders": [{"method": "popup", "minutes": 10}] if full else [],
        "items": items,
    }


def _head(item: Item) -> Body:
    return {
        "kind": "calendar#event",
        "etag": etag(f"{item.row.id}{item.row.change}"),
        "id": item.id,
    }


def _html_link(item: Item) -> str:
    return f"https://www.google.com/calendar/event?eid={item.id}"


def _cancelled(item: Item, view: View) -> Body:
    """Only the id is guaranteed; an instance also says which slot of which series it was."""
    series = {name: item.body[name] for name in _SERIES if name in item.body}
    return _head(item) | {"status": "cancelled"} | _zoned(series, view)


def _hidden(body: Body, view: View) -> bool:
    role = view.sight.entry.role
    if role in _SEES_PRIVATE:
        return False
    return role == "freeBusyReader" or body.get("visibility") in ("private", "confidential")


def _zoned(body: Body, view: View) -> Body:
    zone = view.zone or view.sight.calendar.zone
    moved = {name: times.in_zone(body[name], zone) for name in _TIMES if name in body}
    return body | moved
