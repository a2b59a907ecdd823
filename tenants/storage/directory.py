"""Tenants: as the operator keeps them, and as each tenant knows itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update

from tenants.identity import Region, Tenant, TenantId, TenantPolicy
from tenants.storage import retention
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import OperatorSession, SweepSession, TenantSession
from tenants.storage.tables import tenants

_SEEN = (
    tenants.c.id,
    tenants.c.name,
    tenants.c.region,
    tenants.c.retention_days,
    tenants.c.created_at,
    tenants.c.updated_at,
    tenants.c.closing_at,
    tenants.c.last_purged_at,
    tenants.c.last_purge,
)


class TenantRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as the operator sees it: its policy is its own affair, and sealed."""

    id: TenantId
    name: str
    region: Region
    retention_days: int | None
    created_at: datetime
    updated_at: datetime
    closing_at: datetime | None = None
    last_purged_at: datetime | None = None
    last_purge: dict[str, int] | None = None


async def create(session: OperatorSession, tenant: TenantRow) -> None:
    """Write a new tenant; of nothing there is nothing to purge yet."""
    values = msgspec.structs.asdict(tenant)
    first_purge = tenant.created_at + retention.EVERY
    await session.execute(insert(tenants).values(purge_due_at=first_purge, **values))


async def find(session: OperatorSession, tenant_id: TenantId) -> TenantRow | None:
    """Return one tenant."""
    statement = select(*_SEEN).where(tenants.c.id == tenant_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else tenant_row(row)


async def find_by_ending(
    session: OperatorSession, ending: str, since: datetime
) -> TenantRow | None:
    """Return the tenant made since then whose id ends so; nobody else looks until the commit."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(ending, 0))))
    statement = select(*_SEEN).where(
        tenants.c.id.endswith(ending, autoescape=True), tenants.c.created_at > since
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else tenant_row(row)


async def page(session: OperatorSession, keyset: Keyset) -> Page:
    """List tenants, newest first."""
    return await page_of(session, select(*_SEEN), [tenants.c.id], keyset, descending=True)


async def change(
    session: OperatorSession, tenant_id: TenantId, values: Mapping[str, Any], now: datetime
) -> TenantRow | None:
    """Change columns of one tenant; None where there is none, or it is closing.

    What is kept for a shorter time now is purged at once.
    """
    statement = (
        update(tenants)
        .where(tenants.c.id == tenant_id, tenants.c.closing_at.is_(None))
        .values(**values, purge_due_at=now, updated_at=now)
        .returning(*_SEEN)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else tenant_row(row)


async def begin_closing(session: OperatorSession, tenant_id: TenantId, now: datetime) -> bool:
    """Shut a tenant's door, for good: from the commit on no key, consent or notice of it opens it.

    False where there is none; one that is closing already is rung for again.
    """
    statement = (
        update(tenants)
        .where(tenants.c.id == tenant_id)
        .values(closing_at=func.coalesce(tenants.c.closing_at, now), closing_due_at=now)
    )
    return (await session.execute(statement)).rowcount == 1


async def claim_closing(
    session: OperatorSession, tenant_id: TenantId, now: datetime, until: datetime
) -> TenantRow | None:
    """Take the turn to close a tenant; None where it is not due, or another's turn."""
    statement = (
        update(tenants)
        .where(tenants.c.id == tenant_id, tenants.c.closing_due_at <= now)
        .values(closing_due_at=until)
        .returning(*_SEEN)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else tenant_row(row)


async def postpone_closing(session: OperatorSession, tenant_id: TenantId, until: datetime) -> None:
    """Set when the closing of a tenant is gone on with."""
    await session.execute(
        update(tenants).where(tenants.c.id == tenant_id).values(closing_due_at=until)
    )


async def closing_due(session: SweepSession, now: datetime, limit: int) -> tuple[TenantId, ...]:
    """Say which tenants are to be closed, or gone on with."""
    statement = select(tenants.c.id).where(tenants.c.closing_due_at <= now).limit(limit)
    return tuple(TenantId(row.id) for row in await session.execute(statement))


async def remove(session: OperatorSession, tenant_id: TenantId) -> bool:
    """Delete a tenant with everything that is stored of it; False where there is none."""
    return (await session.execute(delete(tenants).where(tenants.c.id == tenant_id))).rowcount == 1


async def get(session: TenantSession, *, lock: bool = False) -> Tenant:
    """Return the session's own tenant with its policy; ``lock`` keeps it so until the commit."""
    statement = select(*_SEEN, tenants.c.policy).where(tenants.c.id == session.tenant_id)
    if lock:
        statement = statement.with_for_update()
    row = (await session.execute(statement)).one()
    policy = TenantPolicy()
    if row.policy is not None:
        policy = session.open(row.id, row.policy, TenantPolicy)
    return Tenant(
        id=row.id,
        name=row.name,
        region=row.region,
        policy=msgspec.structs.replace(policy, retention_days=row.retention_days),
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_purged_at=row.last_purged_at,
        last_purge=row.last_purge or {},
    )


async def save_policy(session: TenantSession, policy: TenantPolicy, now: datetime) -> None:
    """Replace the session's tenant's policy; retention stands apart, where the sweep reads it."""
    await session.execute(
        update(tenants)
        .where(tenants.c.id == session.tenant_id)
        .values(
            policy=session.seal(session.tenant_id, policy),
            retention_days=policy.retention_days,
            purge_due_at=now,
            updated_at=now,
        )
    )


def tenant_row(row: Row[Any]) -> TenantRow:
    """Turn a row into what the operator sees."""
    return TenantRow(
        id=TenantId(row.id),
        name=row.name,
        region=row.region,
        retention_days=row.retention_days,
        created_at=row.created_at,
        updated_at=row.updated_at,
        closing_at=row.closing_at,
        last_purged_at=row.last_purged_at,
        last_purge=row.last_purge,
    )
