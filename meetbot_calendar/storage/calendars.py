"""Calendars: what is listed, where each stands in its syncing, and who is at work on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Select, and_, case, func, or_, select, update
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


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar that is ours to sync until ``until``. ``ring`` is how often it had been rung.

    ``listed_at`` is when its account's calendars were last listed.
    """

    calendar: Calendar
    listed_at: datetime | None
    lease_id: str
    ring: int
    until: datetime


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a finished round leaves a calendar."""

    cursor: str | None
    window: Window
    complete_at: datetime
    due_at: datetime


class Setback(msgspec.Struct, frozen=True, kw_only=True):
    """Where a failed round leaves a calendar. ``due_at`` None: not before somebody acts."""

    code: str
    detail: str
    due_at: datetime | None
    keep_cursor: bool = True


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
    statement = _joined().where(
        calendars.c.connection_id == connection_id,
        calendars.c.platform_id.not_in([entry.platform_id for entry in listed]),
    )
    return tuple(calendar_of(row) for row in await session.execute(statement))


async def of_connection(
    session: TenantSession, connection_id: ConnectionId
) -> tuple[Calendar, ...]:
    """Return a connection's calendars."""
    statement = _joined().where(calendars.c.connection_id == connection_id)
    return tuple(calendar_of(row) for row in await session.execute(statement))


async def of_user(session: TenantSession, user_id: CalendarUserId) -> tuple[Calendar, ...]:
    """Return a person's calendars over all of their connections."""
    statement = _joined().where(calendars.c.user_id == user_id).order_by(calendars.c.id)
    return tuple(calendar_of(row) for row in await session.execute(statement))


async def get(session: TenantSession, calendar_id: CalendarId) -> Calendar | None:
    """Return one calendar."""
    statement = _joined().where(calendars.c.id == calendar_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else calendar_of(row)


async def claim(
    session: TenantSession, calendar_id: CalendarId, *, now: datetime, until: datetime
) -> Lease | None:
    """Take a selected calendar whose connection works; None where it is taken or not to be read."""
    lease_id = new_id("lea", now)
    statement = (
        update(calendars)
        .where(
            calendars.c.id == calendar_id,
            calendars.c.selected,
            calendars.c.connection_id.in_(_readable()),
            or_(calendars.c.lease_until.is_(None), calendars.c.lease_until <= now),
        )
        .values(lease_id=lease_id, lease_until=until, last_attempt_at=now)
        .returning(calendars.c.ring)
    )
    ring = (await session.execute(statement)).scalar_one_or_none()
    if ring is None:
        return None
    row = (await session.execute(_joined().where(calendars.c.id == calendar_id))).one()
    return Lease(
        calendar=calendar_of(row),
        listed_at=row.listed_at,
        lease_id=lease_id,
        ring=ring,
        until=until,
    )


def _readable() -> Select[Any]:
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
            or_(calendars.c.selected.is_(False), calendars.c.connection_id.not_in(_readable())),
        )
        .values(due_at=None, push_due_at=None)
    )


async def still_ours(session: TenantSession, lease: Lease) -> bool:
    """Say whether a lease still holds, and lock the row until the commit."""
    statement = (
        select(calendars.c.id)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .with_for_update()
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def finish(session: TenantSession, lease: Lease, progress: Progress, now: datetime) -> None:
    """Record a finished round. A ring that came meanwhile makes the calendar due at once."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(
            cursor=progress.cursor,
            window_start=progress.window.start,
            window_end=progress.window.end,
            last_complete_sync_at=progress.complete_at,
            due_at=case((calendars.c.ring != lease.ring, now), else_=progress.due_at),
            failures=0,
            error_code=None,
            error_detail=None,
            lease_id=None,
            lease_until=None,
            updated_at=now,
        )
    )


async def fail(session: TenantSession, lease: Lease, setback: Setback, now: datetime) -> None:
    """Record a failed round: why, and when to try again."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(
            cursor=calendars.c.cursor if setback.keep_cursor else None,
            failures=calendars.c.failures + 1,
            error_code=setback.code,
            error_detail=setback.detail,
            due_at=setback.due_at,
            lease_id=None,
            lease_until=None,
            updated_at=now,
        )
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
    session: TenantSession, connection_id: ConnectionId, now: datetime
) -> tuple[CalendarId, ...]:
    """Make all selected calendars of a connection due at once."""
    statement = (
        update(calendars)
        .where(calendars.c.connection_id == connection_id, calendars.c.selected)
        .values(ring=calendars.c.ring + 1, due_at=now, push_due_at=now)
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


def _joined() -> Select[Any]:
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
