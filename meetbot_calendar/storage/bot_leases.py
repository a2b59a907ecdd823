"""Which bots are due, and who holds them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    TableValuedAlias,
    Text,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from meetbot_calendar.bots.model import BotContent, BotId
from meetbot_calendar.storage.tables import bot_events, bots
from tenants.identity import CalendarUserId, TenantId
from tenants.storage.session import HolderSession, SweepSession, TenantSession


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that is due soon: no more than a sweep may see."""

    tenant_id: TenantId
    bot_id: BotId
    due_at: datetime


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that is ours until its lease ends, as it stood when it was taken."""

    tenant_id: TenantId
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
    grace: timedelta,
    until: datetime,
    horizon: datetime,
) -> tuple[Held, ...]:
    """Take bots that are due by ``horizon`` and in nobody's hands.

    Each is ours until ``grace`` after its instant, or after now if that is past; and no longer than
    ``until`` unless it is kept.
    """
    statement = (
        update(bots)
        .where(
            bots.c.id.in_(bot_ids),
            bots.c.due_at <= horizon,
            or_(bots.c.lease_until.is_(None), bots.c.lease_until <= now),
        )
        .values(lease_id=lease_id, lease_until=_held_until(now, grace, until))
        .returning(bots.c.id, bots.c.generation, bots.c.due_at)
    )
    return tuple(
        Held(
            tenant_id=session.tenant_id,
            bot_id=BotId(row.id),
            generation=row.generation,
            due_at=row.due_at,
            lease_id=lease_id,
        )
        for row in await session.execute(statement)
    )


def _held_until(now: datetime, grace: timedelta, until: datetime) -> ColumnElement[datetime]:
    instant = func.greatest(bots.c.due_at, literal(now, DateTime(timezone=True)))
    return func.least(instant + grace, literal(until, DateTime(timezone=True)))


async def keep(
    session: HolderSession,
    held: Sequence[Held],
    *,
    now: datetime,
    grace: timedelta,
    until: datetime,
) -> None:
    """Go on holding bots that wait for their instant, as ``hold`` took them."""
    taken = _taken(held)
    await session.execute(
        update(bots)
        .where(bots.c.id == taken.c.id, bots.c.lease_id == taken.c.lease_id)
        .values(lease_until=_held_until(now, grace, until))
    )


async def leave(
    session: HolderSession, held: Sequence[Held], *, now: datetime, until: datetime
) -> frozenset[BotId]:
    """Mark as leaving those that still stand as they were taken; returns them.

    One whose plan has changed since has lost its lease or its generation, and stays.
    """
    taken = _taken(held)
    statement = (
        update(bots)
        .where(
            bots.c.id == taken.c.id,
            bots.c.lease_id == taken.c.lease_id,
            bots.c.generation == taken.c.generation,
            bots.c.status == "scheduled",
            bots.c.end_at > now,
        )
        .values(
            status="dispatching",
            attempts=bots.c.attempts + 1,
            lease_until=until,
            updated_at=now,
        )
        .returning(bots.c.id)
    )
    return frozenset(BotId(row.id) for row in await session.execute(statement))


async def prolong(session: HolderSession, held: Sequence[Held], until: datetime) -> None:
    """Keep for longer what is still in our hands."""
    taken = _taken(held)
    await session.execute(
        update(bots)
        .where(bots.c.id == taken.c.id, bots.c.lease_id == taken.c.lease_id)
        .values(lease_until=until)
    )


def _taken(held: Sequence[Held]) -> TableValuedAlias:
    return (
        func.unnest(
            literal([each.bot_id for each in held], ARRAY(Text)),
            literal([each.lease_id for each in held], ARRAY(Text)),
            literal([each.generation for each in held], ARRAY(Integer)),
        )
        .table_valued("id", "lease_id", "generation")
        .render_derived(name="taken")
    )


async def write_orders(session: TenantSession, said: Mapping[BotId, BotContent]) -> None:
    """Write what the fleet will be asked for, of bots that are held; their plans stay."""
    if not said:
        return
    statement = (
        update(bots).where(bots.c.id == bindparam("which")).values(content=bindparam("said"))
    )
    rows = [
        {"which": bot_id, "said": session.seal(bot_id, content)}
        for bot_id, content in sorted(said.items(), key=lambda item: item[0])
    ]
    await session.execute(statement, rows)


async def unsettle(session: TenantSession, user_id: CalendarUserId | None = None) -> None:
    """Let go of bots that are held but have not left: what their orders were written from changed.

    ``user_id``: only bots for that person. They are held anew, and their orders written afresh.
    """
    theirs = select(bot_events.c.bot_id).where(bot_events.c.user_id == user_id)
    whose = true() if user_id is None else bots.c.id.in_(theirs)
    await session.execute(
        update(bots)
        .where(bots.c.status == "scheduled", bots.c.lease_id.is_not(None), whose)
        .values(lease_id=None, lease_until=None)
    )


async def fire(
    session: TenantSession, bot_ids: Collection[BotId], *, now: datetime, until: datetime
) -> None:
    """Mark bots that are held and locked as leaving."""
    await session.execute(
        update(bots)
        .where(bots.c.id.in_(bot_ids))
        .values(
            status="dispatching",
            attempts=bots.c.attempts + 1,
            lease_until=until,
            updated_at=now,
        )
    )


async def release(session: TenantSession, held: Sequence[Held]) -> None:
    """Let go of bots that we hold; what is due stays due."""
    ours = tuple_(bots.c.id, bots.c.lease_id).in_([(each.bot_id, each.lease_id) for each in held])
    await session.execute(update(bots).where(ours).values(lease_id=None, lease_until=None))


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
