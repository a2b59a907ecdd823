"""Calendars: what is listed, where each stands in its syncing, and who is at work on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from meetbot_calendar.calendars.model import (
    Calendar,
    CalendarId,
    Connection,
    ConnectionId,
    ListedCalendar,
    Provider,
    PushState,
    Window,
)
from meetbot_calendar.storage.tables import bot_events, bots, calendars, connections, events
from tenants.identity import CalendarUserId, TenantId, new_id
from tenants.storage.session import SweepSession, TenantSession


async def save_listed(
    session: TenantSession,
    connection: Connection,
    listed: Sequence[ListedCalendar],
    now: datetime,
) -> tuple[CalendarId, ...]:
    """Write the calendars that an account shows; returns those not known before.

    Free/busy calendars and generated ones hold no meetings one could join: they are listed, and
    not selected.
    """
    fresh: list[CalendarId] = []
    for entry in listed:
        wanted = entry.access_role != "free_busy_reader"
        statement = upsert(calendars).values(
            id=new_id("cal", now),
            tenant_id=session.tenant_id,
            user_id=connection.user_id,
            connection_id=connection.id,
            platform_id=entry.platform_id,
            selected=wanted,
            due_at=now if wanted else None,
            push_due_at=now if wanted else None,
            created_at=now,
            **_listed_values(entry, now),
        )
        statement = statement.on_conflict_do_update(
            index_elements=["connection_id", "platform_id"], set_=_listed_values(entry, now)
        )
        returning = statement.returning(calendars.c.id, calendars.c.created_at)
        row = (await session.execute(returning)).one()
        if row.created_at == now:
            fresh.append(CalendarId(row.id))
    return tuple(fresh)


def _listed_values(entry: ListedCalendar, now: datetime) -> dict[str, Any]:
    return {
        "name": entry.name,
        "is_primary": entry.is_primary,
        "is_shared": entry.is_shared,
        "access_role": entry.access_role,
        "timezone": entry.timezone,
        "background_color": entry.background_color,
        "updated_at": now,
    }


async def unlisted(
    session: TenantSession, connection_id: ConnectionId, listed: Sequence[ListedCalendar]
) -> tuple[Calendar, ...]:
    """Return calendars that we hold and the account shows no longer."""
    statement = joined().where(
        calendars.c.connection_id == connection_id,
        calendars.c.platform_id.not_in([entry.platform_id for entry in listed]),
    )
    return tuple(calendar_of(row) for row in await session.execute(statement))


async def of_connection(
    session: TenantSession, connection_id: ConnectionId
) -> tuple[Calendar, ...]:
    """Return a connection's calendars."""
    statement = joined().where(calendars.c.connection_id == connection_id)
    return tuple(calendar_of(row) for row in await session.execute(statement))


async def of_user(session: TenantSession, user_id: CalendarUserId) -> tuple[Calendar, ...]:
    """Return a person's calendars over all of their connections."""
    statement = joined().where(calendars.c.user_id == user_id).order_by(calendars.c.id)
    return tuple(calendar_of(row) for row in await session.execute(statement))


async def get(session: TenantSession, calendar_id: CalendarId) -> Calendar | None:
    """Return one calendar."""
    statement = joined().where(calendars.c.id == calendar_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else calendar_of(row)


def readable() -> Select[Any]:
    """Select the connections whose calendars may be read."""
    return select(connections.c.id).where(
        connections.c.status != "needs_reauth", connections.c.removed_at.is_(None)
    )


async def rest_unreadable(session: TenantSession, calendar_id: CalendarId) -> None:
    """Let a calendar rest that became due although nobody may read it now."""
    await session.execute(
        update(calendars)
        .where(
            calendars.c.id == calendar_id,
            or_(calendars.c.selected.is_(False), calendars.c.connection_id.not_in(readable())),
        )
        .values(due_at=None, push_due_at=None)
    )


async def ring(session: TenantSession, calendar_id: CalendarId, now: datetime) -> bool:
    """Make a calendar due at once; False where it is not synced at all."""
    statement = (
        update(calendars)
        .where(calendars.c.id == calendar_id, calendars.c.selected)
        .values(ring=calendars.c.ring + 1, due_at=func.least(calendars.c.due_at, now))
    )
    return (await session.execute(statement)).rowcount == 1


async def ring_connection(
    session: TenantSession, connection_id: ConnectionId, now: datetime, *, push_due_at: datetime
) -> tuple[CalendarId, ...]:
    """Make all selected calendars of a connection due at once, and say when to watch them."""
    statement = (
        update(calendars)
        .where(calendars.c.connection_id == connection_id, calendars.c.selected)
        .values(ring=calendars.c.ring + 1, due_at=now, push_due_at=push_due_at)
        .returning(calendars.c.id)
    )
    return tuple(CalendarId(row.id) for row in await session.execute(statement))


async def rest(
    session: TenantSession,
    connection_id: ConnectionId,
    code: str | None = None,
    detail: str | None = None,
) -> None:
    """Stop polling a connection's calendars until it is connected again, and say why.

    Whoever is reading one of them right now has lost it.
    """
    await session.execute(
        update(calendars)
        .where(calendars.c.connection_id == connection_id)
        .values(
            due_at=None,
            push_due_at=None,
            push="lost",
            lease_id=None,
            lease_until=None,
            error_code=code,
            error_detail=detail,
        )
    )


async def forget_cursors(session: TenantSession, connection_id: ConnectionId) -> None:
    """Have a connection's calendars listed whole, should they ever be read again."""
    await session.execute(
        update(calendars).where(calendars.c.connection_id == connection_id).values(cursor=None)
    )


async def claim_push(
    session: TenantSession, calendar_id: CalendarId, now: datetime, until: datetime
) -> bool:
    """Take the turn to look after a calendar's watch; False where it is not due or not synced."""
    statement = (
        update(calendars)
        .where(calendars.c.id == calendar_id, calendars.c.push_due_at <= now, calendars.c.selected)
        .values(push_due_at=until)
    )
    return (await session.execute(statement)).rowcount == 1


async def retire(session: TenantSession, calendar_id: CalendarId) -> None:
    """Stop syncing a calendar that its account shows no longer; it is listed, not selected."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == calendar_id)
        .values(selected=False, due_at=None, push_due_at=None, push="lost", cursor=None)
    )


async def set_push(
    session: TenantSession,
    calendar_id: CalendarId,
    push: PushState,
    due_at: datetime | None,
) -> None:
    """Record how pushing stands, and when to look at it again."""
    await session.execute(
        update(calendars).where(calendars.c.id == calendar_id).values(push=push, push_due_at=due_at)
    )


async def due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, CalendarId]]:
    """Say which calendars are due to be synced and in nobody's hands."""
    statement = (
        select(calendars.c.tenant_id, calendars.c.id)
        .where(
            calendars.c.due_at <= now,
            or_(calendars.c.lease_until.is_(None), calendars.c.lease_until <= now),
        )
        .order_by(calendars.c.due_at)
        .limit(limit)
    )
    return [(TenantId(r.tenant_id), CalendarId(r.id)) for r in await session.execute(statement)]


async def push_due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, CalendarId]]:
    """Say which calendars' watches are to be made, renewed or looked at."""
    statement = (
        select(calendars.c.tenant_id, calendars.c.id)
        .where(calendars.c.push_due_at <= now)
        .order_by(calendars.c.push_due_at)
        .limit(limit)
    )
    return [(TenantId(r.tenant_id), CalendarId(r.id)) for r in await session.execute(statement)]


async def next_departure(session: TenantSession, calendar_id: CalendarId) -> datetime | None:
    """Say when the next bot leaves for a meeting of this calendar."""
    statement = (
        select(func.min(bots.c.join_at))
        .select_from(bots)
        .join(bot_events, bot_events.c.bot_id == bots.c.id)
        .join(events, events.c.id == bot_events.c.event_id)
        .where(and_(events.c.calendar_id == calendar_id, bots.c.status == "scheduled"))
    )
    found: datetime | None = (await session.execute(statement)).scalar_one_or_none()
    return found


def joined() -> Select[Any]:
    """Select rows with what their connection says."""
    of_connection = (
        connections.c.provider,
        connections.c.account_id,
        connections.c.listed_at,
    )
    return select(calendars, *of_connection).join(
        connections, connections.c.id == calendars.c.connection_id
    )


def calendar_of(row: Row[Any]) -> Calendar:
    """Turn a row (joined with its connection) into a calendar."""
    window = None
    if row.window_start is not None:
        window = Window(row.window_start, row.window_end)
    return Calendar(
        id=row.id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        connection_id=row.connection_id,
        provider=Provider(row.provider),
        account_id=row.account_id,
        platform_id=row.platform_id,
        name=row.name,
        is_primary=row.is_primary,
        is_shared=row.is_shared,
        access_role=row.access_role,
        timezone=row.timezone,
        background_color=row.background_color,
        selected=row.selected,
        cursor=row.cursor,
        window=window,
        last_complete_sync_at=row.last_complete_sync_at,
        failures=row.failures,
        error_code=row.error_code,
        error_detail=row.error_detail,
        push=row.push,
    )
