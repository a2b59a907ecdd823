"""Bots that nobody owns any more, but which are out, or may be, and must be called back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Select, delete, or_, select, update

from meetbot_calendar.bots.model import FINAL, BotContent, BotId
from meetbot_calendar.storage import usage
from meetbot_calendar.storage.tables import bot_events, bots
from tenants.identity import CalendarUserId
from tenants.storage.session import TenantSession

ERASED = "erased"  # the reason of a bot whose people are gone
_NAMED = "meetbot_calendar_user_id"
_BATCH = 500


async def orphan(
    session: TenantSession, bot_ids: Iterable[BotId], now: datetime
) -> tuple[BotId, ...]:
    """Delete bots, but for those that are out or may be: these are due, to be called back.

    Returns the latter. They lose all that they say; only one whose sending was never answered
    keeps its order, since by that alone the fleet can be asked about it.
    """
    theirs = bots.c.id.in_(list(bot_ids))
    settled = bots.c.status.in_(FINAL) & bots.c.due_at.is_(None)
    idle = select(bots.c.id).where(theirs, or_(settled, bots.c.status == "scheduled"))
    await _delete(session, idle)
    out = (await session.execute(select(bots).where(theirs).with_for_update())).all()
    for row in out:
        await _strip(session, row, now)
    left = [BotId(row.id) for row in out]
    await session.execute(delete(bot_events).where(bot_events.c.bot_id.in_(left)))
    return tuple(left)


async def _strip(session: TenantSession, row: Row[Any], now: datetime) -> None:
    said = session.open(row.id, row.content, BotContent)
    is_known = row.fleet_bot_id is not None or row.recall_fleet_bot_id is not None
    bare = BotContent(meeting_url="", order=None if is_known else said.order)
    await session.execute(
        update(bots)
        .where(bots.c.id == row.id)
        .values(
            status="cancelled",
            reason=ERASED,
            stopped_by="person",
            meeting_keys=[],
            platform=None,
            content=session.seal(row.id, bare),
            generation=row.generation + 1,
            due_at=now,
            updated_at=now,
        )
    )


async def unname(session: TenantSession, user_id: CalendarUserId) -> None:
    """Take a person's name from the orders of bots that serve others as well.

    Orders are sealed, so those of all the tenant's bots are opened to find them.
    """
    edge = ""
    while rows := (await session.execute(_sent_after(edge))).all():
        edge = rows[-1].id
        for row in rows:
            said = session.open(row.id, row.content, BotContent)
            if said.order is not None and said.order.metadata.get(_NAMED) == user_id:
                bare = session.seal(row.id, msgspec.structs.replace(said, order=None))
                await session.execute(update(bots).where(bots.c.id == row.id).values(content=bare))


def _sent_after(edge: str) -> Select[Any]:
    """Select bots with orders; one that may have to be asked about stays, word for word."""
    return (
        select(bots.c.id, bots.c.content)
        .where(bots.c.id > edge, bots.c.status != "dispatching")
        .where(bots.c.reason != ERASED)
        .order_by(bots.c.id)
        .limit(_BATCH)
        .with_for_update()
    )


async def bury(session: TenantSession, bot_id: BotId) -> None:
    """Delete an orphan whose recall is settled; any other bot stays."""
    await _delete(session, select(bots.c.id).where(bots.c.id == bot_id, bots.c.reason == ERASED))


async def _delete(session: TenantSession, which: Select[tuple[str]]) -> None:
    bot_ids = list((await session.execute(which.with_for_update())).scalars())
    await usage.write_off(session, bot_ids)
    await session.execute(delete(bots).where(bots.c.id.in_(bot_ids)))
