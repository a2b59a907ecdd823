"""Series that a person has followed: their master as last read, where it stands, when it is due."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NewType

import msgspec
from sqlalchemy import Row, Select, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from meetbot_calendar.calendars.model import CalendarId, EventId
from meetbot_calendar.calendars.recurrence import Series
from meetbot_calendar.storage.events import EventRow, event_row, joined
from meetbot_calendar.storage.tables import events, series
from tenants.identity import CalendarUserId, TenantId
from tenants.storage.session import SweepSession, TenantSession

SeriesId = NewType("SeriesId", str)

_SLOT = func.coalesce(events.c.original_start, events.c.start_at)


class SeriesContent(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored sealed: the master as last read, and the settings of the bots to come."""

    master: Series | None = None
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)


class StoredSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One series in one calendar.

    Where ``follows`` is on, the occurrence after the one of ``slot`` gets a bot once that is over.
    ``due_at`` is when to look; None while there is nothing to wait for.
    """

    id: SeriesId
    user_id: CalendarUserId
    calendar_id: CalendarId
    platform_id: str
    follows: bool = False
    slot: datetime | None = None
    content: SeriesContent = SeriesContent()
    actor: str
    due_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


async def get(session: TenantSession, series_id: SeriesId) -> StoredSeries | None:
    """Return one series, by our id, and keep others from changing it until the commit."""
    statement = select(series).where(series.c.id == series_id).with_for_update()
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else _series_of(session, row)


async def find(
    session: TenantSession, calendar_id: CalendarId, platform_id: str
) -> StoredSeries | None:
    """Return one series, by the provider's id, and keep others from changing it."""
    statement = (
        select(series)
        .where(series.c.calendar_id == calendar_id, series.c.platform_id == platform_id)
        .with_for_update()
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else _series_of(session, row)


async def save(session: TenantSession, found: StoredSeries) -> None:
    """Write a series, over what stood of it."""
    values = {
        "follows": found.follows,
        "slot": found.slot,
        "content": session.seal(_name(found.calendar_id, found.platform_id), found.content),
        "actor": found.actor,
        "due_at": found.due_at,
        "updated_at": found.updated_at,
    }
    await session.execute(
        upsert(series)
        .values(
            id=found.id,
            tenant_id=session.tenant_id,
            user_id=found.user_id,
            calendar_id=found.calendar_id,
            platform_id=found.platform_id,
            created_at=found.created_at,
            **values,
        )
        .on_conflict_do_update(index_elements=["calendar_id", "platform_id"], set_=values)
    )


async def in_view(
    session: TenantSession,
    calendar_id: CalendarId,
    platform_id: str,
    ending_after: datetime | None = None,
) -> tuple[EventRow, ...]:
    """Return a series' standing occurrences in the order of their slots, those not over by then."""
    statement = _standing(calendar_id, platform_id)
    if ending_after is not None:
        statement = statement.where(events.c.end_at > ending_after)
    statement = statement.order_by(_SLOT, events.c.id)
    return tuple(event_row(session, row) for row in await session.execute(statement))


async def at_slot(
    session: TenantSession, calendar_id: CalendarId, platform_id: str, slot: datetime
) -> EventRow | None:
    """Return a series' standing occurrence of one slot, be it over or not."""
    statement = _standing(calendar_id, platform_id).where(_SLOT.in_([slot])).order_by(events.c.id)
    row = (await session.execute(statement.limit(1))).first()
    return None if row is None else event_row(session, row)


def _standing(calendar_id: CalendarId, platform_id: str) -> Select[Any]:
    return joined().where(
        events.c.calendar_id == calendar_id,
        events.c.series_id == platform_id,
        events.c.is_deleted.is_(False),
        events.c.start_at.is_not(None),
    )


async def stir(session: TenantSession, event_ids: Collection[EventId], now: datetime) -> None:
    """Have followed series looked at when what they wait for has changed.

    That is the occurrence they stand at, or news of a later one: it may be held before that, or
    they may have waited for one to come into view.
    """
    is_here = and_(series.c.slot == _SLOT, events.c.is_deleted.is_(False))
    is_later = series.c.slot < func.greatest(_SLOT, events.c.start_at)
    touched = and_(
        events.c.id.in_(list(event_ids)),
        events.c.calendar_id == series.c.calendar_id,
        events.c.series_id == series.c.platform_id,
        or_(is_here, is_later),
    )
    await session.execute(
        update(series).where(touched, series.c.follows, series.c.due_at > now).values(due_at=now)
    )


async def due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, SeriesId]]:
    """Say which series are to be looked at, longest due first."""
    statement = (
        select(series.c.tenant_id, series.c.id)
        .where(series.c.due_at <= now)
        .order_by(series.c.due_at)
        .limit(limit)
    )
    return [(TenantId(r.tenant_id), SeriesId(r.id)) for r in await session.execute(statement)]


async def of_user(session: TenantSession, user_id: CalendarUserId) -> tuple[StoredSeries, ...]:
    """Return a person's series, oldest first."""
    statement = select(series).where(series.c.user_id == user_id).order_by(series.c.id)
    return tuple(_series_of(session, row) for row in await session.execute(statement))


def _name(calendar_id: str, platform_id: str) -> str:
    return f"series:{calendar_id}:{platform_id}"


def _series_of(session: TenantSession, row: Row[Any]) -> StoredSeries:
    return StoredSeries(
        id=SeriesId(row.id),
        user_id=row.user_id,
        calendar_id=row.calendar_id,
        platform_id=row.platform_id,
        follows=row.follows,
        slot=row.slot,
        content=session.open(_name(row.calendar_id, row.platform_id), row.content, SeriesContent),
        actor=row.actor,
        due_at=row.due_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
