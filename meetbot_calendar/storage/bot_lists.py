"""Bots as they are listed: all of a tenant's or one person's, past ones too."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, select

from meetbot_calendar.bots.model import Bot, BotId, BotStatus
from meetbot_calendar.calendars.model import ConnectionId, EventId
from meetbot_calendar.storage import decisions
from meetbot_calendar.storage.bots import bot_of
from meetbot_calendar.storage.events import of_meetings as events_of
from meetbot_calendar.storage.orphans import ERASED
from meetbot_calendar.storage.tables import bot_events, bots, events
from tenants.identity import CalendarUserId
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import TenantSession


class BotFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which bots: by their state, for whom, and joining in ``[begin, end)``."""

    status: BotStatus | None = None
    user_id: CalendarUserId | None = None
    begin: datetime | None = None
    end: datetime | None = None


async def page(session: TenantSession, which: BotFilter, keyset: Keyset) -> Page:
    """List bots, the last to join first."""
    statement = select(bots).where(bots.c.reason != ERASED)
    if which.status is not None:
        statement = statement.where(bots.c.status == which.status)
    if which.user_id is not None:
        theirs = select(bot_events.c.bot_id).where(bot_events.c.user_id == which.user_id)
        statement = statement.where(bots.c.id.in_(theirs))
    if which.begin is not None:
        statement = statement.where(bots.c.join_at >= which.begin)
    if which.end is not None:
        statement = statement.where(bots.c.join_at < which.end)
    order = [bots.c.join_at, bots.c.id]
    return await page_of(session, statement, order, keyset, descending=True)


async def one(
    session: TenantSession, bot_id: BotId, of: CalendarUserId | None = None
) -> Bot | None:
    """Return one bot; ``of``: as that person sees it, if it is for one of that person's events."""
    rows = (await session.execute(select(bots).where(bots.c.id == bot_id))).all()
    found = await listed(session, rows, of)
    return next((bot for bot in found if of is None or bot.user_ids), None)


async def some(
    session: TenantSession, bot_ids: Sequence[BotId], of: CalendarUserId
) -> tuple[Bot, ...]:
    """Return bots by id, as a person may see them."""
    statement = select(bots).where(bots.c.id.in_(bot_ids)).order_by(bots.c.id)
    return await listed(session, (await session.execute(statement)).all(), of)


async def listed(
    session: TenantSession, rows: Sequence[Row[Any]], of: CalendarUserId | None = None
) -> tuple[Bot, ...]:
    """Turn rows into bots, each with its events; ``of``: as that person may see them.

    A bot that serves others too is then told of in the person's own words, with their events alone.
    """
    links: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    statement = select(bot_events).where(bot_events.c.bot_id.in_(list(links)))
    for link in await session.execute(statement.order_by(bot_events.c.event_id)):
        links[link.bot_id].append(link)
    if of is None:
        return tuple(bot_of(session, row, links[row.id]) for row in rows)
    own = {bot: [link for link in found if link.user_id == of] for bot, found in links.items()}
    found = tuple(bot_of(session, row, own[row.id]) for row in rows)
    shared = [bot for bot in found if len(own[bot.id]) < len(links[bot.id])]
    worded = await _in_own_words(session, shared)
    return tuple(worded.get(bot.id, bot) for bot in found)


async def _in_own_words(session: TenantSession, shared: Sequence[Bot]) -> dict[BotId, Bot]:
    """Have bots say what the first of these events says, and the rule that decided it."""
    firsts = {bot.id: bot.event_ids[0] for bot in shared if bot.event_ids}
    said = {row.event.id: row.event for row in await events_of(session, firsts.values())}
    decided = await decisions.current(session, list(firsts.values()))
    worded: dict[BotId, Bot] = {}
    for bot in shared:
        event = said.get(firsts.get(bot.id, EventId("")))
        decision = decided.get(event.id) if event is not None else None
        content = msgspec.structs.replace(
            bot.content,
            title=event.content.title if event is not None else None,
            ical_uid=event.ical_uid if event is not None else None,
            rule=decision.content.rule if decision is not None else None,
            bot_config=(decision.content.bot_config or {}) if decision is not None else {},
            order=None,
        )
        worded[bot.id] = msgspec.structs.replace(bot, content=content)
    return worded


async def scheduled_for(session: TenantSession, connection_id: ConnectionId) -> tuple[BotId, ...]:
    """Return the bots that wait to go to a meeting which this connection shows."""
    statement = (
        select(bots.c.id)
        .distinct()
        .join(bot_events, bot_events.c.bot_id == bots.c.id)
        .join(events, events.c.id == bot_events.c.event_id)
        .where(events.c.connection_id == connection_id, bots.c.status == "scheduled")
        .order_by(bots.c.id)
    )
    return tuple(BotId(row.id) for row in await session.execute(statement))


async def upcoming(
    session: TenantSession, user_id: CalendarUserId, now: datetime, limit: int
) -> tuple[Bot, ...]:
    """Return a person's bots that are to join after ``now``, the next first, as they see them."""
    theirs = select(bot_events.c.bot_id).where(bot_events.c.user_id == user_id)
    statement = (
        select(bots)
        .where(bots.c.id.in_(theirs), bots.c.status == "scheduled", bots.c.join_at > now)
        .order_by(bots.c.join_at, bots.c.id)
        .limit(limit)
    )
    return await listed(session, (await session.execute(statement)).all(), user_id)
