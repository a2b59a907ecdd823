"""Who is at work on a calendar: a lease to read it, and how the round went."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, case, or_, select, update

from meetbot_calendar.calendars.model import (
    Calendar,
    CalendarId,
    Provider,
    Window,
)
from meetbot_calendar.storage.calendars import calendar_of, free_to_ask, joined, readable
from meetbot_calendar.storage.tables import calendars, connections
from tenants.identity import new_id
from tenants.storage.session import TenantSession


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar that is ours to sync until ``until``. ``ring`` is how often it had been rung.

    ``listed_at`` is when its account's calendars were last listed.
    """

    calendar: Calendar
    listed_at: datetime | None
    lease_id: str
    ring: int
    until: datetime


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a finished round leaves a calendar."""

    cursor: str | None
    window: Window
    complete_at: datetime
    due_at: datetime
    is_urgent: bool = False


class Setback(msgspec.Struct, frozen=True, kw_only=True):
    """Where a failed round leaves a calendar. ``due_at`` None: not before somebody acts."""

    code: str
    detail: str
    due_at: datetime | None
    keep_cursor: bool = True


async def claim(
    session: TenantSession, calendar_id: CalendarId, *, now: datetime, until: datetime
) -> Lease | None:
    """Take a selected calendar whose connection works; None where it is taken or not to be read.

    Of an Outlook mailbox one calendar is read at a time, whatever the number of workers: Graph
    lets an app ask four things of it at once (providers.md 8), and one reading may need them all.
    """
    lease_id = new_id("lea", now)
    statement = (
        update(calendars)
        .where(
            calendars.c.id == calendar_id,
            calendars.c.selected,
            calendars.c.connection_id.in_(readable()),
            calendars.c.connection_id.not_in(_busy_mailboxes(calendar_id, now)),
            free_to_ask(now),
            or_(calendars.c.lease_until.is_(None), calendars.c.lease_until <= now),
        )
        .values(lease_id=lease_id, lease_until=until, last_attempt_at=now)
        .returning(calendars.c.ring)
    )
    ring = (await session.execute(statement)).scalar_one_or_none()
    if ring is None:
        return None
    row = (await session.execute(joined().where(calendars.c.id == calendar_id))).one()
    return Lease(
        calendar=calendar_of(row),
        listed_at=row.listed_at,
        lease_id=lease_id,
        ring=ring,
        until=until,
    )


def _busy_mailboxes(calendar_id: CalendarId, now: datetime) -> Select[Any]:
    other = calendars.alias("other")
    return (
        select(other.c.connection_id)
        .join(connections, connections.c.id == other.c.connection_id)
        .where(
            connections.c.provider == Provider.OUTLOOK.value,
            other.c.id != calendar_id,
            other.c.connection_id == calendars.c.connection_id,
            other.c.lease_until > now,
        )
        .correlate(calendars)
    )


async def finish(session: TenantSession, lease: Lease, progress: Progress, now: datetime) -> bool:
    """Record a finished round; False where the lease was lost, and nothing may be committed.

    A ring that came meanwhile makes the calendar due at once. It is the last statement of its
    transaction, because it locks the row, and whoever brings a notice waits for that lock.
    """
    rung = calendars.c.ring != lease.ring
    statement = (
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(
            cursor=progress.cursor,
            window_start=progress.window.start,
            window_end=progress.window.end,
            last_complete_sync_at=progress.complete_at,
            due_at=case((rung, now), else_=progress.due_at),
            is_urgent=case((rung, True), else_=progress.is_urgent),
            failures=0,
            error_code=None,
            error_detail=None,
            lease_id=None,
            lease_until=None,
            updated_at=now,
        )
    )
    return (await session.execute(statement)).rowcount == 1


async def fail(session: TenantSession, lease: Lease, setback: Setback, now: datetime) -> None:
    """Record a failed round: why, and when to try again."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(
            cursor=calendars.c.cursor if setback.keep_cursor else None,
            failures=calendars.c.failures + 1,
            error_code=setback.code,
            error_detail=setback.detail,
            due_at=setback.due_at,
            is_urgent=False,
            lease_id=None,
            lease_until=None,
            updated_at=now,
        )
    )
