"""What a tenant keeps no longer, a batch at a time; what is still needed stays, however old.

Each statement deletes up to a number of rows that lie wholly before an instant, and says how many.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, or_, select

from meetbot_calendar.bots.model import FINAL
from meetbot_calendar.storage import usage
from meetbot_calendar.storage.outbox_tables import deliveries, messages
from meetbot_calendar.storage.series_tables import series, series_overrides
from meetbot_calendar.storage.tables import bot_events, bots, connections, decisions, events
from tenants.storage.session import TenantSession
from tenants.storage.tables import api_keys

Batch = Callable[[TenantSession, datetime, int], Awaitable[int]]


async def purge_messages(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete messages with their deliveries, unless one of these is still on its way."""
    on_its_way = exists().where(
        deliveries.c.message_id == messages.c.id, deliveries.c.due_at.is_not(None)
    )
    return await _delete(
        session, messages, and_(messages.c.created_at < before, ~on_its_way), limit
    )


async def purge_bots(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete bots that have ended, unless one of their meetings lies later.

    What became of a bot is what keeps another from being sent to the same meeting: a meeting that
    was put off after its bot was stopped still knows it.
    """
    linked = select(bot_events.c.event_id).where(bot_events.c.bot_id == bots.c.id).correlate(bots)
    later = exists().where(
        events.c.end_at >= before,
        or_(events.c.id.in_(linked), events.c.meeting_keys.overlap(bots.c.meeting_keys)),
    )
    over = and_(bots.c.join_at < before, bots.c.end_at < before)
    settled = and_(bots.c.status.in_(FINAL), bots.c.due_at.is_(None))
    which = _oldest(bots, and_(over, settled, ~later), limit)
    bot_ids = list((await session.execute(which)).scalars())
    await usage.write_off(session, bot_ids)
    await session.execute(delete(bots).where(bots.c.id.in_(bot_ids)))
    return len(bot_ids)


async def purge_events(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete events that are over, with their decisions and overrides.

    One that is still to be decided stays, and one whose bot is still at work.
    """
    at_work = exists().where(
        bot_events.c.event_id == events.c.id,
        bots.c.id == bot_events.c.bot_id,
        or_(bots.c.status.not_in(FINAL), bots.c.due_at.is_not(None)),
    )
    over = or_(
        events.c.end_at < before, and_(events.c.end_at.is_(None), events.c.updated_at < before)
    )
    decided = events.c.decide_due_at.is_(None)
    return await _delete(session, events, and_(over, decided, ~at_work), limit)


async def purge_decisions(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete decisions that later ones replaced; the standing one stays with its event."""
    replaced = (
        select(decisions.c.event_id, decisions.c.version)
        .join(events, events.c.id == decisions.c.event_id)
        .where(decisions.c.decided_at < before, decisions.c.version != events.c.decided_version)
        .limit(limit)
        .cte("replaced")
        .prefix_with("materialized")
    )
    statement = delete(decisions).where(
        decisions.c.event_id == replaced.c.event_id, decisions.c.version == replaced.c.version
    )
    return (await session.execute(statement)).rowcount


async def purge_series_overrides(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete what people said of a stretch of a series that is over; without an end it stays."""
    return await _delete(session, series_overrides, series_overrides.c.last_slot < before, limit)


async def purge_series(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete what was read of series that nobody follows, once all of their events are over."""
    coming = exists().where(
        events.c.calendar_id == series.c.calendar_id,
        events.c.series_id == series.c.platform_id,
        events.c.end_at >= before,
    )
    left = and_(
        series.c.updated_at < before, series.c.follows.is_(False), series.c.due_at.is_(None)
    )
    return await _delete(session, series, and_(left, ~coming), limit)


async def purge_keys(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete API keys that have long opened nothing."""
    over = or_(api_keys.c.revoked_at < before, api_keys.c.expires_at < before)
    return await _delete(session, api_keys, over, limit)


async def purge_connections(session: TenantSession, before: datetime, limit: int) -> int:
    """Delete connections that were parted from, once all of their events are over."""
    coming = exists().where(events.c.connection_id == connections.c.id, events.c.end_at >= before)
    parted = and_(connections.c.removed_at < before, connections.c.due_at.is_(None))
    return await _delete(session, connections, and_(parted, ~coming), limit)


PURGES: Mapping[str, Batch] = {
    "messages": purge_messages,
    "bots": purge_bots,
    "events": purge_events,
    "decisions": purge_decisions,
    "series_overrides": purge_series_overrides,
    "series": purge_series,
    "api_keys": purge_keys,
    "connections": purge_connections,
}


async def _delete(
    session: TenantSession, table: Table, which: ColumnElement[bool], limit: int
) -> int:
    """Delete the oldest of these rows; what somebody else holds is left for the next time.

    As a plain subquery PostgreSQL may ask for the oldest anew for each row, which then are others.
    """
    oldest = _oldest(table, which, limit).cte("oldest").prefix_with("materialized")
    chosen = table.c.id.in_(select(oldest.c.id))
    return (await session.execute(delete(table).where(chosen))).rowcount


def _oldest(table: Table, which: ColumnElement[bool], limit: int) -> Select[tuple[str]]:
    return (
        select(table.c.id)
        .where(which)
        .order_by(table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=table)
    )
