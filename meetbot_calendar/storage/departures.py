"""When the bots of a calendar leave, and that it is looked at once more before they do."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ARRAY, ColumnElement, DateTime, func, select, update

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.calendars.model import CalendarId
from meetbot_calendar.storage.tables import bot_events, bots, calendars, events
from tenants.identity import CalendarUserId
from tenants.storage.session import TenantSession


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that leaves at an instant, for a meeting of a calendar that may be stale by then."""

    calendar_id: CalendarId
    user_id: CalendarUserId
    at: datetime
    due_at: datetime | None
    last_looked_at: datetime | None


_FEW = 3


def next_departures(after: ColumnElement[datetime]) -> ColumnElement[Sequence[datetime]]:
    """Select the first few instants at which bots leave for meetings of the calendar at hand."""
    instants = (
        select(bots.c.join_at)
        .distinct()
        .select_from(bots)
        .join(bot_events, bot_events.c.bot_id == bots.c.id)
        .join(events, events.c.id == bot_events.c.event_id)
        .where(
            events.c.calendar_id == calendars.c.id,
            bots.c.status == "scheduled",
            bots.c.join_at > after,
        )
        .order_by(bots.c.join_at)
        .limit(_FEW)
        .correlate(calendars)
    )
    return func.array(instants.scalar_subquery(), type_=ARRAY(DateTime(timezone=True)))


async def unseen(
    session: TenantSession, bot_ids: Sequence[BotId], now: datetime
) -> tuple[Leaving, ...]:
    """Return which of these bots leave before their calendars' next turn."""
    statement = (
        select(
            calendars.c.id,
            calendars.c.user_id,
            calendars.c.due_at,
            calendars.c.last_complete_sync_at,
            func.min(bots.c.join_at).label("at"),
        )
        .join(events, events.c.calendar_id == calendars.c.id)
        .join(bot_events, bot_events.c.event_id == events.c.id)
        .join(bots, bots.c.id == bot_events.c.bot_id)
        .where(
            bots.c.id.in_(list(bot_ids)),
            bots.c.join_at > now,
            calendars.c.due_at.is_not(None),
        )
        .group_by(calendars.c.id)
    )
    return tuple(
        Leaving(
            calendar_id=row.id,
            user_id=row.user_id,
            at=row.at,
            due_at=row.due_at,
            last_looked_at=row.last_complete_sync_at,
        )
        for row in (await session.execute(statement)).all()
    )


async def look_at(session: TenantSession, looks: Mapping[CalendarId, datetime]) -> None:
    """Have calendars read at these instants, should nothing have them read sooner."""
    for calendar_id, at in sorted(looks.items()):
        await session.execute(
            update(calendars)
            .where(calendars.c.id == calendar_id)
            .values(due_at=func.least(calendars.c.due_at, at), is_urgent=True)
        )
