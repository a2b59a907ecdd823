"""A database with two tenants in it, for the tests of storage rooms."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tenants.identity import TenantId
from tenants.storage import directory
from tenants.storage.directory import TenantRow
from tenants.storage.session import Database, open_engine
from tests.fixed_clock import NOON

ACME, OTHER = TenantId("ten_acme"), TenantId("ten_other")


class PlainCipher:
    """Binds bytes to their row, and hides nothing."""

    def seal(self, row_id: str, data: bytes) -> bytes:
        return row_id.encode() + b"\x00" + data

    def open(self, row_id: str, sealed: bytes) -> bytes:
        name, _, data = sealed.partition(b"\x00")
        assert name == row_id.encode()
        return data

    def name(self, kind: str, value: str) -> str:
        return f"{kind}:{value}"


class PlainCiphers:
    async def content(self, tenant_id: TenantId) -> PlainCipher:
        del tenant_id
        return PlainCipher()


@asynccontextmanager
async def two_tenants(url: str) -> AsyncIterator[Database]:
    engine = open_engine(url, pool_size=6)
    database = Database(engine, PlainCiphers())
    try:
        async with database.operator() as session:
            for tenant_id in (ACME, OTHER):
                row = TenantRow(
                    id=tenant_id,
                    name=tenant_id,
                    region="eu",
                    retention_days=None,
                    created_at=NOON,
                    updated_at=NOON,
                )
                await directory.create(session, row)
        yield database
    finally:
        await engine.dispose()
