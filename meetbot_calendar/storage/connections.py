"""Connections: whose account it is, its sealed grant, and its health."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Row, Select, and_, exists, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from meetbot_calendar.calendars.model import Account, Connection, ConnectionId, Provider
from meetbot_calendar.storage.names import AccountContent, account_named
from meetbot_calendar.storage.tables import bot_events, calendars, connections, events
from tenants.identity import CalendarUserId, TenantId, new_id
from tenants.storage.session import SweepSession, TenantSession

_UNREAD_AFTER = 3  # rounds of each calendar


class NewConnection(msgspec.Struct, frozen=True, kw_only=True):
    """A consent that worked, as it is written."""

    id: ConnectionId
    user_id: CalendarUserId
    provider: Provider
    account: Account
    scopes: tuple[str, ...]
    client_id: str
    sealed_grant: bytes


async def find_account(
    session: TenantSession, user_id: CalendarUserId, provider: Provider, account_id: str
) -> ConnectionId | None:
    """Find the connection of one account, removed ones included: it keeps its id for good."""
    statement = select(connections.c.id).where(
        connections.c.user_id == user_id,
        connections.c.provider == provider.value,
        connections.c.account_id == account_named(session, account_id),
    )
    found = (await session.execute(statement)).scalar_one_or_none()
    return None if found is None else ConnectionId(found)


async def of_account(
    session: TenantSession, user_id: CalendarUserId, provider: Provider, account_id: str
) -> Connection | None:
    """Return the connection of one account; None where there is none, or it was removed."""
    known = await find_account(session, user_id, provider, account_id)
    return None if known is None else await get(session, known)


async def save(session: TenantSession, new: NewConnection, now: datetime) -> ConnectionId:
    """Write a fresh connection, or bring an old one of the same account back to life.

    What its calendars were when they were last listed is forgotten: the caller saves them anew.
    """
    about = AccountContent(account_id=new.account.email, name=new.account.name)
    values = {
        "account_key": new.account.key,
        "about": session.seal(new.id, about),
        "status": "active",
        "scopes": list(new.scopes),
        "client_id": new.client_id,
        "grant_sealed": new.sealed_grant,
        "listing_digest": None,
        "refresh_lease_until": None,
        "error_code": None,
        "error_detail": None,
        "needs_reauth_at": None,
        "removed_at": None,
        "due_at": None,
        "updated_at": now,
    }
    statement = (
        upsert(connections)
        .values(
            id=new.id,
            tenant_id=session.tenant_id,
            user_id=new.user_id,
            provider=new.provider.value,
            account_id=account_named(session, new.account.email),
            created_at=now,
            **values,
        )
        .on_conflict_do_update(
            index_elements=["tenant_id", "user_id", "provider", "account_id"],
            set_=values | {"grant_version": connections.c.grant_version + 1},
        )
        .returning(connections.c.id)
    )
    return ConnectionId((await session.execute(statement)).scalar_one())


async def get(session: TenantSession, connection_id: ConnectionId) -> Connection | None:
    """Return one connection; None where there is none, or it was removed."""
    row = (await session.execute(present().where(connections.c.id == connection_id))).one_or_none()
    return None if row is None else connection_of(session, row)


async def of_user(session: TenantSession, user_id: CalendarUserId) -> tuple[Connection, ...]:
    """Return a person's connections, oldest first."""
    statement = present().where(connections.c.user_id == user_id).order_by(connections.c.id)
    return tuple(connection_of(session, row) for row in await session.execute(statement))


async def mark(
    session: TenantSession,
    connection_id: ConnectionId,
    status: Literal["active", "needs_reauth", "error"],
    now: datetime,
    *,
    code: str | None = None,
    detail: str | None = None,
) -> bool:
    """Set a connection's health; False where it was so already."""
    statement = (
        update(connections)
        .where(connections.c.id == connection_id, connections.c.status != status)
        .values(
            status=status,
            error_code=code,
            error_detail=detail,
            needs_reauth_at=now if status == "needs_reauth" else None,
            updated_at=now,
        )
    )
    return (await session.execute(statement)).rowcount == 1


async def mark_unread(
    session: TenantSession, connection_id: ConnectionId, now: datetime, code: str, detail: str
) -> None:
    """Say of an active connection that it is in ``error``: no calendar of it can be read.

    One that could not be read three times in a row counts; the first that is read makes it active.
    """
    read = exists().where(
        calendars.c.connection_id == connection_id,
        calendars.c.selected,
        calendars.c.failures < _UNREAD_AFTER,
    )
    await session.execute(
        update(connections)
        .where(connections.c.id == connection_id, connections.c.status == "active", ~read)
        .values(
            status="error",
            error_code=code,
            error_detail=detail,
            updated_at=now,
        )
    )


async def remember_listing(
    session: TenantSession, connection_id: ConnectionId, digest: str, now: datetime
) -> None:
    """Remember when an account's calendars were listed, and what the list was like."""
    await session.execute(
        update(connections)
        .where(connections.c.id == connection_id)
        .values(listed_at=now, listing_digest=digest)
    )


async def remove(session: TenantSession, connection_id: ConnectionId, now: datetime) -> bool:
    """Hide a connection at once, its farewell to the provider being due; False: it was hidden."""
    statement = (
        update(connections)
        .where(connections.c.id == connection_id, connections.c.removed_at.is_(None))
        .values(removed_at=now, due_at=now, updated_at=now)
    )
    return (await session.execute(statement)).rowcount == 1


async def postpone(session: TenantSession, connection_id: ConnectionId, until: datetime) -> None:
    """Set when a removed connection's farewell is tried again."""
    await session.execute(
        update(connections).where(connections.c.id == connection_id).values(due_at=until)
    )


async def forget(session: TenantSession, connection_id: ConnectionId) -> bool:
    """Erase a removed connection's grant; False where it was brought back and keeps its own."""
    is_removed = and_(connections.c.id == connection_id, connections.c.removed_at.is_not(None))
    told = select(connections.c.about).where(is_removed).with_for_update()
    sealed = (await session.execute(told)).scalar_one_or_none()
    if sealed is None:
        return False
    about = session.open(connection_id, sealed, AccountContent)
    bare = session.seal(connection_id, msgspec.structs.replace(about, name=None))
    await session.execute(
        update(connections).where(is_removed).values(grant_sealed=b"", due_at=None, about=bare)
    )
    return True


async def lapsed(session: TenantSession, bot_ids: Sequence[str], before: datetime) -> set[str]:
    """Return the bots all of whose people have had to reconnect since before an instant."""
    statement = (
        select(bot_events.c.bot_id, connections.c.needs_reauth_at)
        .join(events, events.c.id == bot_events.c.event_id)
        .join(connections, connections.c.id == events.c.connection_id)
        .where(bot_events.c.bot_id.in_(bot_ids))
    )
    rows = (await session.execute(statement)).all()
    well = {
        row.bot_id for row in rows if row.needs_reauth_at is None or row.needs_reauth_at > before
    }
    return {row.bot_id for row in rows} - well


async def due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, ConnectionId]]:
    """Say which removed connections wait for their farewell."""
    statement = (
        select(connections.c.tenant_id, connections.c.id)
        .where(connections.c.due_at <= now)
        .order_by(connections.c.due_at)
        .limit(limit)
    )
    return [(TenantId(r.tenant_id), ConnectionId(r.id)) for r in await session.execute(statement)]


def new_connection_id(now: datetime) -> ConnectionId:
    """Make the id that a connection will be sealed under."""
    return ConnectionId(new_id("con", now))


def present() -> Select[Any]:
    """Select connections that were not removed."""
    return select(connections).where(connections.c.removed_at.is_(None))


def connection_of(session: TenantSession, row: Row[Any]) -> Connection:
    """Turn a row into a connection; its grant stays behind."""
    about = session.open(row.id, row.about, AccountContent)
    return Connection(
        id=row.id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        provider=Provider(row.provider),
        account_id=about.account_id,
        account_key=row.account_key,
        name=about.name,
        status=row.status,
        scopes=tuple(row.scopes),
        client_id=row.client_id,
        error_code=row.error_code,
        error_detail=row.error_detail,
        last_sync_at=row.last_sync_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
