"""Which tenant keys are being rotated, and where each rotation began."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tenants.identity import TenantId
from tenants.secrets.key_provider import PURPOSES, TenantKey
from tenants.storage.session import OperatorSession, TenantSession
from tenants.storage.tables import key_rotations, tenants


async def begin(session: OperatorSession, now: datetime, only: TenantId | None) -> None:
    """Set every key of one tenant, or of all, to be rotated; one under way stays as it is."""
    for purpose in PURPOSES:
        wanted = select(tenants.c.id, literal(purpose), literal(now))
        if only is not None:
            wanted = wanted.where(tenants.c.id == only)
        fresh = {"from_version": None, "from_number": None, "begun_at": now, "finished_at": None}
        await session.execute(
            upsert(key_rotations)
            .from_select(["tenant_id", "purpose", "begun_at"], wanted)
            .on_conflict_do_update(
                index_elements=["tenant_id", "purpose"],
                set_=fresh,
                where=key_rotations.c.finished_at.is_not(None),
            )
        )


async def unfinished(session: OperatorSession, only: TenantId | None) -> Sequence[TenantKey]:
    """Say which keys are still to be rotated."""
    statement = (
        select(key_rotations.c.tenant_id, key_rotations.c.purpose)
        .where(key_rotations.c.finished_at.is_(None))
        .order_by(key_rotations.c.tenant_id, key_rotations.c.purpose)
    )
    if only is not None:
        statement = statement.where(key_rotations.c.tenant_id == only)
    return [TenantKey(row.tenant_id, row.purpose) for row in await session.execute(statement)]


async def finish(session: TenantSession, name: TenantKey, now: datetime) -> None:
    """Write down that a key is rotated."""
    await session.execute(
        update(key_rotations).where(key_rotations.c.purpose == name.purpose).values(finished_at=now)
    )
