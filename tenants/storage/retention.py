"""When a tenant was last purged, what went, and when it is due again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, or_, select, update

from tenants.identity import TenantId
from tenants.storage.session import OperatorSession, SweepSession, TenantSession
from tenants.storage.tables import tenants

EVERY = timedelta(hours=6)


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A purge that is ours; ``days`` None: as long as the installation keeps things."""

    days: int | None


def is_due(now: datetime) -> ColumnElement[bool]:
    """Say which tenants are due; one that was never purged is."""
    never = tenants.c.purge_due_at.is_(None)
    return or_(never, tenants.c.purge_due_at <= now) & tenants.c.closing_at.is_(None)


async def due(session: SweepSession, now: datetime, limit: int) -> Sequence[TenantId]:
    """Say which tenants are to be purged."""
    found = await session.execute(select(tenants.c.id).where(is_due(now)).limit(limit))
    return [TenantId(row.id) for row in found]


async def claim(
    session: OperatorSession, tenant_id: TenantId, now: datetime, until: datetime
) -> Turn | None:
    """Take the turn to purge a tenant; None where it is not due, or somebody has it."""
    statement = (
        update(tenants)
        .where(tenants.c.id == tenant_id, is_due(now))
        .values(purge_due_at=until)
        .returning(tenants.c.retention_days)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Turn(days=row.retention_days)


async def record(
    session: TenantSession, counts: Mapping[str, int], now: datetime, due_at: datetime
) -> None:
    """Write what a purge did, unless the retention was changed meanwhile: then it is due still."""
    await session.execute(
        update(tenants)
        .where(tenants.c.id == session.tenant_id)
        .values(last_purged_at=now, last_purge=dict(counts))
    )
    await session.execute(
        update(tenants)
        .where(tenants.c.id == session.tenant_id, tenants.c.purge_due_at > now)
        .values(purge_due_at=due_at)
    )
