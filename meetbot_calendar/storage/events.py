"""Events as our rows hold them: written with a change number, marked to be decided, read back."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, false, insert, or_, select, update

from meetbot_calendar.calendars.model import (
    CalendarId,
    Connection,
    ConnectionId,
    EventContent,
    EventId,
    FetchedEvent,
    Platform,
    Provider,
    Span,
    StoredEvent,
    Window,
)
from meetbot_calendar.storage.names import account_of, meetings_named
from meetbot_calendar.storage.tables import calendars, connections, events
from tenants.identity import CalendarUserId, new_id
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """An event with what only the rows know: its (hashed) meeting keys and its change number.

    ``withdrawn`` says that its connection was removed.
    """

    event: StoredEvent
    keys: tuple[str, ...]
    withdrawn: bool
    change_seq: int
    decided_version: int | None


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """One event to write: what was fetched, and what was found in it."""

    fetched: FetchedEvent
    platform: Platform | None
    keys: tuple[str, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calendar rows are written to."""

    user_id: CalendarUserId
    connection_id: ConnectionId
    calendar_id: CalendarId


async def stored(
    session: TenantSession,
    calendar_id: CalendarId,
    platform_ids: Collection[str],
    series_ids: Collection[str],
    window: Window | None,
) -> dict[str, StoredEvent]:
    """Return the rows a round may touch, by the provider's id.

    Those named, those of the named series, and with a window (a full listing) all that overlap it.
    """
    touched = [
        events.c.platform_id.in_(list(platform_ids)),
        events.c.series_id.in_(list(series_ids)),
        _overlaps(window),
    ]
    statement = joined().where(events.c.calendar_id == calendar_id, or_(*touched))
    return {row.platform_id: event_of(session, row) for row in await session.execute(statement)}


def _overlaps(window: Window | None) -> ColumnElement[bool]:
    if window is None:
        return false()
    inside = and_(events.c.start_at < window.end, events.c.end_at > window.start)
    return and_(events.c.is_deleted.is_(False), or_(inside, events.c.start_at.is_(None)))


async def next_seq(session: TenantSession, user_id: CalendarUserId) -> int:
    """Take the next change number of a person's events; serialises writers until the commit."""
    statement = (
        update(calendar_users)
        .where(calendar_users.c.id == user_id)
        .values(event_seq=calendar_users.c.event_seq + 1)
        .returning(calendar_users.c.event_seq)
    )
    return int((await session.execute(statement)).scalar_one())


async def add(
    session: TenantSession, place: Place, writings: Sequence[Writing], seq: int, now: datetime
) -> tuple[EventId, ...]:
    """Write new events, marked to be decided."""
    rows = []
    for writing in writings:
        event_id = EventId(new_id("evt", now))
        rows.append(
            {
                "id": event_id,
                "tenant_id": session.tenant_id,
                "user_id": place.user_id,
                "connection_id": place.connection_id,
                "calendar_id": place.calendar_id,
                "platform_id": writing.fetched.platform_id,
                "created_at": now,
                **_values(session, event_id, writing, seq, now),
            }
        )
    if rows:
        await session.execute(insert(events), rows)
    return tuple(EventId(str(row["id"])) for row in rows)


async def ids_of(
    session: TenantSession, calendar_id: CalendarId, platform_ids: Collection[str]
) -> dict[str, EventId]:
    """Return our ids of a calendar's events by the provider's."""
    statement = select(events.c.platform_id, events.c.id).where(
        events.c.calendar_id == calendar_id, events.c.platform_id.in_(list(platform_ids))
    )
    return {row.platform_id: EventId(row.id) for row in await session.execute(statement)}


async def rewrite(
    session: TenantSession, event_id: EventId, writing: Writing, seq: int, now: datetime
) -> None:
    """Write a changed event over its row, marked to be decided."""
    values = _values(session, event_id, writing, seq, now)
    await session.execute(update(events).where(events.c.id == event_id).values(**values))


def _values(
    session: TenantSession, event_id: EventId, writing: Writing, seq: int, now: datetime
) -> dict[str, Any]:
    fetched, span = writing.fetched, writing.fetched.span
    return {
        "series_id": fetched.series_id,
        "original_start": fetched.original_start,
        "ical_uid": fetched.ical_uid,
        "etag": fetched.etag,
        "status": fetched.status,
        "start_at": span.start if span else None,
        "end_at": span.end if span else None,
        "zone": span.zone if span else None,
        "is_all_day": span.is_all_day if span else False,
        "platform": writing.platform,
        "meeting_keys": list(meetings_named(session, writing.keys)),
        "content": session.seal(event_id, fetched.content),
        "is_deleted": False,
        "change_seq": seq,
        "decide_due_at": now,
        "updated_at": now,
    }


async def remove(
    session: TenantSession, event_ids: Sequence[EventId], seq: int, now: datetime
) -> None:
    """Mark events as deleted, to be decided once more so that their bots go."""
    await session.execute(
        update(events)
        .where(events.c.id.in_(event_ids))
        .values(
            is_deleted=True,
            status="cancelled",
            change_seq=seq,
            decide_due_at=now,
            updated_at=now,
        )
    )


async def withdraw_connection(session: TenantSession, connection: Connection, now: datetime) -> int:
    """Mark a connection's events as deleted; returns how many there were."""
    statement = select(events.c.id).where(
        events.c.connection_id == connection.id, events.c.is_deleted.is_(False)
    )
    found = [EventId(row.id) for row in await session.execute(statement)]
    if found:
        seq = await next_seq(session, connection.user_id)
        await remove(session, found, seq, now)
    return len(found)


async def standing_in(session: TenantSession, calendar_id: CalendarId) -> list[EventId]:
    """Name all events of a calendar that stand."""
    statement = select(events.c.id).where(
        events.c.calendar_id == calendar_id, events.c.is_deleted.is_(False)
    )
    return [EventId(row.id) for row in await session.execute(statement)]


async def named(
    session: TenantSession, event_ids: Collection[EventId], keys: Collection[str]
) -> dict[EventId, tuple[str, ...]]:
    """Return the meeting keys of the named events and of all that share one, deleted ones too."""
    statement = select(events.c.id, events.c.meeting_keys).where(
        or_(events.c.id.in_(list(event_ids)), events.c.meeting_keys.overlap(list(keys)))
    )
    return {EventId(row.id): tuple(row.meeting_keys) for row in await session.execute(statement)}


async def of_meetings(
    session: TenantSession, event_ids: Collection[EventId]
) -> tuple[EventRow, ...]:
    """Return events, deleted ones too."""
    statement = joined().where(events.c.id.in_(list(event_ids)))
    return tuple(event_row(session, row) for row in await session.execute(statement))


async def between(
    session: TenantSession, user_id: CalendarUserId, window: Window, limit: int
) -> tuple[EventRow, ...]:
    """Return a person's standing events that overlap a stretch of time, in order."""
    statement = (
        joined()
        .where(
            events.c.user_id == user_id,
            events.c.is_deleted.is_(False),
            events.c.start_at < window.end,
            events.c.end_at > window.start,
        )
        .order_by(events.c.start_at, events.c.id)
        .limit(limit)
    )
    return tuple(event_row(session, row) for row in await session.execute(statement))


async def get(session: TenantSession, event_id: EventId) -> EventRow | None:
    """Return one event."""
    row = (await session.execute(joined().where(events.c.id == event_id))).one_or_none()
    return None if row is None else event_row(session, row)


async def blank(session: TenantSession, connection_id: ConnectionId) -> None:
    """Forget what the deleted events of a connection said; that they are gone can still be read."""
    statement = select(events.c.id).where(
        events.c.connection_id == connection_id, events.c.is_deleted
    )
    for row in (await session.execute(statement)).all():
        await session.execute(
            update(events)
            .where(events.c.id == row.id)
            .values(content=session.seal(row.id, EventContent()), ical_uid=None)
        )


def joined() -> Select[Any]:
    """Select rows with what their connection says."""
    return (
        select(
            events,
            connections.c.provider,
            connections.c.about.label("account"),
            connections.c.removed_at,
        )
        .join(calendars, calendars.c.id == events.c.calendar_id)
        .join(connections, connections.c.id == events.c.connection_id)
    )


def event_row(session: TenantSession, row: Row[Any]) -> EventRow:
    """Turn a row (joined with its connection) into an event with its keys."""
    return EventRow(
        event=event_of(session, row),
        keys=tuple(row.meeting_keys),
        withdrawn=row.removed_at is not None,
        change_seq=row.change_seq,
        decided_version=row.decided_version,
    )


def event_of(session: TenantSession, row: Row[Any]) -> StoredEvent:
    """Turn a row (joined with its connection) into an event."""
    span = None
    if row.start_at is not None:
        span = Span(start=row.start_at, end=row.end_at, zone=row.zone, is_all_day=row.is_all_day)
    return StoredEvent(
        id=row.id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        connection_id=row.connection_id,
        calendar_id=row.calendar_id,
        provider=Provider(row.provider),
        account_id=account_of(session, row).account_id,
        platform_id=row.platform_id,
        series_id=row.series_id,
        original_start=row.original_start,
        ical_uid=row.ical_uid,
        etag=row.etag,
        status=row.status,
        span=span,
        platform=row.platform,
        content=session.open(row.id, row.content, EventContent),
        is_deleted=row.is_deleted,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
