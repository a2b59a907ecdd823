"""The list of an account's calendars as it was last shown, and what came and left since."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from meetbot_calendar.calendars.model import (
    Calendar,
    CalendarId,
    Connection,
    ConnectionId,
    ListedCalendar,
)
from meetbot_calendar.storage.calendars import calendar_of, joined
from meetbot_calendar.storage.names import CalendarContent, calendar_named
from meetbot_calendar.storage.tables import calendars
from tenants.identity import new_id
from tenants.storage.session import TenantSession


async def save_listed(
    session: TenantSession,
    connection: Connection,
    listed: Sequence[ListedCalendar],
    now: datetime,
) -> tuple[CalendarId, ...]:
    """Write the calendars that an account shows; returns those that are to be synced from now on.

    What is as it was writes nothing. One that lets us see more or less than before is read whole:
    Graph's changes do not tell of it. Calendars that show only who is busy, and those that their
    person has hidden, are listed, and not selected until somebody does or they show more.
    """
    statement = select(calendars).where(calendars.c.connection_id == connection.id)
    known = {row.platform_id: row for row in await session.execute(statement)}
    fresh: list[CalendarId] = []
    for entry in listed:
        row = known.get(calendar_named(session, entry.platform_id))
        if row is None:
            fresh += await _add(session, connection, entry, now)
        elif row.out_of_sight and entry.is_synced_unasked:
            await _write(session, row, entry, now, _from_the_beginning(now))
            fresh.append(CalendarId(row.id))
        elif _differs(session, row, entry):
            shows_other = row.selected and row.access_role != entry.access_role
            anew = _read_anew(now) if shows_other else {}
            await _write(session, row, entry, now, anew)
    return tuple(fresh)


async def _add(
    session: TenantSession, connection: Connection, entry: ListedCalendar, now: datetime
) -> list[CalendarId]:
    wanted = entry.is_synced_unasked
    calendar_id = new_id("cal", now)
    values = _listed_values(entry, now)
    statement = (
        upsert(calendars)
        .values(
            id=calendar_id,
            tenant_id=session.tenant_id,
            user_id=connection.user_id,
            connection_id=connection.id,
            platform_id=calendar_named(session, entry.platform_id),
            about=_about(session, calendar_id, entry),
            selected=wanted,
            out_of_sight=not wanted,
            due_at=now if wanted else None,
            push_due_at=now if wanted else None,
            created_at=now,
            **values,
        )
        .on_conflict_do_update(index_elements=["connection_id", "platform_id"], set_=values)
        .returning(calendars.c.id)
    )
    added = CalendarId((await session.execute(statement)).scalar_one())
    return [added] if wanted else []


async def _write(
    session: TenantSession,
    row: Row[Any],
    entry: ListedCalendar,
    now: datetime,
    more: Mapping[str, Any],
) -> None:
    values = {**_listed_values(entry, now), "about": _about(session, row.id, entry), **more}
    await session.execute(update(calendars).where(calendars.c.id == row.id).values(**values))


def _about(session: TenantSession, calendar_id: str, entry: ListedCalendar) -> bytes:
    about = CalendarContent(platform_id=entry.platform_id, name=entry.name)
    return session.seal(calendar_id, about)


def _differs(session: TenantSession, row: Row[Any], entry: ListedCalendar) -> bool:
    values = _listed_values(entry, row.updated_at)
    about = session.open(row.id, row.about, CalendarContent)
    return about.name != entry.name or any(
        getattr(row, name) != value for name, value in values.items()
    )


def _listed_values(entry: ListedCalendar, now: datetime) -> dict[str, Any]:
    return {
        "is_primary": entry.is_primary,
        "is_shared": entry.is_shared,
        "access_role": entry.access_role,
        "timezone": entry.timezone,
        "background_color": entry.background_color,
        "updated_at": now,
    }


def _read_anew(now: datetime) -> dict[str, Any]:
    """Have a calendar listed whole; a round that is under way has read something else."""
    of_the_round = {"lease_id": None, "lease_until": None}
    return {"cursor": None, "due_at": now, "is_urgent": True, **of_the_round}


def _from_the_beginning(now: datetime) -> dict[str, Any]:
    return {
        "selected": True,
        "out_of_sight": False,
        "cursor": None,
        "failures": 0,
        "error_code": None,
        "error_detail": None,
        "due_at": now,
        "is_urgent": True,
        "push_due_at": now,
    }


_NO_DETAILS = "free_busy_reader"


async def out_of_sight(
    session: TenantSession, connection_id: ConnectionId, listed: Sequence[ListedCalendar]
) -> tuple[Calendar, ...]:
    """Return calendars that are synced and that the account shows no longer, or not in detail.

    To be asked before the list is saved. One that showed no details before is somebody's choice.
    """
    chosen = joined().where(calendars.c.connection_id == connection_id, calendars.c.selected)
    roles = {calendar_named(session, entry.platform_id): entry.access_role for entry in listed}
    return tuple(
        calendar_of(session, row)
        for row in await session.execute(chosen)
        if row.platform_id not in roles
        or (roles[row.platform_id] == _NO_DETAILS and row.access_role != _NO_DETAILS)
    )
