"""The audit log: who did what, to what, when.

Rows are added, never changed, and deleted by the purge of what a tenant keeps no longer alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select

from tenants.identity import new_id
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import PurgeSession, TenantSession
from tenants.storage.tables import audit_log


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did. ``target`` is an id; ``details`` hold no secret."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str | None
    details: dict[str, Any]


async def write(
    session: TenantSession,
    now: datetime,
    *,
    actor: str,
    action: str,
    target: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down what was done, in the transaction that does it."""
    entry_id = new_id("aud", now)
    await session.execute(
        insert(audit_log).values(
            id=entry_id,
            tenant_id=session.tenant_id,
            at=now,
            actor=actor,
            action=action,
            target=target,
            content=session.seal(entry_id, dict(details)) if details else None,
        )
    )


async def page(session: TenantSession, keyset: Keyset) -> Page:
    """List what was done, newest first."""
    return await page_of(session, select(audit_log), [audit_log.c.id], keyset, descending=True)


async def purge(session: PurgeSession, limit: int) -> int:
    """Delete the oldest entries that the session's door shows; returns how many."""
    oldest = select(audit_log.c.id).order_by(audit_log.c.id).limit(limit)
    return (await session.execute(delete(audit_log).where(audit_log.c.id.in_(oldest)))).rowcount


def entry_of(session: TenantSession, row: Row[Any]) -> AuditEntry:
    """Turn a row into what it tells."""
    details = {} if row.content is None else session.open(row.id, row.content, dict[str, Any])
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        target=row.target,
        details=details,
    )
