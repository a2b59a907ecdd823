"""Consents under way: remembered sealed, claimed once, gone after ten minutes."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, insert, select

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.storage.tables import oauth_states
from tenants.identity import CalendarUserId, TenantId
from tenants.storage.session import GateSession, TenantSession


class PendingConsent(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered, sealed, while a person is away at the provider."""

    user_id: CalendarUserId
    customer_user_id: str
    provider: Provider
    memory: bytes
    client_id: str
    redirect_url: str | None = None

    def __repr__(self) -> str:
        return f"PendingConsent({self.user_id}, {self.provider}, ***)"


async def remember(
    session: TenantSession, state_hash: bytes, pending: PendingConsent, *, now: datetime
) -> datetime:
    """Keep a consent that was begun, for ten minutes; returns when it lapses."""
    expires_at = now + timedelta(minutes=10)
    await session.execute(
        insert(oauth_states).values(
            state_hash=state_hash,
            tenant_id=session.tenant_id,
            user_id=pending.user_id,
            provider=pending.provider.value,
            content=session.seal(state_hash.hex(), pending),
            created_at=now,
            expires_at=expires_at,
        )
    )
    return expires_at


async def tenant_of(session: GateSession) -> TenantId | None:
    """Say whose consent a state belongs to; None where it was never begun or is used up."""
    found = (await session.execute(select(oauth_states.c.tenant_id))).scalar_one_or_none()
    return None if found is None else TenantId(found)


async def claim(session: TenantSession, state_hash: bytes, now: datetime) -> PendingConsent | None:
    """Take a consent, once: a second taker finds nothing. None where it has lapsed as well."""
    statement = (
        delete(oauth_states)
        .where(oauth_states.c.state_hash == state_hash)
        .returning(oauth_states.c.content, oauth_states.c.expires_at)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None or row.expires_at <= now:
        return None
    return session.open(state_hash.hex(), row.content, PendingConsent)
