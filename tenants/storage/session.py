"""The only door to the database: sessions that cannot exist without their scope.

Every session is one transaction that first takes a role and a scope. The login itself may do
nothing; each role sees what its row-level policies and column grants let it see:

* ``TenantSession``: one tenant's rows, with the cipher that opens them.
* ``SweepSession``: ids and due times of every tenant, read-only.
* ``GateSession``: the one row whose hash or id the caller already holds.
* ``HolderSession``: the bots that the caller holds, whosever they are; marks them as leaving.
* ``OperatorSession``: tenants themselves, and the first key of each.
* ``PurgeSession``: one tenant's audit log before an instant, to be deleted.
"""

import select
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import CursorResult, Executable, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tenants.identity import TenantId

T = TypeVar("T")

_SCOPE = text("select set_config('role', :role, true), set_config('app.scope', :scope, true)")


class DatabaseDown(Exception):
    """PostgreSQL cannot be reached, or went away in the middle; nothing was committed."""


class Cipher(Protocol):
    """Seals and opens one tenant's content."""

    def seal(self, row_id: str, data: bytes) -> bytes:
        """Seal bytes to this tenant and to the row."""
        ...

    def open(self, row_id: str, sealed: bytes) -> bytes:
        """Open what was sealed to this tenant and to the row."""
        ...

    def name(self, kind: str, value: str) -> str:
        """Name a value, so that it is found again and not told."""
        ...


class Ciphers(Protocol):
    """Where a tenant's cipher comes from."""

    async def content(self, tenant_id: TenantId) -> Cipher:
        """Return the tenant's cipher for content, its data keys unwrapped."""
        ...


class NoCipher:
    """Stands where a cipher would: the session can neither seal nor open."""

    def seal(self, row_id: str, data: bytes) -> bytes:
        """Refuse."""
        raise RuntimeError(f"a bare session seals nothing: {row_id}, {len(data)} bytes")

    def open(self, row_id: str, sealed: bytes) -> bytes:
        """Refuse."""
        raise RuntimeError(f"a bare session opens nothing: {row_id}, {len(sealed)} bytes")

    def name(self, kind: str, value: str) -> str:
        """Refuse."""
        raise RuntimeError(f"a bare session names nothing: {kind}, {len(value)} letters")


class Session:
    """One transaction in one scope."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Run one statement."""
        return await self._connection.execute(statement, parameters)


class TenantSession(Session):
    """One tenant's transaction: row-level security shows it that tenant's rows alone."""

    def __init__(self, connection: AsyncConnection, tenant_id: TenantId, cipher: Cipher) -> None:
        super().__init__(connection)
        self.tenant_id = tenant_id
        self._cipher = cipher

    def seal(self, row_id: str, value: object) -> bytes:
        """Turn a value into sealed bytes that open for this tenant and row alone."""
        return self._cipher.seal(row_id, msgspec.msgpack.encode(value))

    def open(self, row_id: str, sealed: bytes, kind: type[T]) -> T:
        """Open what ``seal`` made."""
        return msgspec.msgpack.decode(self._cipher.open(row_id, sealed), type=kind)

    def name(self, kind: str, value: str) -> str:
        """Name a value of a kind: alike within this tenant, and telling nothing to others."""
        return self._cipher.name(kind, value)


class SweepSession(Session):
    """Sees ids and due times of every tenant, and changes nothing."""


class GateSession(Session):
    """Sees the one row that the caller can already name by a secret's hash or an opaque id."""


class HolderSession(Session):
    """Sees states and times of the rows whose leases the caller can name, and may change those."""


class OperatorSession(Session):
    """Makes and removes tenants."""


class PurgeSession(Session):
    """Deletes entries of one tenant's audit log that lie before an instant, and nothing else."""


Prepare = Callable[[TenantSession], Awaitable[None]]


class Database:
    """Opens sessions on one pool of connections.

    ``prepare`` is done once for each tenant before its first session here, in one of its own.
    """

    def __init__(
        self, engine: AsyncEngine, ciphers: Ciphers, prepare: Prepare | None = None
    ) -> None:
        self._engine = engine
        self._ciphers = ciphers
        self._prepare = prepare
        self._prepared: set[TenantId] = set()

    @asynccontextmanager
    async def tenant(self, tenant_id: TenantId) -> AsyncIterator[TenantSession]:
        """Open a transaction inside one tenant's wall; commits at the end."""
        cipher = await self._ciphers.content(tenant_id)
        if self._prepare is not None and tenant_id not in self._prepared:
            async with scoped(self._engine, "meetbot_tenant", tenant_id) as connection:
                await self._prepare(TenantSession(connection, tenant_id, cipher))
            self._prepared.add(tenant_id)
        async with scoped(self._engine, "meetbot_tenant", tenant_id) as connection:
            yield TenantSession(connection, tenant_id, cipher)

    @asynccontextmanager
    async def bare(self, tenant_id: TenantId) -> AsyncIterator[TenantSession]:
        """Open the same without a cipher, for what must be written while no key can be had."""
        async with scoped(self._engine, "meetbot_tenant", tenant_id) as connection:
            yield TenantSession(connection, tenant_id, NoCipher())

    @asynccontextmanager
    async def sweep(self) -> AsyncIterator[SweepSession]:
        """Open a look at what is due."""
        async with scoped(self._engine, "meetbot_sweep", "") as connection:
            yield SweepSession(connection)

    @asynccontextmanager
    async def gate(self, name: bytes | str) -> AsyncIterator[GateSession]:
        """Open a look at the one row with this hash (bytes) or id (text)."""
        scope = name.hex() if isinstance(name, bytes) else name
        async with scoped(self._engine, "meetbot_gate", scope) as connection:
            yield GateSession(connection)

    @asynccontextmanager
    async def holder(self, lease_ids: Collection[str]) -> AsyncIterator[HolderSession]:
        """Open a transaction on the bots that are held under these leases, of every tenant."""
        scope = " ".join(sorted(lease_ids))
        async with scoped(self._engine, "meetbot_holder", scope) as connection:
            yield HolderSession(connection)

    @asynccontextmanager
    async def purge(self, tenant_id: TenantId, before: datetime) -> AsyncIterator[PurgeSession]:
        """Open the one door through which the audit log may be shortened."""
        scope = f"{tenant_id} {before.isoformat()}"
        async with scoped(self._engine, "meetbot_purge", scope) as connection:
            yield PurgeSession(connection)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[OperatorSession]:
        """Open the operator's transaction."""
        async with scoped(self._engine, "meetbot_operator", "") as connection:
            yield OperatorSession(connection)


@asynccontextmanager
async def scoped(engine: AsyncEngine, role: str, scope: str) -> AsyncIterator[AsyncConnection]:
    """Open a transaction under a role and scope. Raises ``DatabaseDown``.

    The role is set by ``set_config`` with the transaction's life, so that it cannot outlive it on
    a pooled connection.
    """
    try:
        async with engine.begin() as connection:
            await connection.execute(_SCOPE, {"role": role, "scope": scope})
            yield connection
    except (OperationalError, InterfaceError) as error:
        raise DatabaseDown(_without_statement(error)) from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseDown(_without_statement(error)) from None
        raise


def _without_statement(error: DBAPIError) -> str:
    """Say what the driver said; the statement's parameters stay out of logs."""
    return str(error.orig).strip().splitlines()[0] if error.orig else "connection lost"


def open_engine(url: str, *, pool_size: int) -> AsyncEngine:
    """Open a pool. ``url`` is ``postgresql://…``; parameters never reach an error text."""
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "application_name": "meetbot-calendar"},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_hung_up)
    return engine


def _refuse_hung_up(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Have the pool replace a connection that the server has ended while it lay idle.

    Of an idle connection nothing is to be read but the server's farewell: to look for it costs
    microseconds, where a ping is a round trip in every transaction.
    """
    driver = connection.driver_connection
    heard = select.poll()
    heard.register(driver.fileno(), select.POLLIN)
    if driver.closed or heard.poll(0):
        raise DisconnectionError("the server hung up")
