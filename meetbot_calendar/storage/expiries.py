"""What lapses: consents that nobody finished, idempotency keys a day old, admin sessions."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, union

from meetbot_calendar.storage.tables import oauth_states
from tenants.identity import TenantId
from tenants.storage.session import SweepSession, TenantSession
from tenants.storage.tables import admin_sessions, idempotency_keys

_KEPT = timedelta(hours=24)


async def tenants_with_lapsed(session: SweepSession, now: datetime) -> tuple[TenantId, ...]:
    """Say who has something that lapsed."""
    consents = select(oauth_states.c.tenant_id).where(oauth_states.c.expires_at <= now)
    keys = select(idempotency_keys.c.tenant_id).where(idempotency_keys.c.created_at <= now - _KEPT)
    admins = select(admin_sessions.c.tenant_id).where(admin_sessions.c.expires_at <= now)
    found = await session.execute(union(consents, keys, admins))
    return tuple(TenantId(row.tenant_id) for row in found)


async def forget(session: TenantSession, now: datetime) -> None:
    """Delete what has lapsed."""
    await session.execute(delete(oauth_states).where(oauth_states.c.expires_at <= now))
    await session.execute(delete(admin_sessions).where(admin_sessions.c.expires_at <= now))
    await session.execute(
        delete(idempotency_keys).where(idempotency_keys.c.created_at <= now - _KEPT)
    )
