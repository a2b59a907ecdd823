"""Wrapped data keys, where the keyring finds them."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine

from tenants.identity import TenantId
from tenants.secrets.keyring import KeyPurpose, StoredKey
from tenants.storage.session import scoped
from tenants.storage.tables import data_keys


class DataKeys:
    """The keyring's store. Each call is a transaction of its own: no session can hold a cipher yet.

    A tenant's session needs a cipher before it opens, so this looks past ``Database``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def all(self, tenant_id: TenantId, purpose: KeyPurpose) -> tuple[StoredKey, ...]:
        """Return every data key of a tenant and purpose."""
        statement = select(data_keys).where(data_keys.c.purpose == purpose)
        async with scoped(self._engine, "meetbot_tenant", tenant_id) as connection:
            return tuple(
                StoredKey(
                    id=row.id,
                    tenant_id=row.tenant_id,
                    purpose=row.purpose,
                    wrapped=row.wrapped,
                    created_at=row.created_at,
                )
                for row in await connection.execute(statement)
            )

    async def add(self, key: StoredKey) -> None:
        """Store a key; one that has this id already stays."""
        statement = (
            upsert(data_keys)
            .values(
                id=key.id,
                tenant_id=key.tenant_id,
                purpose=key.purpose,
                wrapped=key.wrapped,
                created_at=key.created_at,
            )
            .on_conflict_do_nothing(index_elements=["id"])
        )
        async with scoped(self._engine, "meetbot_tenant", key.tenant_id) as connection:
            await connection.execute(statement)
