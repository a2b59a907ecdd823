"""Microsoft Graph's ``patternedRecurrence``, written as an RRULE line (providers.md 6.7)."""

from datetime import UTC, date, datetime, time

from meetbot_calendar.calendars import timezones
from meetbot_calendar.gateways.untrusted import Json, child, text

_CODES = {
    "monday": "MO",
    "tuesday": "TU",
    "wednesday": "WE",
    "thursday": "TH",
    "friday": "FR",
    "saturday": "SA",
    "sunday": "SU",
}
_POSITIONS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_SHORTEST_MONTH = 28
_KINDS = frozenset(
    {"daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"}
)


def rrule_line(recurrence: Json, zone: str, *, is_all_day: bool = False) -> str | None:
    """Write a ``patternedRecurrence`` as ``RRULE:…``; None where it cannot be understood.

    Members that a type does not use come as zeros and are not read. ``zone`` counts where the
    range names none.
    """
    pattern, span = child(recurrence, "pattern"), child(recurrence, "range")
    kind = text(pattern, "type") or ""
    if kind not in _KINDS:
        return None
    try:
        interval = _number(pattern, "interval", 1)
        parts = _frequency(kind, pattern, interval) + _end(span, zone, is_all_day=is_all_day)
    except (ValueError, KeyError, OverflowError):
        return None
    return "RRULE:" + ";".join(parts)


def _frequency(kind: str, pattern: Json, interval: int) -> list[str]:
    every = [f"INTERVAL={interval}"] if interval > 1 else []
    if kind == "daily":
        return ["FREQ=DAILY", *every]
    if kind == "weekly":
        return ["FREQ=WEEKLY", *every, *_week_start(pattern, interval), f"BYDAY={_days(pattern)}"]
    days = _on_date(pattern) if kind.startswith("absolute") else _on_weekday(pattern)
    if kind.endswith("Monthly"):
        return ["FREQ=MONTHLY", *every, *days]
    return ["FREQ=YEARLY", *every, f"BYMONTH={_number(pattern, 'month')}", *days]


def _week_start(pattern: Json, interval: int) -> list[str]:
    """Say where weeks begin: it changes nothing where every week counts. Graph's own is Sunday."""
    first = _CODES[(text(pattern, "firstDayOfWeek") or "sunday").lower()]
    return [f"WKST={first}"] if interval > 1 else []


def _on_date(pattern: Json) -> list[str]:
    """Return the day of the month; Outlook takes a short month's last day for one it lacks."""
    day = _number(pattern, "dayOfMonth")
    if day <= _SHORTEST_MONTH:
        return [f"BYMONTHDAY={day}"]
    days = ",".join(str(each) for each in range(_SHORTEST_MONTH, day + 1))
    return [f"BYMONTHDAY={days}", "BYSETPOS=-1"]


def _on_weekday(pattern: Json) -> list[str]:
    position = _POSITIONS[text(pattern, "index") or "first"]
    days = _days(pattern)
    if "," in days:  # the one day among these, not each of them
        return [f"BYDAY={days}", f"BYSETPOS={position}"]
    return [f"BYDAY={position}{days}"]


def _days(pattern: Json) -> str:
    named = pattern.get("daysOfWeek")
    if not isinstance(named, list) or not named:
        raise ValueError("no day of the week")
    codes = {_CODES[str(day).lower()] for day in named}
    return ",".join(code for code in _CODES.values() if code in codes)


def _number(pattern: Json, name: str, least: int | None = None) -> int:
    """Return a positive number; ``least`` stands in for one that is missing or zero."""
    found = pattern.get(name)
    if isinstance(found, int) and found > 0:
        return found
    if least is None:
        raise ValueError(f"no {name}")
    return least


def _end(span: Json, zone: str, *, is_all_day: bool) -> list[str]:
    kind = text(span, "type")
    if kind == "numbered":
        return [f"COUNT={_number(span, 'numberOfOccurrences')}"]
    if kind != "endDate":
        return []
    last = date.fromisoformat(text(span, "endDate") or "")
    if is_all_day:
        return [f"UNTIL={last:%Y%m%d}"]
    where = timezones.zone_name(text(span, "recurrenceTimeZone") or zone)
    end = timezones.to_utc(datetime.combine(last, time(23, 59, 59)), where)
    return [f"UNTIL={end.astimezone(UTC):%Y%m%dT%H%M%SZ}"]
