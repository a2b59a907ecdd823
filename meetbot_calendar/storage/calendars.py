"""Calendars: what is listed, where each stands in its syncing, and who is at work on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, or_, select, update

from meetbot_calendar.calendars.model import (
    Calendar,
    CalendarId,
    ConnectionId,
    Provider,
    PushState,
    Window,
)
from meetbot_calendar.storage.names import CalendarContent, account_of
from meetbot_calendar.storage.tables import calendars, connections
from tenants.identity import CalendarUserId, TenantId
from tenants.storage.session import SweepSession, TenantSession


async def of_connection(
    session: TenantSession, connection_id: ConnectionId
) -> tuple[Calendar, ...]:
    """Return a connection's calendars."""
    statement = joined().where(calendars.c.connection_id == connection_id)
    return tuple(calendar_of(session, row) for row in await session.execute(statement))


async def of_user(session: TenantSession, user_id: CalendarUserId) -> tuple[Calendar, ...]:
    """Return a person's calendars over all of their connections."""
    statement = joined().where(calendars.c.user_id == user_id).order_by(calendars.c.id)
    return tuple(calendar_of(session, row) for row in await session.execute(statement))


async def standing(session: TenantSession, user_id: CalendarUserId) -> tuple[Calendar, ...]:
    """Return a person's calendars over the connections that were not removed."""
    mine = joined().where(calendars.c.user_id == user_id, connections.c.removed_at.is_(None))
    return tuple(
        calendar_of(session, row) for row in await session.execute(mine.order_by(calendars.c.id))
    )


async def get(session: TenantSession, calendar_id: CalendarId) -> Calendar | None:
    """Return one calendar."""
    statement = joined().where(calendars.c.id == calendar_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else calendar_of(session, row)


def readable() -> Select[Any]:
    """Select the connections whose calendars may be read."""
    return select(connections.c.id).where(
        connections.c.status != "needs_reauth", connections.c.removed_at.is_(None)
    )


async def rest_unreadable(session: TenantSession, calendar_id: CalendarId) -> None:
    """Let a calendar rest that became due although nobody may read it now."""
    shut = calendars.c.connection_id.not_in(readable())
    await session.execute(
        update(calendars)
        .where(calendars.c.id == calendar_id, or_(calendars.c.selected.is_(False), shut))
        .values(due_at=None, push_due_at=case((shut, None), else_=calendars.c.push_due_at))
    )


async def wait_for_another(
    session: TenantSession, calendar_id: CalendarId, now: datetime, until: datetime
) -> None:
    """Have a calendar that is free wait: another one of its mailbox is being read."""
    await session.execute(
        update(calendars)
        .where(
            calendars.c.id == calendar_id,
            calendars.c.due_at <= now,
            or_(calendars.c.lease_until.is_(None), calendars.c.lease_until <= now),
        )
        .values(due_at=until)
    )


async def ring(session: TenantSession, calendar_id: CalendarId, now: datetime) -> int | None:
    """Make a calendar due at once, before those whose turn it is; None where it is not synced.

    Returns the number of this ring: the round that begins after it will answer that number.
    """
    statement = (
        update(calendars)
        .where(calendars.c.id == calendar_id, calendars.c.selected)
        .values(
            ring=calendars.c.ring + 1,
            due_at=func.least(calendars.c.due_at, now),
            is_urgent=True,
        )
        .returning(calendars.c.ring)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def ring_connection(
    session: TenantSession, connection_id: ConnectionId, now: datetime, *, push_due_at: datetime
) -> tuple[CalendarId, ...]:
    """Make all selected calendars of a connection due at once, and say when to watch them."""
    statement = (
        update(calendars)
        .where(calendars.c.connection_id == connection_id, calendars.c.selected)
        .values(
            ring=calendars.c.ring + 1,
            due_at=now,
            is_urgent=True,
            push_due_at=push_due_at,
        )
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


async def forget_cursor(session: TenantSession, calendar_id: CalendarId) -> None:
    """Have a calendar listed whole, should it ever be read again."""
    await session.execute(
        update(calendars).where(calendars.c.id == calendar_id).values(cursor=None)
    )


async def forget_cursors(session: TenantSession, connection_id: ConnectionId) -> None:
    """Have a connection's calendars listed whole, should they ever be read again."""
    await session.execute(
        update(calendars).where(calendars.c.connection_id == connection_id).values(cursor=None)
    )


async def claim_push(
    session: TenantSession, calendar_id: CalendarId, now: datetime, until: datetime
) -> bool:
    """Take the turn to look after a calendar's watch; False where it is not due, or unreadable."""
    statement = (
        update(calendars)
        .where(
            calendars.c.id == calendar_id,
            calendars.c.push_due_at <= now,
            calendars.c.connection_id.in_(readable()),
            free_to_ask(now),
        )
        .values(push_due_at=until)
    )
    return (await session.execute(statement)).rowcount == 1


async def retire(
    session: TenantSession, calendar_id: CalendarId, now: datetime, *, out_of_sight: bool = False
) -> None:
    """Stop syncing a calendar; it is listed, not selected, and its watch is to be stopped.

    One that went ``out_of_sight`` is taken up again by itself when its account shows it again.
    """
    await session.execute(
        update(calendars)
        .where(calendars.c.id == calendar_id)
        .values(
            selected=False,
            out_of_sight=out_of_sight,
            due_at=None,
            push_due_at=now,
            push="lost",
            cursor=None,
            lease_id=None,
            lease_until=None,
        )
    )


def free_to_ask(now: datetime) -> ColumnElement[bool]:
    """Select what its provider has not asked us to leave alone for a while."""
    return or_(calendars.c.held_until.is_(None), calendars.c.held_until <= now)


async def hold(session: TenantSession, connection_id: ConnectionId, until: datetime) -> None:
    """Ask nothing of an account before an instant: its provider said so, and no haste undercuts."""
    await session.execute(
        update(calendars)
        .where(calendars.c.connection_id == connection_id)
        .values(held_until=func.greatest(calendars.c.held_until, until))
    )


async def held_until(session: TenantSession, connection_id: ConnectionId) -> datetime | None:
    """Say until when an account's provider asked to be left alone, if it ever did."""
    statement = select(func.max(calendars.c.held_until)).where(
        calendars.c.connection_id == connection_id
    )
    found: datetime | None = (await session.execute(statement)).scalar_one()
    return found


async def set_push(
    session: TenantSession, calendar: Calendar, push: PushState, due_at: datetime | None
) -> None:
    """Record how pushing stands, and when to look at it again; not of one re-chosen meanwhile."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == calendar.id, calendars.c.selected == calendar.selected)
        .values(push=push, push_due_at=due_at)
    )


async def watch_at(
    session: TenantSession, calendar_id: CalendarId, at: datetime, *, is_lost: bool
) -> None:
    """Have a calendar's watch looked after at an instant."""
    values = {"push_due_at": at} | ({"push": "lost"} if is_lost else {})
    await session.execute(update(calendars).where(calendars.c.id == calendar_id).values(values))


async def due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, CalendarId]]:
    """Say which calendars are due to be synced and in nobody's hands: the urgent ones first."""
    statement = (
        select(calendars.c.tenant_id, calendars.c.id)
        .where(
            calendars.c.due_at <= now,
            free_to_ask(now),
            or_(calendars.c.lease_until.is_(None), calendars.c.lease_until <= now),
        )
        .order_by(calendars.c.due_at)
        .limit(limit)
    )
    urgent = await session.execute(statement.where(calendars.c.is_urgent))
    found = [(TenantId(row.tenant_id), CalendarId(row.id)) for row in urgent]
    if len(found) < limit:
        others = await session.execute(statement.where(calendars.c.is_urgent.is_(False)))
        found += [(TenantId(row.tenant_id), CalendarId(row.id)) for row in others]
    return found


async def push_due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, CalendarId]]:
    """Say which calendars' watches are to be made, renewed or looked at."""
    statement = (
        select(calendars.c.tenant_id, calendars.c.id)
        .where(calendars.c.push_due_at <= now, free_to_ask(now))
        .order_by(calendars.c.push_due_at)
        .limit(limit)
    )
    return [(TenantId(r.tenant_id), CalendarId(r.id)) for r in await session.execute(statement)]


def joined() -> Select[Any]:
    """Select rows with what their connection says."""
    of_connection = (
        connections.c.provider,
        connections.c.about.label("account"),
        connections.c.listed_at,
    )
    return select(calendars, *of_connection).join(
        connections, connections.c.id == calendars.c.connection_id
    )


def calendar_of(session: TenantSession, row: Row[Any]) -> Calendar:
    """Turn a row (joined with its connection) into a calendar."""
    about = session.open(row.id, row.about, CalendarContent)
    window = None
    if row.window_start is not None:
        window = Window(row.window_start, row.window_end)
    return Calendar(
        id=row.id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        connection_id=row.connection_id,
        provider=Provider(row.provider),
        account_id=account_of(session, row).account_id,
        platform_id=about.platform_id,
        name=about.name,
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
        held_until=row.held_until,
    )
