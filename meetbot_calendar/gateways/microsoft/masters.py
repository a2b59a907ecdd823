"""A series as its master describes it in Microsoft Graph (providers.md 6.4 and 6.7)."""

import re

import msgspec

from meetbot_calendar.calendars import timezones
from meetbot_calendar.calendars.recurrence import Series
from meetbot_calendar.gateways.microsoft import wire
from meetbot_calendar.gateways.microsoft.patterns import rrule_line
from meetbot_calendar.gateways.untrusted import Json, child, text

MEMBERS = (
    "id,type,start,end,isAllDay,isCancelled,originalStartTimeZone,recurrence,cancelledOccurrences"
)
"""What a master is asked for by name: its cancelled occurrences come in no other way."""

# OID.<id of the master>.<local date of the occurrence>
_CANCELLED = re.compile(r"OID\..*\.(\d{4})-(\d\d)-(\d\d)", re.ASCII | re.DOTALL)


def read_series(row: Json) -> Series | None:
    """Read a master; None where it is cancelled, or its pattern cannot be understood."""
    span, series_id = wire.span_of(row), text(row, "id")
    recurrence = child(row, "recurrence")
    if wire.is_cancelled(row) or span is None or series_id is None:
        return None
    named = text(child(recurrence, "range"), "recurrenceTimeZone")
    zone = timezones.zone_name(named) if named else span.zone
    rule = rrule_line(recurrence, zone, is_all_day=span.is_all_day)
    if rule is None:
        return None
    return Series(
        platform_id=series_id,
        start=timezones.wall_time(msgspec.structs.replace(span, zone=zone)),
        zone=zone,
        is_all_day=span.is_all_day,
        lines=(rule, *_left_out(row)),
    )


def _left_out(row: Json) -> list[str]:
    told = row.get("cancelledOccurrences")
    named = [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
    days = ["".join(match.groups()) for each in named if (match := _CANCELLED.fullmatch(each))]
    return [f"EXDATE;VALUE=DATE:{','.join(days)}"] if days else []
