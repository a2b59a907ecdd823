"""Forget what a tenant no longer keeps: in bounded batches, each a transaction of its own.

Killed anywhere, it goes on with the next turn: a row is there or it is not.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage.purges import PURGES, Batch
from tenants.identity import TenantContext, TenantId
from tenants.storage import audit, retention

_BATCH = 500
_MOST_BATCHES = 20  # of one kind in one turn: others are to have theirs
_TURN = 600.0  # seconds after which another worker takes over from one that died


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn deleted, by kind; ``is_done`` where nothing was left to be deleted."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    is_done: bool = True


async def purge(services: Services, tenant_id: TenantId) -> Purged | None:
    """Delete what a tenant keeps no longer; None where it is not due, or another's turn."""
    now = services.clock.now()
    until = now + services.clock.patience(_TURN)
    async with services.database.operator() as operator:
        turn = await retention.claim(operator, tenant_id, now, until)
    if turn is None:
        return None
    kept = services.house.retention if turn.days is None else timedelta(days=turn.days)
    counts: Counter[str] = Counter()
    is_done = True
    for kind, batch in _batches(services, tenant_id, now - kept):
        counts[kind], emptied = await _until_empty(batch)
        is_done = is_done and emptied
    purged = Purged(counts=+counts, is_done=is_done)
    await _record(services, tenant_id, purged, now)
    return purged


def _batches(
    services: Services, tenant_id: TenantId, before: datetime
) -> Iterator[tuple[str, Callable[[], Awaitable[int]]]]:
    for kind, batch in PURGES.items():
        yield kind, _of_tenant(services, tenant_id, batch, before)

    async def of_log() -> int:
        async with services.database.purge(tenant_id, before) as session:
            return await audit.purge(session, _BATCH)

    yield "audit_entries", of_log


def _of_tenant(
    services: Services, tenant_id: TenantId, batch: Batch, before: datetime
) -> Callable[[], Awaitable[int]]:
    async def once() -> int:
        async with services.database.tenant(tenant_id) as session:
            return await batch(session, before, _BATCH)

    return once


async def _until_empty(batch: Callable[[], Awaitable[int]]) -> tuple[int, bool]:
    """Repeat a batch until it is not full, or the turn is; returns how many, and whether all."""
    total = 0
    for _ in range(_MOST_BATCHES):
        count = await batch()
        total += count
        if count < _BATCH:
            return total, True
    return total, False


async def _record(services: Services, tenant_id: TenantId, purged: Purged, now: datetime) -> None:
    """Let it be seen when was purged last, and what; go on at once where more is left."""
    due_at = services.clock.now() + retention.EVERY if purged.is_done else now
    async with services.database.tenant(tenant_id) as session:
        await retention.record(session, dict(purged.counts), now, due_at)
        if purged.counts:
            await audit.write(
                session,
                now,
                by=TenantContext(tenant_id=tenant_id),
                action="retention.purged",
                target=tenant_id,
                details=purged.counts,
            )
