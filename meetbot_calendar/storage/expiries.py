"""What lapses by itself: consents that nobody finished, idempotency keys a day old."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, union

from meetbot_calendar.storage.tables import oauth_states
from tenants.identity import TenantId
from tenants.storage.session import SweepSession, TenantSession
from tenants.storage.tables import idempotency_keys

_KEPT = timedelta(hours=24)


async def tenants_with_lapsed(session: SweepSession, now: datetime) -> tuple[TenantId, ...]:
    """Say who has something that lapsed."""
    consents = select(oauth_states.c.tenant_id).where(oauth_states.c.expires_at <= now)
    keys = select(idempotency_keys.c.tenant_id).where(idempotency_keys.c.created_at <= now - _KEPT)
    found = await session.execute(union(consents, keys))
    return tuple(TenantId(row.tenant_id) for row in found)


async def forget(session: TenantSession, now: datetime) -> None:
    """Delete what has lapsed."""
    await session.execute(delete(oauth_states).where(oauth_states.c.expires_at <= now))
    await session.execute(
        delete(idempotency_keys).where(idempotency_keys.c.created_at <= now - _KEPT)
    )
