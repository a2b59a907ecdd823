"""A connection's grant as it lies there, sealed, and who refreshes it."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, func, literal, select, update

from meetbot_calendar.calendars.model import Connection, ConnectionId
from meetbot_calendar.storage.connections import connection_of, present
from meetbot_calendar.storage.tables import connections
from tenants.storage import data_keys
from tenants.storage.session import GateSession, TenantSession

_BYTE = 256
_HEADER = 5  # bytes of a sealed grant before its nonce


class GrantRow(msgspec.Struct, frozen=True, kw_only=True):
    """A connection's grant as it lies there: still sealed."""

    connection: Connection
    sealed: bytes
    version: int
    refreshing_until: datetime | None

    def __repr__(self) -> str:
        return f"GrantRow({self.connection.id}, version {self.version})"


async def read_grant(session: TenantSession, connection_id: ConnectionId) -> GrantRow | None:
    """Return a connection with its sealed grant, and lock the row until the commit."""
    statement = present().where(connections.c.id == connection_id).with_for_update()
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else _grant_of(session, row)


def _grant_of(session: TenantSession, row: Row[Any]) -> GrantRow:
    return GrantRow(
        connection=connection_of(session, row),
        sealed=row.grant_sealed,
        version=row.grant_version,
        refreshing_until=row.refresh_lease_until,
    )


async def peek_grant(session: TenantSession, connection_id: ConnectionId) -> GrantRow | None:
    """Return a connection with its sealed grant, and leave the row to others."""
    row = (await session.execute(present().where(connections.c.id == connection_id))).one_or_none()
    return None if row is None else _grant_of(session, row)


async def lease_refresh(
    session: TenantSession, connection_id: ConnectionId, until: datetime
) -> None:
    """Say that somebody is refreshing this grant."""
    await session.execute(
        update(connections)
        .where(connections.c.id == connection_id)
        .values(refresh_lease_until=until)
    )


async def replace_grant(
    session: TenantSession, row: GrantRow, sealed: bytes, now: datetime
) -> bool:
    """Store a refreshed grant, unless somebody stored a newer one meanwhile."""
    statement = (
        update(connections)
        .where(connections.c.id == row.connection.id, connections.c.grant_version == row.version)
        .values(
            grant_sealed=sealed,
            grant_version=row.version + 1,
            refresh_lease_until=None,
            updated_at=now,
        )
    )
    return (await session.execute(statement)).rowcount == 1


async def forget_unused_keys(session: TenantSession, before: datetime) -> None:
    """Delete the passing data keys made before an instant that seal no grant any more.

    A sealed grant names its data key in four bytes after the first (``tenants.secrets.envelope``).
    """
    number: ColumnElement[int] = literal(0)
    for place in range(1, _HEADER):
        number = number * _BYTE + func.get_byte(connections.c.grant_sealed, place)
    used = select(number).where(func.length(connections.c.grant_sealed) >= _HEADER)
    await data_keys.forget_unused(session, "grant", used, before)


async def end_refresh(session: TenantSession, connection_id: ConnectionId) -> None:
    """Give up the refresher's lease without a new grant."""
    await session.execute(
        update(connections)
        .where(connections.c.id == connection_id)
        .values(refresh_lease_until=None)
    )


async def shares_grant(session: GateSession, removed_id: ConnectionId) -> bool:
    """Say whether another connection, of whatever tenant, lives on the same grant.

    The gate was opened with ``grant_name`` of the removed one: Google gives one grant per account
    and client, and revoking it for one revokes it for all (providers.md 1.5).
    """
    statement = select(connections.c.id).where(
        connections.c.id != removed_id, connections.c.removed_at.is_(None)
    )
    return (await session.execute(statement.limit(1))).scalar_one_or_none() is not None


def grant_name(connection: Connection) -> str:
    """Name the provider's grant that a connection lives on."""
    return f"{connection.account_key} {connection.client_id}"


async def removed(session: TenantSession, connection_id: ConnectionId) -> GrantRow | None:
    """Return a removed connection that still waits for its farewell."""
    statement = select(connections).where(
        connections.c.id == connection_id, connections.c.removed_at.is_not(None)
    )
    row = (await session.execute(statement.with_for_update())).one_or_none()
    return None if row is None else _grant_of(session, row)
