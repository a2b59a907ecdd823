"""Sessions of the admin page: a tenant's key is shown once, and a cookie stands for it."""

import hashlib
import secrets
from datetime import timedelta

from meetbot_calendar.journeys import keys
from meetbot_calendar.journeys.knocking import knock
from meetbot_calendar.journeys.services import Services
from tenants.identity import ApiKeyId, TenantContext
from tenants.storage import admin_sessions, audit

LIFETIME = timedelta(hours=12)


async def enter(services: Services, given: str, address: str) -> str | None:
    """Open a session with a key; returns its token, or None where the key does not open it.

    A key that is bound to one calendar user does not: the page shows all of the tenant's. Wrong
    keys are counted as everywhere. Raises ``TooOften``.
    """
    context = await knock(
        services, address, given, lambda key: keys.recognise(services, key, address)
    )
    if context is None or context.user_id is not None:
        return None
    now, token = services.clock.now(), secrets.token_urlsafe(32)
    async with services.database.tenant(context.tenant_id) as session:
        key_id = ApiKeyId(context.actor)
        await admin_sessions.add(session, _hash_of(token), key_id, now, now + LIFETIME)
        await audit.write(session, now, by=context, action="admin.entered")
    return token


async def recognise(
    services: Services, token: str, address: str | None = None
) -> TenantContext | None:
    """Say for whom a session speaks, from an address; None once it, or its key, is over."""
    now, token_hash = services.clock.now(), _hash_of(token)
    async with services.database.gate(token_hash) as gate:
        tenant_id = await admin_sessions.tenant_of(gate)
    if tenant_id is None:
        return None
    async with services.database.tenant(tenant_id) as session:
        key_id = await admin_sessions.key_of(session, token_hash, now)
    if key_id is None:
        return None
    return TenantContext(tenant_id=tenant_id, actor=key_id, address=address)


async def leave(services: Services, context: TenantContext, token: str) -> None:
    """End a session."""
    async with services.database.tenant(context.tenant_id) as session:
        await admin_sessions.remove(session, _hash_of(token))


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
