"""Which events are to be decided."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, update

from meetbot_calendar.calendars.model import (
    ConnectionId,
)
from meetbot_calendar.storage.events import EventRow, event_row, joined
from meetbot_calendar.storage.tables import events
from tenants.identity import CalendarUserId, TenantId
from tenants.storage.session import SweepSession, TenantSession


async def mark_connection(
    session: TenantSession, connection_id: ConnectionId, now: datetime
) -> None:
    """Mark a connection's coming events to be decided."""
    await _mark(session, events.c.connection_id == connection_id, now)


async def mark_user(session: TenantSession, user_id: CalendarUserId, now: datetime) -> None:
    """Mark a person's coming events to be decided."""
    await _mark(session, events.c.user_id == user_id, now)


async def mark_tenant(session: TenantSession, now: datetime) -> None:
    """Mark all coming events of the tenant to be decided."""
    await _mark(session, events.c.tenant_id == session.tenant_id, now)


async def _mark(session: TenantSession, whose: ColumnElement[bool], now: datetime) -> None:
    coming = and_(events.c.end_at > now, events.c.is_deleted.is_(False))
    await session.execute(update(events).where(whose, coming).values(decide_due_at=now))


async def undecided(
    session: TenantSession, user_id: CalendarUserId, limit: int
) -> tuple[EventRow, ...]:
    """Return a person's events that are to be decided, soonest first; locks them.

    Others may still refer to them meanwhile: link a bot, or remember what a person said.
    """
    statement = (
        joined()
        .where(events.c.user_id == user_id, events.c.decide_due_at.is_not(None))
        .order_by(events.c.start_at, events.c.id)
        .limit(limit)
        .with_for_update(of=events, skip_locked=True, key_share=True)
    )
    return tuple(event_row(session, row) for row in await session.execute(statement))


async def awaits_decision(session: TenantSession, connection_id: ConnectionId) -> bool:
    """Say whether something of a connection is still to be decided."""
    statement = select(events.c.id).where(
        events.c.connection_id == connection_id, events.c.decide_due_at.is_not(None)
    )
    return (await session.execute(statement.limit(1))).scalar_one_or_none() is not None


async def due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, CalendarUserId]]:
    """Say whose events are to be decided."""
    statement = (
        select(events.c.tenant_id, events.c.user_id)
        .where(events.c.decide_due_at <= now)
        .distinct()
        .limit(limit)
    )
    found = await session.execute(statement)
    return [(TenantId(row.tenant_id), CalendarUserId(row.user_id)) for row in found]
