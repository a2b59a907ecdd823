"""Bots: their plans, their leases, and which are due."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Row,
    bindparam,
    case,
    delete,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from meetbot_calendar.bots.model import FINAL, Bot, BotContent, BotId
from meetbot_calendar.calendars.model import EventId
from meetbot_calendar.storage.tables import bot_events, bots, events
from tenants.identity import TenantId
from tenants.storage.session import GateSession, TenantSession

Due = datetime | None
"""When a bot is to be looked at; None: never."""


async def tenant_of(session: GateSession, bot_id: BotId) -> TenantId | None:
    """Say whose bot the gate was opened for."""
    named = select(bots.c.tenant_id).where(bots.c.id == bot_id)
    found = (await session.execute(named)).scalar_one_or_none()
    return None if found is None else TenantId(found)


async def sent_as(session: GateSession, fleet_bot_id: str) -> tuple[TenantId, BotId] | None:
    """Say which bot, and whose, has the fleet's id that the gate was opened for: the latest."""
    named = select(bots.c.tenant_id, bots.c.id).where(bots.c.fleet_bot_id == fleet_bot_id)
    found = (await session.execute(named.order_by(bots.c.id.desc()).limit(1))).first()
    return None if found is None else (TenantId(found.tenant_id), BotId(found.id))


async def get(session: TenantSession, bot_id: BotId, *, lock: bool = False) -> Bot | None:
    """Return one bot with its events; ``lock`` keeps others from changing it until the commit."""
    return (await get_many(session, [bot_id], lock=lock)).get(bot_id)


async def get_many(
    session: TenantSession, bot_ids: Sequence[BotId], *, lock: bool = False
) -> dict[BotId, Bot]:
    """Return bots by id; ``lock`` takes them in order, so that no two callers wait in a ring."""
    statement = select(bots).where(bots.c.id.in_(bot_ids)).order_by(bots.c.id)
    if lock:
        statement = statement.with_for_update()
    rows = (await session.execute(statement)).all()
    return {bot.id: bot for bot in await _with_events(session, rows)}


async def of_meetings(
    session: TenantSession, keys: Sequence[str], event_ids: Sequence[EventId]
) -> tuple[Bot, ...]:
    """Return every bot, past ones too, that shares a meeting key or an event; locks them."""
    linked = select(bot_events.c.bot_id).where(bot_events.c.event_id.in_(event_ids))
    statement = (
        select(bots)
        .where(or_(bots.c.meeting_keys.overlap(list(keys)), bots.c.id.in_(linked)))
        .order_by(bots.c.id)
        .with_for_update()
    )
    return await _with_events(session, (await session.execute(statement)).all())


async def shared_with(
    session: TenantSession, event_ids: Collection[EventId], keys: Collection[str]
) -> set[EventId]:
    """Return all events of the live bots that share a meeting key or an event with these."""
    linked = select(bot_events.c.bot_id).where(bot_events.c.event_id.in_(list(event_ids)))
    live = select(bots.c.id).where(
        bots.c.status.not_in(FINAL),
        or_(bots.c.meeting_keys.overlap(list(keys)), bots.c.id.in_(linked)),
    )
    statement = select(bot_events.c.event_id).where(bot_events.c.bot_id.in_(live))
    return {EventId(row.event_id) for row in await session.execute(statement)}


async def _with_events(session: TenantSession, rows: Sequence[Row[Any]]) -> tuple[Bot, ...]:
    links: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    statement = select(bot_events).where(bot_events.c.bot_id.in_(list(links)))
    for link in await session.execute(statement.order_by(bot_events.c.event_id)):
        links[link.bot_id].append(link)
    return tuple(bot_of(session, row, links[row.id]) for row in rows)


async def add(session: TenantSession, fresh: Sequence[Bot]) -> None:
    """Write new bots; each is due when it is to join."""
    if not fresh:
        return
    rows = [
        {
            "id": bot.id,
            "tenant_id": session.tenant_id,
            "generation": bot.generation,
            "created_at": bot.created_at,
            "due_at": bot.join_at,
            **_plan(session, bot),
        }
        for bot in fresh
    ]
    await session.execute(insert(bots), rows)
    await _link(session, fresh)


async def replan(session: TenantSession, changed: Mapping[BotId, tuple[Bot, Due]]) -> None:
    """Write changed plans; whoever holds a bot that waits has lost it, and takes it anew."""
    if not changed:
        return
    rows = [
        {
            "generation": bot.generation,
            "due_at": due_at,
            "stopped_by": bot.stopped_by,
            **_plan(session, bot),
        }
        for _, (bot, due_at) in sorted(changed.items())
    ]
    changes: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0]}
    # What became of a bot that is being sent is still to be found out, whatever else changes.
    is_sent = bindparam("is_sent", type_=Boolean)
    changes["due_at"] = case((is_sent, bots.c.due_at), else_=changes["due_at"])
    waits = bindparam("waits", type_=Boolean)
    for name in ("lease_id", "lease_until"):
        changes[name] = case((waits, null()), else_=bots.c[name])
    statement = update(bots).where(bots.c.id == bindparam("which")).values(changes)
    given = [
        {
            "which": bot_id,
            "is_sent": row["status"] == "dispatching",
            "waits": row["status"] == "scheduled",
        }
        | {f"new_{name}": value for name, value in row.items()}
        for bot_id, row in zip(sorted(changed), rows, strict=True)
    ]
    await session.execute(statement, given)
    await session.execute(delete(bot_events).where(bot_events.c.bot_id.in_(list(changed))))
    await _link(session, [bot for bot, _ in changed.values()])


def _plan(session: TenantSession, bot: Bot) -> dict[str, Any]:
    return {
        "status": bot.status,
        "source": bot.source,
        "reason": bot.reason,
        "meeting_keys": list(bot.keys),
        "start_at": bot.start,
        "end_at": bot.end,
        "join_at": bot.join_at,
        "platform": bot.platform,
        "content": session.seal(bot.id, bot.content),
        "updated_at": bot.updated_at,
    }


async def _link(session: TenantSession, linked: Sequence[Bot]) -> None:
    wanted = [event_id for bot in linked for event_id in bot.event_ids]
    statement = select(events.c.id, events.c.user_id).where(events.c.id.in_(wanted))
    owner = {row.id: row.user_id for row in await session.execute(statement)}
    links = [
        {
            "tenant_id": session.tenant_id,
            "bot_id": bot.id,
            "event_id": event_id,
            "user_id": owner[event_id],
        }
        for bot in linked
        for event_id in bot.event_ids
    ]
    if links:
        await session.execute(insert(bot_events), links)


async def record(
    session: TenantSession, bot_id: BotId, values: Mapping[str, Any], now: datetime
) -> None:
    """Write what happened to a bot, by column, and let go of it."""
    await session.execute(
        update(bots)
        .where(bots.c.id == bot_id)
        .values(lease_id=None, lease_until=None, updated_at=now, **values)
    )


async def record_many(
    session: TenantSession, values: Mapping[BotId, Mapping[str, Any]], now: datetime
) -> None:
    """Write what happened to several bots, the same columns of each, and let go of them."""
    if not values:
        return
    columns = next(iter(values.values()))
    statement = (
        update(bots)
        .where(bots.c.id == bindparam("which"))
        .values(
            lease_id=None,
            lease_until=None,
            updated_at=now,
            **{name: bindparam(f"new_{name}") for name in columns},
        )
    )
    rows = [
        {"which": bot_id} | {f"new_{name}": value for name, value in what.items()}
        for bot_id, what in sorted(values.items())
    ]
    await session.execute(statement, rows)


async def stop(session: TenantSession, bot_ids: Sequence[BotId]) -> None:
    """Remember of cancelled bots that a person stopped them: no rule sends another."""
    await session.execute(update(bots).where(bots.c.id.in_(bot_ids)).values(stopped_by="person"))


async def rewrite_content(session: TenantSession, bot_id: BotId, content: BotContent) -> None:
    """Replace what a bot says."""
    await session.execute(
        update(bots).where(bots.c.id == bot_id).values(content=session.seal(bot_id, content))
    )


async def recall_of(session: TenantSession, bot_id: BotId) -> str | None:
    """Return the fleet's id of a bot that must be called back."""
    statement = select(bots.c.recall_fleet_bot_id).where(bots.c.id == bot_id)
    found: str | None = (await session.execute(statement)).scalar_one_or_none()
    return found


def bot_of(session: TenantSession, row: Row[Any], links: Sequence[Row[Any]]) -> Bot:
    """Turn a row and its links into a bot."""
    return Bot(
        id=row.id,
        tenant_id=row.tenant_id,
        status=row.status,
        source=row.source,
        reason=row.reason,
        keys=tuple(row.meeting_keys),
        start=row.start_at,
        end=row.end_at,
        join_at=row.join_at,
        platform=row.platform,
        content=session.open(row.id, row.content, BotContent),
        generation=row.generation,
        event_ids=tuple(link.event_id for link in links),
        user_ids=tuple(dict.fromkeys(link.user_id for link in links)),
        fleet_bot_id=row.fleet_bot_id,
        attempts=row.attempts,
        stopped_by=row.stopped_by,
        dispatched_at=row.dispatched_at,
        joined_at=row.joined_at,
        completed_at=row.completed_at,
        duration_seconds=row.duration_seconds,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def remember_stopped(session: TenantSession, heirs: Mapping[EventId, EventId]) -> None:
    """Let the heirs of events know the bots that a person or the host stopped there."""
    statement = (
        select(bot_events)
        .join(bots, bots.c.id == bot_events.c.bot_id)
        .where(bot_events.c.event_id.in_(list(heirs)), bots.c.stopped_by.is_not(None))
    )
    known = await session.execute(statement)
    links = [{**link, "event_id": heirs[link["event_id"]]} for link in known.mappings()]
    if links:
        await session.execute(upsert(bot_events).values(links).on_conflict_do_nothing())
