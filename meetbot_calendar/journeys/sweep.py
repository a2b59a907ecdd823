"""The periodic look for what is due: the rows say it, whether or not a wake-up arrived."""

from datetime import timedelta
from typing import Literal

import msgspec

from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import (
    bot_leases,
    calendars,
    connections,
    deliveries,
    errands,
    event_marks,
    expiries,
    rounds,
    series,
)
from meetbot_calendar.storage.bot_leases import Waiting
from tenants.identity import TenantId
from tenants.storage import directory, retention

Kind = Literal[
    "sync",
    "decide",
    "deliver",
    "watch",
    "farewell",
    "close",
    "follow",
    "nightly",
    "renewal",
    "purge",
    "errand",
]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One row that is due, by id alone: all that a sweep may see."""

    kind: Kind
    tenant_id: TenantId
    row_id: str


async def due(services: Services, limit: int) -> tuple[Work, ...]:
    """Say what is due now, up to ``limit`` of each kind, longest due first."""
    now = services.clock.now()
    async with services.database.sweep() as session:
        found: list[tuple[Kind, TenantId, str]] = []
        found += [("errand", t, r) for t, r in await errands.due(session, now, limit)]
        found += [("decide", t, r) for t, r in await event_marks.due(session, now, limit)]
        found += [("deliver", t, r) for t, r in await deliveries.due(session, now, limit)]
        found += [("sync", t, r) for t, r in await calendars.due(session, now, limit)]
        found += [("watch", t, r) for t, r in await calendars.push_due(session, now, limit)]
        found += [("farewell", t, r) for t, r in await connections.due(session, now, limit)]
        found += [("follow", t, r) for t, r in await series.due(session, now, limit)]
        found += [("nightly", t, t) for t in await rounds.due(session, "nightly", now, limit)]
        found += [("renewal", t, t) for t in await rounds.due(session, "renewal", now, limit)]
        found += [("close", t, t) for t in await directory.closing_due(session, now, limit)]
        found += [("purge", t, t) for t in await retention.due(session, now, limit)]
    return tuple(Work(kind=kind, tenant_id=t, row_id=row) for kind, t, row in found)


async def departing(
    services: Services, ahead: timedelta, limit: int
) -> dict[TenantId, list[Waiting]]:
    """Say which bots are due within ``ahead``, by tenant."""
    now = services.clock.now()
    by_tenant: dict[TenantId, list[Waiting]] = {}
    async with services.database.sweep() as session:
        for bot in await bot_leases.due(session, now + ahead, now, limit):
            by_tenant.setdefault(bot.tenant_id, []).append(bot)
    return by_tenant


async def expire(services: Services) -> None:
    """Forget consents that lapsed and idempotency keys of yesterday."""
    now = services.clock.now()
    async with services.database.sweep() as session:
        tenants = await expiries.tenants_with_lapsed(session, now)
    for tenant_id in tenants:
        async with services.database.bare(tenant_id) as tenant_session:
            await expiries.forget(tenant_session, now)
