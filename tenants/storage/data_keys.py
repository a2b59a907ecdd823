"""Wrapped data keys, where the keyring finds them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Select, cast, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tenants.identity import TenantId
from tenants.secrets.data_key_store import Begun, StoredKey
from tenants.secrets.key_provider import KeyPurpose, TenantKey
from tenants.storage.session import TenantSession, scoped
from tenants.storage.tables import data_keys, key_rotations

_number: ColumnElement[int] = cast(func.substring(data_keys.c.id, "[0-9]+$"), Integer)
_SHARE = text("select pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")
_ALONE = text("select pg_advisory_xact_lock(hashtextextended(:name, 0))")


class DataKeys:
    """The keyring's store. Each call is a transaction of its own: no session can hold a cipher yet.

    A tenant's session needs a cipher before it opens, so this looks past ``Database``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def standing(self, name: TenantKey) -> tuple[StoredKey, ...]:
        """Return every standing data key of a tenant and purpose."""
        return await self._all(name.tenant_id, _of(name).where(data_keys.c.passing.is_(False)))

    async def wrapped_under(self, name: TenantKey) -> tuple[StoredKey, ...]:
        """Return every data key that is wrapped under this tenant key."""
        statement = select(data_keys).where(data_keys.c.under == name.purpose)
        return await self._all(name.tenant_id, statement.order_by(data_keys.c.id))

    async def numbered(self, name: TenantKey, number: int) -> StoredKey | None:
        """Return one data key."""
        found = await self._all(name.tenant_id, _of(name).where(_number == number))
        return found[0] if found else None

    async def next_number(self, name: TenantKey) -> int:
        """Return a number that no data key had: the newest one is never let go."""
        highest = select(func.max(_number)).where(data_keys.c.purpose == name.purpose)
        async with scoped(self._engine, "meetbot_tenant", name.tenant_id) as connection:
            return ((await connection.execute(highest)).scalar() or 0) + 1

    async def add(self, key: StoredKey, version: int) -> bool:
        """Store a key, unless its number is taken or what wrapped it has been given up."""
        statement = (
            upsert(data_keys)
            .values(
                id=key.id,
                tenant_id=key.tenant_id,
                purpose=key.purpose,
                under=key.under,
                passing=key.passing,
                wrapped=key.wrapped,
                created_at=key.created_at,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(data_keys.c.id)
        )
        async with scoped(self._engine, "meetbot_tenant", key.tenant_id) as connection:
            await connection.execute(_SHARE, {"name": f"floor {key.tenant_id}"})
            if version < await _floor(connection, key.under):
                return False
            return (await connection.execute(statement)).scalar_one_or_none() is not None

    async def begun(self, name: TenantKey, at: Begun) -> Begun:
        """Write down where a rotation begins, the first time."""
        statement = (
            update(key_rotations)
            .where(key_rotations.c.purpose == name.purpose)
            .values(
                from_version=func.coalesce(key_rotations.c.from_version, at.version),
                from_number=func.coalesce(key_rotations.c.from_number, at.number),
            )
            .returning(key_rotations.c.from_version, key_rotations.c.from_number)
        )
        async with scoped(self._engine, "meetbot_tenant", name.tenant_id) as connection:
            row = (await connection.execute(statement)).one()
        return Begun(version=row.from_version, number=row.from_number)

    async def set_floor(self, name: TenantKey, version: int) -> None:
        """From now on store nothing that an older version of the tenant key has wrapped."""
        statement = (
            update(key_rotations)
            .where(key_rotations.c.purpose == name.purpose)
            .values(floor=version)
        )
        async with scoped(self._engine, "meetbot_tenant", name.tenant_id) as connection:
            await connection.execute(_ALONE, {"name": f"floor {name.tenant_id}"})
            await connection.execute(statement)

    async def replace(self, key: StoredKey, wrapped: bytes) -> None:
        """Store the same data key under a newer version, unless somebody has done so already."""
        statement = (
            update(data_keys)
            .where(data_keys.c.id == key.id, data_keys.c.wrapped == key.wrapped)
            .values(wrapped=wrapped)
        )
        async with scoped(self._engine, "meetbot_tenant", key.tenant_id) as connection:
            await connection.execute(statement)

    async def _all(self, tenant_id: TenantId, statement: Select[Any]) -> tuple[StoredKey, ...]:
        async with scoped(self._engine, "meetbot_tenant", tenant_id) as connection:
            return tuple(_key_of(row) for row in await connection.execute(statement))


async def forget_unused(
    session: TenantSession, purpose: KeyPurpose, used: Select[Any], before: datetime
) -> None:
    """Delete passing keys made before an instant that no number in ``used`` names any more.

    The newest key stays, so that no number is ever given twice.
    """
    newest = select(func.max(_number)).where(data_keys.c.purpose == purpose)
    await session.execute(
        delete(data_keys).where(
            data_keys.c.purpose == purpose,
            data_keys.c.passing,
            data_keys.c.created_at < before,
            newest.scalar_subquery() > _number,
            _number.not_in(used),
        )
    )


async def _floor(connection: AsyncConnection, purpose: KeyPurpose) -> int:
    statement = select(key_rotations.c.floor).where(key_rotations.c.purpose == purpose)
    return (await connection.execute(statement)).scalar() or 0


def _of(name: TenantKey) -> Select[Any]:
    return select(data_keys).where(data_keys.c.purpose == name.purpose)


def _key_of(row: Row[Any]) -> StoredKey:
    return StoredKey(
        tenant_id=row.tenant_id,
        purpose=row.purpose,
        number=int(row.id.rpartition("_")[2]),
        under=row.under,
        passing=row.passing,
        wrapped=row.wrapped,
        created_at=row.created_at,
    )
