"""Stored events against fetched ones gives a list of changes.

A round is told in pages, and what a later page says of an event wins. Inside one page a removal
gives way to an event, and both to what is said of the whole series.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from meetbot_calendar.calendars.meeting_links import find_link
from meetbot_calendar.calendars.model import (
    ChangePage,
    EventContent,
    FetchedEvent,
    LinkField,
    MeetingLink,
    Platform,
    Span,
    StoredEvent,
    Window,
)

# All-day events are dates; where their day ends depends on a zone up to 14 hours from UTC.
_DATE_SLACK = timedelta(hours=14)

Known = FetchedEvent | StoredEvent


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row to write. ``event`` is None for what was deleted.

    The event's content names its meeting link, whose platform stands beside it.
    """

    kind: Literal["created", "updated", "deleted", "restored"]
    platform_id: str
    before: StoredEvent | None = None
    event: FetchedEvent | None = None
    platform: Platform | None = None


def diff(
    stored: Mapping[str, StoredEvent],
    pages: Iterable[ChangePage],
    *,
    window: Window,
    full: bool,
) -> tuple[Change, ...]:
    """Say what one complete round of pages changes in the rows of one calendar.

    ``stored`` is keyed by ``platform_id`` and holds deleted rows too. After a ``full`` listing what
    was not shown is gone, but for rows that the window has left behind. What begins beyond the
    window is not kept; what ended before it is followed where it is stored, and not taken up.
    """
    shown = _fold(stored, pages, window)
    if full:
        for platform_id, row in stored.items():
            if platform_id not in shown and not _may_be_past(row.span, window):
                shown[platform_id] = None
    changes = (
        _change(platform_id, stored.get(platform_id), event, window)
        for platform_id, event in shown.items()
    )
    return tuple(change for change in changes if change is not None)


def _fold(
    stored: Mapping[str, StoredEvent], pages: Iterable[ChangePage], window: Window
) -> dict[str, FetchedEvent | None]:
    """Say how each event that the round speaks of stands at its end: None is gone."""
    shown: dict[str, FetchedEvent | None] = {}
    known: dict[str, Known] = dict(stored)
    occurrences: defaultdict[str | None, set[str]] = defaultdict(set)
    for row in stored.values():
        occurrences[row.series_id].add(row.platform_id)
    for page in pages:
        for gone in page.removed:
            shown |= dict.fromkeys((gone.platform_id, *sorted(occurrences[gone.platform_id])))
        shown |= dict.fromkeys(_became_series(page, stored))
        for event in page.events:
            shown[event.platform_id] = known[event.platform_id] = event
            occurrences[event.series_id].add(event.platform_id)
        for truth in page.series:
            unnamed = sorted(occurrences[truth.series_id] - truth.platform_ids)
            # A series is read inside the window alone: what lies before it is not denied.
            shown |= {i: None for i in unnamed if not _may_be_past(known[i].span, window)}
    return shown


def _became_series(page: ChangePage, stored: Mapping[str, StoredEvent]) -> list[str]:
    """Name what was a single event and is the master of a series now: it is no meeting itself."""
    masters = {event.series_id for event in page.events}
    masters |= {gone.series_id for gone in page.removed}
    masters |= {truth.series_id for truth in page.series}
    masters -= {event.platform_id for event in page.events if event.series_id is None}
    return sorted(each for each in masters if each and _was_single(stored.get(each)))


def _was_single(row: StoredEvent | None) -> bool:
    return row is not None and row.series_id is None


def _change(
    platform_id: str, before: StoredEvent | None, event: FetchedEvent | None, window: Window
) -> Change | None:
    is_live = before is not None and not before.is_deleted
    if event is None or _is_beyond(event.span, window):
        return Change(kind="deleted", platform_id=platform_id, before=before) if is_live else None
    if not is_live and _is_past(event.span, window):
        return None
    event, platform = with_link(event)
    if before is not None and is_live and _same(before, event, platform):
        return None
    return Change(
        kind="created" if before is None else "updated" if is_live else "restored",
        platform_id=platform_id,
        before=before,
        event=event,
        platform=platform,
    )


def _is_beyond(span: Span | None, window: Window) -> bool:
    return span is not None and span.start >= window.end


def _is_past(span: Span | None, window: Window) -> bool:
    """Say whether it surely ended before the window."""
    return span is not None and span.end + _slack(span) <= window.start


def _may_be_past(span: Span | None, window: Window) -> bool:
    """Say whether the provider may have left it out because it ended before the window."""
    return span is not None and span.end <= window.start + _slack(span)


def _slack(span: Span) -> timedelta:
    return _DATE_SLACK if span.is_all_day else timedelta(0)


def with_link(event: FetchedEvent) -> tuple[FetchedEvent, Platform | None]:
    """Put the meeting link, found among the event's fields, into its content.

    A link that the content already names is the one to read.
    """
    named = event.content.meeting_url
    found = find_link((LinkField("url", named),) if named else event.link_fields)
    links = tuple(
        MeetingLink(url=each.url, platform=each.platform, place=each.place)
        for each in (found.candidates if found else ())
    )
    content = msgspec.structs.replace(
        event.content,
        meeting_url=found.url if found else None,
        meeting_links=event.content.meeting_links if named else links,
    )
    return msgspec.structs.replace(event, content=content), found.platform if found else None


def fingerprint(event: FetchedEvent) -> str:
    """Return what is equal for two readings of an event that say the same (SHA-256, hex).

    The etag and the provider's raw document are left out: they change where nothing that we keep
    does. So are the order of the guests and the difference between empty and absent texts.
    """
    return hashlib.sha256(_meaning(*with_link(event))).hexdigest()


def _same(before: StoredEvent, event: FetchedEvent, platform: Platform | None) -> bool:
    return _meaning(before, before.platform) == _meaning(event, platform)


def _meaning(event: Known, platform: Platform | None) -> bytes:
    span = event.span
    parts = (
        event.series_id,
        _utc(event.original_start),
        event.ical_uid or None,
        event.status,
        span and (_utc(span.start), _utc(span.end), span.zone, span.is_all_day),
        platform,
        _plain(event.content),
    )
    return msgspec.json.encode(parts, order="deterministic")


def _plain(content: EventContent) -> EventContent:
    return msgspec.structs.replace(
        content,
        title=content.title or None,
        description=content.description or None,
        location=content.location or None,
        attendees=tuple(sorted(content.attendees, key=repr)),
        meeting_links=(),  # what else is linked stands in the texts, or is joined by nobody
        raw={},
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC)
