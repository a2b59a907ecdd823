"""Whether an event fits the filters of a listing: time, type, text, uid, properties."""

from datetime import datetime
from itertools import takewhile
from typing import Any

from meetbot_calendar.sandbox.google import times
from meetbot_calendar.sandbox.google.expand import Item, occurrences
from meetbot_calendar.sandbox.google.query import EventQuery
from meetbot_calendar.sandbox.google.render import View

Body = dict[str, Any]
_TEXT = ("summary", "description", "location")


def matches(item: Item, view: View, query: EventQuery, now: datetime) -> bool:
    """Apply every filter of the query."""
    body = item.body
    return (
        _in_time(item, view, query, now)
        and (not query.event_types or body.get("eventType", "default") in query.event_types)
        and query.ical_uid in ("", body.get("iCalUID"))
        and (query.updated_min is None or item.row.updated_at >= query.updated_min)
        and _has_text(body, query.text)
        and _has_properties(body, query)
    )


def span(body: Body, zone: str) -> tuple[datetime, datetime] | None:
    """Return start and end as instants; None when the event tells no start."""
    start = times.instant(body.get("start"), zone)
    if start is None:
        start = times.instant(body.get("originalStartTime"), zone)
    if start is None:
        return None
    return start, times.instant(body.get("end"), zone) or start


def overlaps(
    when: tuple[datetime, datetime], since: datetime | None, until: datetime | None
) -> bool:
    """Apply timeMin to the end and timeMax to the start, both exclusive."""
    return (since is None or when[1] > since) and (until is None or when[0] < until)


def _in_time(item: Item, view: View, query: EventQuery, now: datetime) -> bool:
    """Keep what has no time: nothing says that it lies outside. A master counts by instances."""
    if query.time_min is None and query.time_max is None:
        return True
    when = span(item.body, view.sight.calendar.zone)
    if when is None or overlaps(when, query.time_min, query.time_max):
        return True
    if "recurrence" not in item.body:
        return False
    until = query.time_max
    found = occurrences(view.sight.calendar, item.row, now)
    begun = takewhile(lambda each: until is None or each[0] < until, found)
    return any(overlaps(each, query.time_min, until) for each in begun)


def _has_text(body: Body, text: str) -> bool:
    if not text:
        return True
    people = [body.get("organizer", {}), *body.get("attendees", [])]
    named = [str(p.get(n, "")) for p in people for n in ("displayName", "email")]
    return text in " ".join([*(str(body.get(name, "")) for name in _TEXT), *named]).lower()


def _has_properties(body: Body, query: EventQuery) -> bool:
    kept = body.get("extendedProperties", {})
    wanted = [("private", p) for p in query.private_properties]
    wanted += [("shared", p) for p in query.shared_properties]
    for where, pair in wanted:
        name, _, value = pair.partition("=")
        if kept.get(where, {}).get(name) != value:
            return False
    return True
