"""The audit log: who did what, to what, when.

Rows are added, never changed, and deleted by the purge of what a tenant keeps no longer alone.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Text, delete, func, insert, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from tenants.identity import CalendarUserId, TenantContext, new_id
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import PurgeSession, TenantSession
from tenants.storage.tables import audit_log


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did, and from where. ``target`` is an id; details hold no secret."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str | None
    address: str | None
    details: dict[str, Any]


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: by whom, what, to what, and done in ``[begin, end)``."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    begin: datetime | None = None
    end: datetime | None = None


class _Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of an entry is stored sealed."""

    address: str | None = None
    details: dict[str, Any] = msgspec.field(default_factory=dict)


async def write(
    session: TenantSession,
    now: datetime,
    *,
    by: TenantContext,
    action: str,
    target: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down what was done, in the transaction that does it."""
    entry_id = new_id("aud", now)
    content = _Content(address=by.address, details=dict(details or {}))
    await session.execute(
        insert(audit_log).values(
            id=entry_id,
            tenant_id=session.tenant_id,
            at=now,
            actor=by.actor,
            action=action,
            target=target,
            content=None if content == _Content() else session.seal(entry_id, content),
        )
    )
    if by.trail is not None:
        by.trail.append(action)


async def page(session: TenantSession, which: AuditFilter, keyset: Keyset) -> Page:
    """List what was done, newest first."""
    statement = select(audit_log)
    for name in ("actor", "action", "target"):
        if (wanted := getattr(which, name)) is not None:
            statement = statement.where(audit_log.c[name] == wanted)
    if which.begin is not None:
        statement = statement.where(audit_log.c.at >= which.begin)
    if which.end is not None:
        statement = statement.where(audit_log.c.at < which.end)
    return await page_of(session, statement, [audit_log.c.id], keyset, descending=True)


async def of_person(
    session: TenantSession, user_id: CalendarUserId, *, keys: Collection[str], things: Iterable[str]
) -> tuple[AuditEntry, ...]:
    """Return what was done by a person or by their keys, and what was done to them or their things.

    From where others did it is not told.
    """
    themselves = {user_id, f"consent:{user_id}", *keys}
    named = literal(sorted({*themselves, *things}), ARRAY(Text))
    mine = or_(audit_log.c.actor.in_(themselves), audit_log.c.target == func.any(named))
    rows = await session.execute(select(audit_log).where(mine).order_by(audit_log.c.id))
    entries = tuple(entry_of(session, row) for row in rows)
    return tuple(
        entry if entry.actor in themselves else msgspec.structs.replace(entry, address=None)
        for entry in entries
    )


async def purge(session: PurgeSession, limit: int) -> int:
    """Delete the oldest entries that the session's door shows; returns how many."""
    ids = select(audit_log.c.id).order_by(audit_log.c.id).limit(limit)
    oldest = ids.cte("oldest").prefix_with("materialized")  # asked for once, whatever the plan
    chosen = audit_log.c.id.in_(select(oldest.c.id))
    return (await session.execute(delete(audit_log).where(chosen))).rowcount


def entry_of(session: TenantSession, row: Row[Any]) -> AuditEntry:
    """Turn a row into what it tells."""
    content = _Content() if row.content is None else session.open(row.id, row.content, _Content)
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        target=row.target,
        address=content.address,
        details=content.details,
    )
