"""Sync now: the API asks, the worker reads (it alone can open a grant), the row has the answer."""

from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.calendars.model import Calendar
from meetbot_calendar.errors import Missing, TryLater
from meetbot_calendar.journeys.scope import Scope
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.sync import SyncedCalendar, nothing_new
from meetbot_calendar.storage import calendar_leases, calendars, connections
from tenants.identity import CalendarUserId, TenantContext

_WAIT = 60.0  # seconds that the asking side waits for an answer
_LOOK_AGAIN = 0.25
_NOBODY = "it was not read within a minute; it stays due: see whether a worker runs, or ask again"
_RECONNECT = "its person must connect the account again"


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    calendar: Calendar
    ring: int


async def sync_user(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    scope: Scope | None = None,
    *,
    older_than: timedelta = timedelta(0),
) -> tuple[SyncedCalendar, ...]:
    """Have all selected calendars of a person synced now, and answer when done, within a minute.

    With a ``scope`` those alone, and none whose last complete sync is not ``older_than`` that. One
    broken calendar stands with its error and does not disturb the others.
    """
    which = scope or Scope()
    now = services.clock.now()
    deadline = now + services.clock.patience(_WAIT)
    asked = []
    async with services.database.tenant(context.tenant_id) as session:
        for calendar in await calendars.standing(session, user_id):
            if which.holds_calendar(calendar) and not _is_fresh(calendar, now - older_than):
                ring = await calendars.ring(session, calendar.id, now)
                if ring is not None:
                    asked.append(_Asked(calendar=calendar, ring=ring))
    for one in asked:
        await services.wakeups.ring("sync", context.tenant_id, one.calendar.id)
    return tuple([await _answer(services, one, deadline) for one in asked])


def _is_fresh(calendar: Calendar, since: datetime) -> bool:
    last = calendar.last_complete_sync_at
    return last is not None and last > since


async def _answer(services: Services, asked: _Asked, deadline: datetime) -> SyncedCalendar:
    """Wait until a round that began after the ring has ended."""
    while True:
        synced = await _look(services, asked)
        if synced is not None:
            return synced
        now = services.clock.now()
        if now >= deadline:
            return msgspec.structs.replace(nothing_new(asked.calendar), error=_NOBODY)
        await services.clock.sleep_until(now + services.clock.patience(_LOOK_AGAIN))


async def _look(services: Services, asked: _Asked) -> SyncedCalendar | None:
    calendar_id = asked.calendar.id
    async with services.database.tenant(asked.calendar.tenant_id) as session:
        stands = await calendars.get(session, calendar_id)
        connection = await connections.get(session, asked.calendar.connection_id)
        answered = await calendar_leases.answered(session, calendar_id)
    if stands is None or connection is None or answered is None:
        raise Missing("the calendar was removed while it was synced")
    if answered.ring >= asked.ring:
        return msgspec.structs.replace(
            nothing_new(stands),
            created=answered.created,
            updated=answered.updated,
            deleted=answered.deleted,
            code=stands.error_code,
            error=stands.error_detail,
        )
    if connection.status == "needs_reauth":
        waiting = connection.error_detail or _RECONNECT
        return msgspec.structs.replace(nothing_new(stands), error=waiting)
    if stands.held_until is not None and stands.held_until > services.clock.now():
        waiting = f"its provider asks us to wait until {stands.held_until:%H:%M:%S} UTC"
        return msgspec.structs.replace(nothing_new(stands), code=TryLater.code, error=waiting)
    return None
