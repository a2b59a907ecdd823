"""Which bots are due, and who holds them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import (
    bindparam,
    or_,
    select,
    tuple_,
    update,
)

from meetbot_calendar.bots.model import BotContent, BotId
from meetbot_calendar.storage.tables import bots
from tenants.identity import TenantId
from tenants.storage.session import SweepSession, TenantSession


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that is due soon: no more than a sweep may see."""

    tenant_id: TenantId
    bot_id: BotId
    due_at: datetime


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that is ours until its lease ends, as it stood when it was taken."""

    bot_id: BotId
    generation: int
    due_at: datetime
    lease_id: str


async def hold(
    session: TenantSession,
    bot_ids: Sequence[BotId],
    *,
    lease_id: str,
    now: datetime,
    until: datetime,
    horizon: datetime,
) -> tuple[Held, ...]:
    """Take bots that are due by ``horizon`` and in nobody's hands."""
    statement = (
        update(bots)
        .where(
            bots.c.id.in_(bot_ids),
            bots.c.due_at <= horizon,
            or_(bots.c.lease_until.is_(None), bots.c.lease_until <= now),
        )
        .values(lease_id=lease_id, lease_until=until)
        .returning(bots.c.id, bots.c.generation, bots.c.due_at)
    )
    return tuple(
        Held(bot_id=BotId(row.id), generation=row.generation, due_at=row.due_at, lease_id=lease_id)
        for row in await session.execute(statement)
    )


async def fire(
    session: TenantSession,
    leaving: Mapping[BotId, BotContent],
    *,
    now: datetime,
    until: datetime,
) -> None:
    """Mark bots that are held and locked as leaving, with what the fleet is asked for."""
    if not leaving:
        return
    statement = (
        update(bots)
        .where(bots.c.id == bindparam("which"))
        .values(
            status="dispatching",
            attempts=bots.c.attempts + 1,
            lease_until=until,
            updated_at=now,
            content=bindparam("said"),
        )
    )
    rows = [
        {"which": bot_id, "said": session.seal(bot_id, content)}
        for bot_id, content in sorted(leaving.items(), key=lambda item: item[0])
    ]
    await session.execute(statement, rows)


async def release(session: TenantSession, held: Held) -> None:
    """Let go of a bot that we hold; what is due stays due."""
    await session.execute(
        update(bots)
        .where(bots.c.id == held.bot_id, bots.c.lease_id == held.lease_id)
        .values(lease_id=None, lease_until=None)
    )


async def due(session: SweepSession, horizon: datetime, now: datetime, limit: int) -> list[Waiting]:
    """Say which bots are due by ``horizon`` and in nobody's hands, soonest first."""
    statement = (
        select(bots.c.tenant_id, bots.c.id, bots.c.due_at)
        .where(
            bots.c.due_at <= horizon,
            or_(bots.c.lease_until.is_(None), bots.c.lease_until <= now),
        )
        .order_by(bots.c.due_at)
        .limit(limit)
    )
    return [
        Waiting(tenant_id=TenantId(r.tenant_id), bot_id=BotId(r.id), due_at=r.due_at)
        for r in await session.execute(statement)
    ]


async def still_held(session: TenantSession, held: Sequence[Held]) -> frozenset[BotId]:
    """Say which bots are still ours, and as they were planned when they were taken."""
    ours = tuple_(bots.c.id, bots.c.lease_id, bots.c.generation).in_(
        [(each.bot_id, each.lease_id, each.generation) for each in held]
    )
    found = await session.execute(select(bots.c.id).where(ours))
    return frozenset(BotId(row.id) for row in found)
