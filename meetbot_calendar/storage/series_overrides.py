"""What people said of whole series, and which of it stands for an event."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, update

from meetbot_calendar.bots.overrides import SeriesOverride, SeriesOverrideId
from meetbot_calendar.calendars.model import CalendarId, EventId
from meetbot_calendar.storage.tables import events, series_overrides
from tenants.identity import CalendarUserId
from tenants.storage.session import TenantSession


async def add(session: TenantSession, said: SeriesOverride) -> None:
    """Remember what a person said of a series; what was said before stays, and loses."""
    await session.execute(
        insert(series_overrides).values(
            id=said.id,
            tenant_id=session.tenant_id,
            user_id=said.user_id,
            calendar_id=said.calendar_id,
            series_id=said.series_id,
            action=said.action,
            first_slot=said.first_slot,
            last_slot=said.last_slot,
            content=session.seal(said.id, said.bot_config),
            actor=said.actor,
            created_at=said.created_at,
        )
    )


async def reframe(session: TenantSession, said: SeriesOverride) -> None:
    """Write the ends of the stretch anew that something was said of."""
    await session.execute(
        update(series_overrides)
        .where(series_overrides.c.id == said.id)
        .values(first_slot=said.first_slot, last_slot=said.last_slot)
    )


async def of_events(
    session: TenantSession, event_ids: Collection[EventId]
) -> dict[EventId, tuple[SeriesOverride, ...]]:
    """Return what was said of the series that events are of, where it covers them."""
    slot = func.coalesce(events.c.original_start, events.c.start_at)
    meant = and_(
        series_overrides.c.calendar_id == events.c.calendar_id,
        series_overrides.c.series_id == events.c.series_id,
        series_overrides.c.first_slot <= slot,
        or_(series_overrides.c.last_slot.is_(None), series_overrides.c.last_slot >= slot),
    )
    statement = (
        select(events.c.id.label("event_id"), series_overrides)
        .join(series_overrides, meant)
        .where(events.c.id.in_(list(event_ids)))
    )
    found: dict[EventId, tuple[SeriesOverride, ...]] = {}
    for row in await session.execute(statement):
        event_id = EventId(row.event_id)
        found[event_id] = (*found.get(event_id, ()), _override_of(session, row))
    return found


async def of_slot(
    session: TenantSession, calendar_id: CalendarId, series_id: str, slot: datetime
) -> tuple[SeriesOverride, ...]:
    """Return what was said of an occurrence that is not in view yet."""
    statement = select(series_overrides).where(
        _of_series(calendar_id, series_id),
        series_overrides.c.first_slot <= slot,
        or_(series_overrides.c.last_slot.is_(None), series_overrides.c.last_slot >= slot),
    )
    return tuple(_override_of(session, row) for row in await session.execute(statement))


async def of_series(
    session: TenantSession, calendar_id: CalendarId, series_id: str
) -> tuple[SeriesOverride, ...]:
    """Return all that was said of one series, oldest first."""
    statement = select(series_overrides).where(_of_series(calendar_id, series_id))
    found = await session.execute(statement.order_by(series_overrides.c.created_at))
    return tuple(_override_of(session, row) for row in found)


async def of_user(session: TenantSession, user_id: CalendarUserId) -> tuple[SeriesOverride, ...]:
    """Return all that a person said of whole series, oldest first."""
    statement = (
        select(series_overrides)
        .where(series_overrides.c.user_id == user_id)
        .order_by(series_overrides.c.id)
    )
    return tuple(_override_of(session, row) for row in await session.execute(statement))


def _of_series(calendar_id: CalendarId, series_id: str) -> ColumnElement[bool]:
    return and_(
        series_overrides.c.calendar_id == calendar_id,
        series_overrides.c.series_id == series_id,
    )


def _override_of(session: TenantSession, row: Row[Any]) -> SeriesOverride:
    return SeriesOverride(
        id=SeriesOverrideId(row.id),
        user_id=row.user_id,
        calendar_id=row.calendar_id,
        series_id=row.series_id,
        action=row.action,
        first_slot=row.first_slot,
        last_slot=row.last_slot,
        bot_config=session.open(row.id, row.content, dict[str, Any]),
        actor=row.actor,
        created_at=row.created_at,
    )
