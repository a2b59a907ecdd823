"""Events as they are listed: by time or by change, each with its decision and its bots."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, FromClause, Row, Select, func, literal, select

from meetbot_calendar.bots.model import BotId, BotSource, BotStatus
from meetbot_calendar.calendars.model import PRIMARY, CalendarId, EventId, Provider, StoredEvent
from meetbot_calendar.storage import decisions
from meetbot_calendar.storage.decisions import StoredDecision
from meetbot_calendar.storage.events import event_of
from meetbot_calendar.storage.names import account_named, calendar_named
from meetbot_calendar.storage.tables import bot_events, bots, calendars, connections, events
from tenants.identity import CalendarUserId
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import TenantSession

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Where an event without times stands in an order by time."""

_START = func.coalesce(events.c.start_at, literal(NEVER, events.c.start_at.type))


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a person's events; a stretch of time takes all that overlap it.

    ``platform_calendar_id`` is the provider's id of a calendar, ``primary`` every account's first.
    ``unique`` shows of the copies of a meeting the first one that was found.
    """

    time_min: datetime | None = None
    time_max: datetime | None = None
    calendar_id: CalendarId | None = None
    platform_calendar_id: str | None = None
    provider: Provider | None = None
    account_id: str | None = None
    unique: bool = False


class EventBot(msgspec.Struct, frozen=True, kw_only=True):
    """A bot as its events show it."""

    id: BotId
    status: BotStatus
    source: BotSource
    reason: str
    join_at: datetime
    dispatched_at: datetime | None


class ListedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event with what was decided of it and the bots that it wanted."""

    event: StoredEvent
    change_seq: int
    decision: StoredDecision | None
    bots: tuple[EventBot, ...]


async def by_time(
    session: TenantSession, user_id: CalendarUserId, which: EventFilter, keyset: Keyset
) -> Page:
    """List standing events, soonest first; those without times stand last."""
    statement = _joined(events).where(
        *_chosen(session, events, user_id, which), *_shown(events, which)
    )
    if which.unique:
        earlier = events.alias("earlier")
        copies = _joined(earlier).where(
            *_chosen(session, earlier, user_id, which),
            *_shown(earlier, which),
            earlier.c.meeting_keys.overlap(events.c.meeting_keys),
            earlier.c.id < events.c.id,
        )
        statement = statement.where(~copies.correlate(events).exists())
    return await page_of(session, statement, [_START, events.c.id], keyset)


async def by_change(
    session: TenantSession, user_id: CalendarUserId, which: EventFilter, keyset: Keyset
) -> Page:
    """List what changed, oldest change first, deleted events too."""
    order = [events.c.change_seq, events.c.id]
    statement = _joined(events).where(*_chosen(session, events, user_id, which))
    return await page_of(session, statement, order, keyset)


async def one(
    session: TenantSession, user_id: CalendarUserId, event_id: EventId
) -> ListedEvent | None:
    """Return one event of a person's."""
    mine = _joined(events).where(events.c.user_id == user_id, events.c.id == event_id)
    found = await listed(session, (await session.execute(mine)).all())
    return found[0] if found else None


async def listed(session: TenantSession, rows: Sequence[Row[Any]]) -> tuple[ListedEvent, ...]:
    """Turn rows into events, each with its decision and its bots."""
    ids = [EventId(row.id) for row in rows]
    decided = await decisions.current(session, ids)
    wanted = await _bots_of(session, ids)
    return tuple(
        ListedEvent(
            event=event_of(session, row),
            change_seq=row.change_seq,
            decision=decided.get(EventId(row.id)),
            bots=tuple(wanted.get(row.id, ())),
        )
        for row in rows
    )


async def _bots_of(
    session: TenantSession, event_ids: Sequence[EventId]
) -> dict[str, list[EventBot]]:
    statement = (
        select(bot_events.c.event_id, bots)
        .join(bots, bots.c.id == bot_events.c.bot_id)
        .where(bot_events.c.event_id.in_(event_ids))
        .order_by(bots.c.id)
    )
    found: dict[str, list[EventBot]] = {}
    for row in await session.execute(statement):
        bot = EventBot(
            id=row.id,
            status=row.status,
            source=row.source,
            reason=row.reason,
            join_at=row.join_at,
            dispatched_at=row.dispatched_at,
        )
        found.setdefault(row.event_id, []).append(bot)
    return found


def _joined(rows: FromClause) -> Select[Any]:
    """Select rows of events, under whatever name, with what their connection says."""
    of_connection = (connections.c.provider, connections.c.about.label("account"))
    return select(rows, *of_connection).join(connections, connections.c.id == rows.c.connection_id)


def _chosen(
    session: TenantSession, rows: FromClause, user_id: CalendarUserId, which: EventFilter
) -> Iterator[ColumnElement[bool]]:
    yield rows.c.user_id == user_id
    if which.calendar_id is not None:
        yield rows.c.calendar_id == which.calendar_id
    if which.platform_calendar_id is not None:
        yield rows.c.calendar_id.in_(_named(session, user_id, which.platform_calendar_id))
    if which.provider is not None:
        yield connections.c.provider == which.provider.value
    if which.account_id is not None:
        yield connections.c.account_id == account_named(session, which.account_id)


def _shown(rows: FromClause, which: EventFilter) -> Iterator[ColumnElement[bool]]:
    yield rows.c.is_deleted.is_(False)
    if which.time_min is not None:
        yield rows.c.end_at > which.time_min
    if which.time_max is not None:
        yield rows.c.start_at < which.time_max


def _named(session: TenantSession, user_id: CalendarUserId, platform_id: str) -> Select[Any]:
    is_meant = calendars.c.platform_id == calendar_named(session, platform_id)
    if platform_id == PRIMARY:
        is_meant = calendars.c.is_primary
    return select(calendars.c.id).where(calendars.c.user_id == user_id, is_meant)
