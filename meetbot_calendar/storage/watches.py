"""Watches: our push subscriptions, found by the hash of their address, never by a readable id."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update

from meetbot_calendar.calendars.model import CalendarId, ConnectionId, WatchId, WatchReceipt
from meetbot_calendar.storage.tables import calendars, watches
from tenants.identity import TenantId
from tenants.storage.session import GateSession, TenantSession


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """One watch; ``receipt`` is None until the provider has answered."""

    id: WatchId
    calendar_id: CalendarId
    secret_hash: bytes
    receipt: WatchReceipt | None
    created_at: datetime


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """Which watch an address belongs to."""

    tenant_id: TenantId
    watch_id: WatchId
    calendar_id: CalendarId


async def find(session: GateSession) -> Rung | None:
    """Say which watch the gate was opened for, by the hash of its address's token."""
    return next(iter(await named(session)), None)


async def named(session: GateSession) -> tuple[Rung, ...]:
    """Say which watches the gate was opened for, by the hash of the provider's name for them."""
    statement = select(watches.c.tenant_id, watches.c.id, watches.c.calendar_id)
    return tuple(
        Rung(tenant_id=row.tenant_id, watch_id=row.id, calendar_id=row.calendar_id)
        for row in await session.execute(statement.order_by(watches.c.id))
    )


async def begin(
    session: TenantSession,
    watch: Watch,
    *,
    token_hash: bytes,
    expires_at: datetime,
) -> None:
    """Write a watch before the provider is asked: a notice may come before its answer."""
    await session.execute(
        insert(watches).values(
            id=watch.id,
            tenant_id=session.tenant_id,
            calendar_id=watch.calendar_id,
            token_hash=token_hash,
            secret_hash=watch.secret_hash,
            state="pending",
            expires_at=expires_at,
            created_at=watch.created_at,
        )
    )


async def establish(
    session: TenantSession, watch_id: WatchId, receipt: WatchReceipt, platform_hash: bytes
) -> None:
    """Record what the provider answered; others that share its watch find it by the hash."""
    await session.execute(
        update(watches)
        .where(watches.c.id == watch_id)
        .values(
            state="active",
            platform_watch_id=receipt.platform_watch_id,
            platform_hash=platform_hash,
            resource_id=receipt.resource_id,
            expires_at=receipt.expires_at,
        )
    )


async def drop(session: TenantSession, watch_id: WatchId) -> None:
    """Forget a watch."""
    await session.execute(delete(watches).where(watches.c.id == watch_id))


async def drop_all(session: TenantSession, connection_id: ConnectionId) -> None:
    """Forget every watch of a connection's calendars."""
    theirs = select(calendars.c.id).where(calendars.c.connection_id == connection_id)
    await session.execute(delete(watches).where(watches.c.calendar_id.in_(theirs)))


async def get(session: TenantSession, watch_id: WatchId) -> Watch | None:
    """Return one watch."""
    row = (await session.execute(select(watches).where(watches.c.id == watch_id))).one_or_none()
    return None if row is None else _watch_of(row)


async def of_calendar(session: TenantSession, calendar_id: CalendarId) -> tuple[Watch, ...]:
    """Return a calendar's watches, newest first."""
    statement = (
        select(watches).where(watches.c.calendar_id == calendar_id).order_by(watches.c.id.desc())
    )
    return tuple(_watch_of(row) for row in await session.execute(statement))


def _watch_of(row: Row[Any]) -> Watch:
    receipt = None
    if row.platform_watch_id is not None:
        receipt = WatchReceipt(
            platform_watch_id=row.platform_watch_id,
            resource_id=row.resource_id,
            expires_at=row.expires_at,
        )
    return Watch(
        id=row.id,
        calendar_id=row.calendar_id,
        secret_hash=row.secret_hash,
        receipt=receipt,
        created_at=row.created_at,
    )
