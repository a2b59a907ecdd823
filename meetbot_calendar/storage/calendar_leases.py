"""Who is at work on a calendar: a lease to read it, and how the round went."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, DateTime, bindparam, case, func, or_, select, update

from meetbot_calendar.calendars.model import (
    Calendar,
    CalendarId,
    Provider,
    Window,
)
from meetbot_calendar.storage.calendars import calendar_of
from meetbot_calendar.storage.departures import next_departures
from meetbot_calendar.storage.tables import calendars, connections
from tenants.identity import new_id
from tenants.storage.session import TenantSession


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar that is ours to sync until ``until``, with all that reading it takes.

    ``ring`` is how often it had been rung; ``departures`` when its next bots leave. ``lists`` says
    that it is the one of its account's calendars that asks for the list of all of them, last done
    at ``listed_at`` and then of this ``digest``. ``sealed_grant`` is the connection's, still shut,
    and was given to ``client_id``. ``is_urgent``: something other than its turn made it due.
    """

    calendar: Calendar
    lists: bool
    listed_at: datetime | None
    digest: str | None
    departures: tuple[datetime, ...]
    sealed_grant: bytes
    client_id: str
    is_urgent: bool
    lease_id: str
    ring: int
    until: datetime

    def __repr__(self) -> str:
        return f"Lease({self.lease_id}, {self.calendar.id})"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a finished round leaves a calendar; ``listed_at``: the account's list was read too."""

    cursor: str | None
    window: Window
    complete_at: datetime
    due_at: datetime
    is_urgent: bool = False
    listed_at: datetime | None = None
    created: int = 0
    updated: int = 0
    deleted: int = 0


class Setback(msgspec.Struct, frozen=True, kw_only=True):
    """Where a failed round leaves a calendar. ``due_at`` None: not before somebody acts."""

    code: str
    detail: str
    due_at: datetime | None
    keep_cursor: bool = True


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """How the last round of a calendar went, and which ring it answers."""

    ring: int
    created: int
    updated: int
    deleted: int


_RUNG_AGAIN = timedelta(seconds=5)
_other = calendars.alias("other")
_first = calendars.alias("first")
_busy_mailbox = (
    select(_other.c.id)
    .where(
        connections.c.provider == Provider.OUTLOOK.value,
        _other.c.id != calendars.c.id,
        _other.c.connection_id == calendars.c.connection_id,
        _other.c.lease_until > bindparam("at"),
    )
    .correlate(calendars, connections)
    .exists()
)
_lister = (
    select(func.min(_first.c.id))
    .where(
        _first.c.connection_id == calendars.c.connection_id,
        _first.c.selected,
        _first.c.failures == 0,
    )
    .correlate(calendars)
    .scalar_subquery()
)
# Built once: to put such a statement together costs more than to send it.
_CLAIM = (
    update(calendars)
    .where(
        calendars.c.id == bindparam("which"),
        calendars.c.selected,
        connections.c.id == calendars.c.connection_id,
        connections.c.status != "needs_reauth",
        connections.c.removed_at.is_(None),
        ~_busy_mailbox,
        or_(calendars.c.held_until.is_(None), calendars.c.held_until <= bindparam("at")),
        or_(calendars.c.lease_until.is_(None), calendars.c.lease_until <= bindparam("at")),
    )
    .values(
        lease_id=bindparam("lease"), lease_until=bindparam("until"), last_attempt_at=bindparam("at")
    )
    .returning(
        calendars,
        connections.c.provider,
        connections.c.about.label("account"),
        connections.c.listed_at,
        connections.c.listing_digest,
        connections.c.grant_sealed,
        connections.c.client_id,
        func.coalesce(_lister == calendars.c.id, True).label("lists"),
        next_departures(bindparam("at")).label("departures"),
    )
)


async def claim(
    session: TenantSession,
    calendar_id: CalendarId,
    *,
    now: datetime,
    until: datetime,
) -> Lease | None:
    """Take a selected calendar whose connection works; None where it is taken or not to be read.

    Of an Outlook mailbox one calendar is read at a time, whatever the number of workers: Graph
    lets an app ask four things of it at once (providers.md 8), and one reading may need them all.
    """
    lease_id = new_id("lea", now)
    given = {"which": calendar_id, "at": now, "lease": lease_id, "until": until}
    row = (await session.execute(_CLAIM, given)).one_or_none()
    if row is None:
        return None
    return Lease(
        calendar=calendar_of(session, row),
        lists=row.lists,
        listed_at=row.listed_at,
        digest=row.listing_digest,
        departures=tuple(row.departures),
        sealed_grant=row.grant_sealed,
        client_id=row.client_id,
        is_urgent=row.is_urgent,
        lease_id=lease_id,
        ring=row.ring,
        until=until,
    )


_WELL = (
    update(connections)
    .where(connections.c.id == bindparam("of"), connections.c.status != "needs_reauth")
    .values(
        last_sync_at=bindparam("at"),
        listed_at=func.coalesce(
            bindparam("listed", type_=DateTime(timezone=True)), connections.c.listed_at
        ),
        status="active",
        error_code=None,
        error_detail=None,
    )
)
_rung = calendars.c.ring != bindparam("rings")
_FINISH = (
    update(calendars)
    .where(calendars.c.id == bindparam("which"), calendars.c.lease_id == bindparam("lease"))
    .values(
        cursor=bindparam("end"),
        window_start=bindparam("since"),
        window_end=bindparam("till"),
        last_complete_sync_at=bindparam("at"),
        due_at=case((_rung, bindparam("at")), else_=bindparam("next")),
        is_urgent=case((_rung, True), else_=bindparam("urgent")),
        answered_ring=bindparam("rings"),
        last_created=bindparam("created"),
        last_updated=bindparam("updated"),
        last_deleted=bindparam("deleted"),
        failures=0,
        error_code=None,
        error_detail=None,
        lease_id=None,
        lease_until=None,
        updated_at=bindparam("at"),
    )
    .add_cte(_WELL.cte("well"))
)


async def prolong(session: TenantSession, lease: Lease, until: datetime) -> None:
    """Keep a lease for longer, if it is still ours."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(lease_until=until)
    )


async def finish(session: TenantSession, lease: Lease, progress: Progress) -> bool:
    """Record a finished round, and that the connection works; False where the lease was lost.

    Then nothing may be committed. A ring that came meanwhile makes the calendar due at once. It is
    the last statement of its transaction, for it locks the row, and whoever brings a notice waits
    for that lock. A connection that waits for its person goes on waiting.
    """
    given = {
        "which": lease.calendar.id,
        "of": lease.calendar.connection_id,
        "lease": lease.lease_id,
        "rings": lease.ring,
        "at": progress.complete_at,
        "listed": progress.listed_at,
        "end": progress.cursor,
        "since": progress.window.start,
        "till": progress.window.end,
        "next": progress.due_at,
        "urgent": progress.is_urgent,
        "created": progress.created,
        "updated": progress.updated,
        "deleted": progress.deleted,
    }
    return (await session.execute(_FINISH, given)).rowcount == 1


async def fail(session: TenantSession, lease: Lease, setback: Setback, now: datetime) -> None:
    """Record a failed round: why, and when to try again; soon, where it was rung meanwhile."""
    rung = calendars.c.ring != lease.ring
    due_at: ColumnElement[datetime] | None = None
    if setback.due_at is not None:
        soon = min(setback.due_at, now + _RUNG_AGAIN)
        due_at = case((rung, soon), else_=setback.due_at)
    await session.execute(
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(
            answered_ring=lease.ring,
            last_created=0,
            last_updated=0,
            last_deleted=0,
            cursor=calendars.c.cursor if setback.keep_cursor else None,
            failures=calendars.c.failures + 1,
            error_code=setback.code,
            error_detail=setback.detail,
            due_at=due_at,
            is_urgent=rung,
            lease_id=None,
            lease_until=None,
            updated_at=now,
        )
    )


async def let_go(session: TenantSession, lease: Lease) -> None:
    """Give a lease back as if it had never been taken: the calendar stays due."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(lease_id=None, lease_until=None)
    )


async def put_off(
    session: TenantSession, lease: Lease, due_at: datetime, *, is_urgent: bool
) -> None:
    """Give a lease back unused, to be due then; what rang meanwhile is not put off."""
    rung = calendars.c.ring != lease.ring
    await session.execute(
        update(calendars)
        .where(calendars.c.id == lease.calendar.id, calendars.c.lease_id == lease.lease_id)
        .values(
            due_at=case((rung, calendars.c.due_at), else_=due_at),
            is_urgent=case((rung, True), else_=is_urgent),
            lease_id=None,
            lease_until=None,
        )
    )


async def answered(session: TenantSession, calendar_id: CalendarId) -> Answered | None:
    """Return how the last round went; None where there is no such calendar any more."""
    statement = select(
        calendars.c.answered_ring.label("ring"),
        calendars.c.last_created.label("created"),
        calendars.c.last_updated.label("updated"),
        calendars.c.last_deleted.label("deleted"),
    ).where(calendars.c.id == calendar_id)
    row = (await session.execute(statement)).mappings().one_or_none()
    return None if row is None else Answered(**row)
