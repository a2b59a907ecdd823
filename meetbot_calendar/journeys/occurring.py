"""Find an occurrence of a series by its date or its instant, in view or beyond it."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

from meetbot_calendar.calendars import timezones
from meetbot_calendar.calendars.model import StoredEvent
from meetbot_calendar.calendars.recurrence import Series, occurrences
from meetbot_calendar.errors import Refused
from meetbot_calendar.journeys import by_hand, masters
from meetbot_calendar.journeys.by_hand import slot_of
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars, series
from meetbot_calendar.storage.events import EventRow
from tenants.identity import TenantContext
from tenants.storage.session import TenantSession

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AROUND = timedelta(days=2)


async def find(
    services: Services, context: TenantContext, event: StoredEvent, when: str
) -> EventRow | datetime:
    """Return an occurrence of an event's series, or its slot where it is not in view yet.

    ``when`` is an instant (a wall time is the series' own), or a date: of the day on which the
    occurrence is held where it is, there must be one alone. Raises ``Refused``
    (``no_such_occurrence``, ``bad_occurrence_date``).
    """
    series_id = by_hand.in_series(event)
    zone = event.span.zone if event.span else "UTC"
    instant, day = _read(when, zone)
    async with services.database.tenant(context.tenant_id) as session:
        rows = await series.in_view(session, event.calendar_id, series_id)
        edge = await edge_of(services, session, event)
    times = {row.event.id: _times(row.event) for row in rows}
    exact = [row for row in rows if instant in times[row.event.id]]
    same_day = [r for r in rows if r.event.span and _day(r.event.span.start, zone) == day]
    if len(found := exact or same_day) == 1:
        return found[0]
    master = await masters.read(services, context, masters.named(event))
    slot = _beyond(master, instant, day) if master is not None else None
    if slot is None or slot < edge:  # were it still there, it would be in view
        raise Refused(f"The series has no occurrence at {when}.", code="no_such_occurrence")
    return slot


async def edge_of(services: Services, session: TenantSession, event: StoredEvent) -> datetime:
    """Return up to when an event's calendar is in view."""
    calendar = await calendars.get(session, event.calendar_id)
    if calendar is None or calendar.window is None:
        return services.clock.now() + services.house.future
    return calendar.window.end


def _read(when: str, zone: str) -> tuple[datetime | None, date]:
    """Return the instant that is named, if it is one, and the local day."""
    try:
        if _DATE.fullmatch(when):
            return None, date.fromisoformat(when)
        instant = timezones.parse_instant(when, zone)
        return instant, _day(instant, zone)
    except (ValueError, OverflowError) as error:
        raise Refused(
            "occurrence_date is neither an ISO 8601 instant nor a date.",
            code="bad_occurrence_date",
        ) from error


def _times(event: StoredEvent) -> tuple[datetime, ...]:
    """Return when an occurrence is, and when its series meant it to be."""
    return (slot_of(event), *([event.span.start] if event.span else []))


def _day(instant: datetime, zone: str) -> date:
    return timezones.to_local(instant, zone).date()


def _beyond(master: Series, instant: datetime | None, day: date) -> datetime | None:
    """Return the slot that the rule tells for an instant, or else for the day."""
    begin = datetime.combine(day, datetime.min.time(), UTC)
    near = occurrences(master, after=begin - _AROUND)
    found = list(takewhile(lambda slot: slot < begin + _AROUND, near))
    same_day = [slot for slot in found if _day(slot, master.zone) == day]
    return _only([slot for slot in found if slot == instant]) or _only(same_day)


def _only(found: Iterable[datetime]) -> datetime | None:
    slots = list(found)
    return slots[0] if len(slots) == 1 else None
