"""API keys: found by their hash at the gate, listed and revoked by their tenant."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from tenants.api_keys import ApiKey
from tenants.identity import ApiKeyId, CalendarUserId
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import GateSession, OperatorSession, TenantSession
from tenants.storage.tables import api_keys

_EVERY = timedelta(minutes=1)  # "last used" is for people: once a minute is exact enough


async def recognise(session: GateSession) -> ApiKey | None:
    """Return the key whose hash the gate was opened with."""
    row = (await session.execute(select(api_keys))).one_or_none()
    return None if row is None else key_of(row)


async def add(session: TenantSession | OperatorSession, key: ApiKey, key_hash: bytes) -> None:
    """Write a new key; the operator may write a tenant's first."""
    await session.execute(
        insert(api_keys).values(
            id=key.id,
            tenant_id=key.tenant_id,
            user_id=key.user_id,
            name=key.name,
            prefix=key.prefix,
            key_hash=key_hash,
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )


async def page(session: TenantSession, keyset: Keyset) -> Page:
    """List keys, newest first; revoked ones stay to be seen."""
    return await page_of(session, select(api_keys), [api_keys.c.id], keyset, descending=True)


async def of_user(session: TenantSession, user_id: CalendarUserId) -> tuple[ApiKey, ...]:
    """Return the keys that are bound to a person, oldest first."""
    statement = select(api_keys).where(api_keys.c.user_id == user_id).order_by(api_keys.c.id)
    return tuple(key_of(row) for row in await session.execute(statement))


async def revoke(session: TenantSession, key_id: ApiKeyId, now: datetime) -> bool:
    """Close the door to a key; False where there is none that still opens it."""
    statement = (
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return (await session.execute(statement)).rowcount == 1


def wants_touch(key: ApiKey, now: datetime) -> bool:
    """Say whether the time of last use is worth writing again."""
    return key.last_used_at is None or key.last_used_at <= now - _EVERY


async def touch(session: TenantSession, key_id: ApiKeyId, now: datetime) -> None:
    """Remember that a key was used."""
    stale = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= now - _EVERY)
    await session.execute(
        update(api_keys).where(api_keys.c.id == key_id, stale).values(last_used_at=now)
    )


def key_of(row: Row[Any]) -> ApiKey:
    """Turn a row into a key as it is listed."""
    return ApiKey(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        prefix=row.prefix,
        user_id=row.user_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
