"""Sessions of the admin page: found by their hash at the gate, worth what their key is worth."""

from datetime import datetime

from sqlalchemy import delete, insert, or_, select

from tenants.identity import ApiKeyId, TenantId
from tenants.storage.session import GateSession, TenantSession
from tenants.storage.tables import admin_sessions, api_keys


async def tenant_of(session: GateSession) -> TenantId | None:
    """Return whose session the gate was opened for."""
    found = (await session.execute(select(admin_sessions.c.tenant_id))).scalar_one_or_none()
    return None if found is None else TenantId(found)


async def add(
    session: TenantSession, token_hash: bytes, key_id: ApiKeyId, now: datetime, until: datetime
) -> None:
    """Write a new session."""
    await session.execute(
        insert(admin_sessions).values(
            token_hash=token_hash,
            tenant_id=session.tenant_id,
            api_key_id=key_id,
            created_at=now,
            expires_at=until,
        )
    )


async def key_of(session: TenantSession, token_hash: bytes, now: datetime) -> ApiKeyId | None:
    """Return the key that a session stands for; None once either of them is over."""
    statement = (
        select(api_keys.c.id)
        .join(admin_sessions, admin_sessions.c.api_key_id == api_keys.c.id)
        .where(
            admin_sessions.c.token_hash == token_hash,
            admin_sessions.c.expires_at > now,
            api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
    )
    found = (await session.execute(statement)).scalar_one_or_none()
    return None if found is None else ApiKeyId(found)


async def remove(session: TenantSession, token_hash: bytes) -> None:
    """End a session."""
    await session.execute(delete(admin_sessions).where(admin_sessions.c.token_hash == token_hash))
