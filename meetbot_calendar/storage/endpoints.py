"""Webhook endpoints: where a tenant wants to be told, and what signs for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update

from meetbot_calendar.deliveries.model import Endpoint, EndpointId
from meetbot_calendar.storage.tables import webhook_endpoints
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import TenantSession


class EndpointContent(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint is and what it is for: addresses often hold secrets of their own."""

    url: str
    description: str | None = None


async def add(session: TenantSession, endpoint: Endpoint) -> None:
    """Write a new endpoint."""
    await session.execute(
        insert(webhook_endpoints).values(
            id=endpoint.id,
            tenant_id=session.tenant_id,
            about=sealed_about(session, endpoint.id, endpoint.url, endpoint.description),
            events=list(endpoint.events),
            status=endpoint.status,
            secrets=session.seal(endpoint.id, endpoint.secrets),
            created_at=endpoint.created_at,
            updated_at=endpoint.updated_at,
        )
    )


async def get(
    session: TenantSession, endpoint_id: EndpointId, *, lock: bool = False
) -> Endpoint | None:
    """Return one endpoint; ``lock`` keeps others from changing it until the commit.

    Deliveries may be written to a locked one: their writers must not wait for it.
    """
    statement = select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else endpoint_of(session, row)


async def page(session: TenantSession, keyset: Keyset) -> Page:
    """List endpoints, newest first."""
    order = [webhook_endpoints.c.id]
    return await page_of(session, select(webhook_endpoints), order, keyset, descending=True)


async def count(session: TenantSession) -> int:
    """Count the tenant's endpoints."""
    statement = select(func.count()).select_from(webhook_endpoints)
    return int((await session.execute(statement)).scalar_one())


async def change(
    session: TenantSession, endpoint: Endpoint, values: Mapping[str, Any], now: datetime
) -> None:
    """Change an endpoint that was read under a lock."""
    url, description = (
        values.get(name, getattr(endpoint, name)) for name in ("url", "description")
    )
    about = sealed_about(session, endpoint.id, url, description)
    rest = {name: value for name, value in values.items() if name not in ("url", "description")}
    await _write(session, endpoint.id, {**rest, "about": about}, now)


async def _write(
    session: TenantSession, endpoint_id: EndpointId, values: Mapping[str, Any], now: datetime
) -> None:
    await session.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint_id)
        .values(**values, updated_at=now)
    )


async def save_secrets(
    session: TenantSession,
    endpoint_id: EndpointId,
    secrets: tuple[str, ...],
    old_until: datetime,
    now: datetime,
) -> None:
    """Replace what signs; all but the first sign until ``old_until``."""
    sealed = session.seal(endpoint_id, secrets)
    await _write(session, endpoint_id, {"secrets": sealed, "old_secret_until": old_until}, now)


async def remove(session: TenantSession, endpoint_id: EndpointId) -> bool:
    """Delete an endpoint with its deliveries; False where there is none."""
    statement = delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
    return (await session.execute(statement)).rowcount == 1


def sealed_about(
    session: TenantSession, endpoint_id: EndpointId, url: str, description: str | None
) -> bytes:
    """Seal where an endpoint is and what it is for."""
    content = EndpointContent(url=url, description=description)
    return session.seal(f"about:{endpoint_id}", content)


def about_of(session: TenantSession, endpoint_id: EndpointId, sealed: bytes) -> EndpointContent:
    """Open what ``sealed_about`` made."""
    return session.open(f"about:{endpoint_id}", sealed, EndpointContent)


def endpoint_of(session: TenantSession, row: Row[Any]) -> Endpoint:
    """Turn a row into an endpoint."""
    about = about_of(session, row.id, row.about)
    return Endpoint(
        id=row.id,
        tenant_id=row.tenant_id,
        url=about.url,
        events=tuple(row.events),
        description=about.description,
        status=row.status,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        secrets=session.open(row.id, row.secrets, tuple[str, ...]),
        old_secret_until=row.old_secret_until,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
