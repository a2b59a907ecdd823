"""What a closing tenant still has outside: bots that are out, grants and watches to give back."""

from datetime import datetime

import msgspec
from sqlalchemy import case, delete, func, or_, select, update

from meetbot_calendar.bots.model import OUT
from meetbot_calendar.storage.tables import (
    bots,
    calendars,
    connections,
    events,
    oauth_states,
    webhook_endpoints,
)
from tenants.identity import TenantId
from tenants.storage.session import SweepSession, TenantSession
from tenants.storage.tables import api_keys


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a tenant is still to be called or given back."""

    bots: int
    connections: int

    def __bool__(self) -> bool:
        return self.bots + self.connections > 0


async def silence(session: TenantSession, now: datetime) -> None:
    """Stop everything of a tenant, and make due what is to be called or given back.

    The sweep's own journeys then do that; said again, it only catches what slipped in between.
    """
    for table in (webhook_endpoints, oauth_states, api_keys):
        await session.execute(delete(table))
    rest = dict.fromkeys(("due_at", "push_due_at", "lease_id", "lease_until"))
    at_work = or_(*(calendars.c[name].is_not(None) for name in rest))
    await session.execute(update(calendars).where(at_work).values(rest))
    await session.execute(
        update(events).where(events.c.decide_due_at.is_not(None)).values(decide_due_at=None)
    )
    await session.execute(
        update(connections)
        .where(connections.c.removed_at.is_(None))
        .values(removed_at=now, due_at=now, updated_at=now)
    )
    await _recall_bots(session, now)


async def _recall_bots(session: TenantSession, now: datetime) -> None:
    is_out = bots.c.status.in_(OUT)
    await session.execute(
        update(bots)
        .where(or_(is_out, bots.c.status == "scheduled"))
        .values(
            due_at=case((is_out, now)),
            status="cancelled",
            reason="tenant_closed",
            stopped_by="person",
            generation=bots.c.generation + 1,
            updated_at=now,
        )
    )


async def outside(session: SweepSession, tenant_id: TenantId) -> Outside:
    """Count what is still outside."""
    counts = [
        select(func.count()).where(table.c.tenant_id == tenant_id, table.c.due_at.is_not(None))
        for table in (bots, connections)
    ]
    out, granted = [(await session.execute(count)).scalar_one() for count in counts]
    return Outside(bots=out, connections=granted)
