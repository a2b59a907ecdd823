"""Each tenant's nightly rounds: when the next of a kind is due, and what it looks at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import and_, func, select, update

from meetbot_calendar.calendars.model import CalendarId
from meetbot_calendar.storage.calendars import readable
from meetbot_calendar.storage.tables import calendars, events, watches
from tenants.identity import CalendarUserId, TenantId
from tenants.storage.session import SweepSession, TenantSession
from tenants.storage.tables import calendar_users, tenants

Round = Literal["nightly", "renewal"]

_DUE = {"nightly": tenants.c.nightly_due_at, "renewal": tenants.c.renewal_due_at}


async def due(session: SweepSession, kind: Round, now: datetime, limit: int) -> Sequence[TenantId]:
    """Say for which tenants a round is due, longest due first."""
    statement = select(tenants.c.id).where(_DUE[kind] <= now).order_by(_DUE[kind]).limit(limit)
    return [TenantId(row.id) for row in await session.execute(statement)]


async def claim(session: TenantSession, kind: Round, now: datetime, until: datetime) -> bool:
    """Take a tenant's round; it is due again at ``until``, should we not end it. False: not due."""
    statement = (
        update(tenants)
        .where(tenants.c.id == session.tenant_id, _DUE[kind] <= now)
        .values({_DUE[kind].name: until})
    )
    return (await session.execute(statement)).rowcount == 1


async def finish(
    session: TenantSession, kind: Round, claimed_until: datetime, next_at: datetime
) -> None:
    """End a round that is still ours, and say when the next one is due."""
    await session.execute(
        update(tenants)
        .where(tenants.c.id == session.tenant_id, _DUE[kind] == claimed_until)
        .values({_DUE[kind].name: next_at})
    )


async def mark_auto_scheduled(
    session: TenantSession, now: datetime, until: datetime
) -> tuple[CalendarUserId, ...]:
    """Mark what begins by then, of all who have everything scheduled; returns whose that is."""
    people = select(calendar_users.c.id).where(calendar_users.c.auto_schedule)
    coming = and_(
        events.c.user_id.in_(people),
        events.c.is_deleted.is_(False),
        events.c.end_at > now,
        events.c.start_at < until,
    )
    marked = update(events).where(coming).values(decide_due_at=now).returning(events.c.user_id)
    found = {CalendarUserId(row.user_id) for row in await session.execute(marked)}
    return tuple(sorted(found))


async def mark_expiring(
    session: TenantSession, now: datetime, until: datetime
) -> tuple[CalendarId, ...]:
    """Have the watches looked after that end by then; returns whose they are."""
    ending = (
        select(watches.c.calendar_id)
        .group_by(watches.c.calendar_id)
        .having(func.max(watches.c.expires_at) <= until)
    )
    statement = (
        update(calendars)
        .where(
            calendars.c.id.in_(ending),
            calendars.c.selected,
            calendars.c.push != "unsupported",
            calendars.c.connection_id.in_(readable()),
        )
        .values(push_due_at=now)
        .returning(calendars.c.id)
    )
    return tuple(sorted(CalendarId(row.id) for row in await session.execute(statement)))
