"""A tenant's own OAuth clients at the providers, their secrets sealed."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tenants.storage.session import TenantSession
from tenants.storage.tables import oauth_apps


class TenantApp(msgspec.Struct, frozen=True, kw_only=True):
    """One OAuth client of a tenant's own."""

    provider: str
    client_id: str
    client_secret: str
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"TenantApp({self.provider}, {self.client_id}, ***)"


async def get(session: TenantSession, provider: str) -> TenantApp | None:
    """Return the tenant's client at one provider."""
    statement = select(oauth_apps).where(oauth_apps.c.provider == provider)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else _app_of(session, row)


async def all_of(session: TenantSession) -> tuple[TenantApp, ...]:
    """Return all of the tenant's clients."""
    rows = await session.execute(select(oauth_apps).order_by(oauth_apps.c.provider))
    return tuple(_app_of(session, row) for row in rows)


async def save(
    session: TenantSession, provider: str, client_id: str, client_secret: str, now: datetime
) -> None:
    """Write or replace the tenant's client at one provider."""
    values = {
        "client_id": client_id,
        "secret": session.seal(_seal_name(provider), client_secret),
        "updated_at": now,
    }
    await session.execute(
        upsert(oauth_apps)
        .values(tenant_id=session.tenant_id, provider=provider, created_at=now, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "provider"], set_=values)
    )


async def remove(session: TenantSession, provider: str) -> bool:
    """Delete the tenant's client at one provider; False where there is none."""
    statement = delete(oauth_apps).where(oauth_apps.c.provider == provider)
    return (await session.execute(statement)).rowcount == 1


def _seal_name(provider: str) -> str:
    return f"oauth_app:{provider}"


def _app_of(session: TenantSession, row: Row[Any]) -> TenantApp:
    return TenantApp(
        provider=row.provider,
        client_id=row.client_id,
        client_secret=session.open(_seal_name(row.provider), row.secret, str),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
