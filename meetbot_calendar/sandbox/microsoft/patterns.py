"""patternedRecurrence from RRULE and back (providers 6.7): what Outlook can repeat, and how."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from meetbot_calendar.sandbox.microsoft import zones

_DAYS = {
    "MO": "monday",
    "TU": "tuesday",
    "WE": "wednesday",
    "TH": "thursday",
    "FR": "friday",
    "SA": "saturday",
    "SU": "sunday",
}
_CODES = {name: code for code, name in _DAYS.items()}
_INDEX = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}
_POSITION = {name: number for number, name in _INDEX.items()}
_SHORTEST_MONTH = 28


def from_rrule(line: str, start: datetime, zone: str) -> dict[str, Any]:
    """Write an RRULE line as a patternedRecurrence; ``start`` is local to ``zone`` (IANA).

    Raises ValueError for what Outlook has no pattern for (hours, several days of a month, ...).
    """
    parts = dict(p.split("=", 1) for p in line.upper().partition(":")[2].split(";") if p)
    return {"pattern": _pattern(parts, start.date()), "range": _range(parts, start, zone)}


def to_rrule(recurrence: dict[str, Any]) -> str:
    """Write a patternedRecurrence as an RRULE line, read as providers 6.7 says it is meant."""
    pattern, span = recurrence["pattern"], recurrence.get("range", {})
    interval = f"INTERVAL={pattern.get('interval') or 1}"
    return "RRULE:" + ";".join([*_frequency(pattern), interval, *_end(span)])


def _pattern(parts: dict[str, str], first: date) -> dict[str, Any]:
    kind = _kind(parts)
    absolute, yearly = kind.startswith("absolute"), kind.endswith("Yearly")
    days, index = ([], "first") if absolute or kind == "daily" else _days_of(parts, first)
    return {
        "type": kind,
        "interval": int(parts.get("INTERVAL", "1")),
        "month": int(parts.get("BYMONTH", first.month)) if yearly else 0,
        "dayOfMonth": _day_of_month(parts, first) if absolute else 0,
        "daysOfWeek": days,
        "firstDayOfWeek": _DAYS[parts.get("WKST", "MO")],
        "index": index,
    }


def _kind(parts: dict[str, str]) -> str:
    frequency = parts.get("FREQ", "")
    if frequency in ("DAILY", "WEEKLY"):
        return "weekly" if "BYDAY" in parts or frequency == "WEEKLY" else "daily"
    if frequency not in ("MONTHLY", "YEARLY"):
        raise ValueError(f"Outlook cannot repeat {frequency or 'without a frequency'}")
    return ("relative" if "BYDAY" in parts else "absolute") + frequency.title()


def _days_of(parts: dict[str, str], first: date) -> tuple[list[str], str]:
    given = (parts.get("BYDAY") or list(_DAYS)[first.weekday()]).split(",")
    named = {item[:-2] for item in given} | {parts.get("BYSETPOS", "")} - {""}
    weekly = parts["FREQ"] in ("DAILY", "WEEKLY")
    positions = {1} if weekly else {int(text) for text in named if text}
    if len(positions) != 1 or not positions <= set(_INDEX):
        raise ValueError(f"Outlook has no index for {','.join(given)}")
    return [_DAYS[item[-2:]] for item in given], _INDEX[positions.pop()]


def _day_of_month(parts: dict[str, str], first: date) -> int:
    given = [int(day) for day in parts.get("BYMONTHDAY", str(first.day)).split(",")]
    if len(given) > 1 and parts.get("BYSETPOS") != "-1":
        raise ValueError("Outlook repeats on one day of the month only")
    if max(given) < 1:
        raise ValueError("Outlook counts days of the month from its start only")
    return max(given)


def _range(parts: dict[str, str], start: datetime, zone: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "noEnd",
        "startDate": start.date().isoformat(),
        "endDate": "0001-01-01",
        "recurrenceTimeZone": zones.windows_name(zone),
        "numberOfOccurrences": 0,
    }
    if "COUNT" in parts:
        found |= {"type": "numbered", "numberOfOccurrences": int(parts["COUNT"])}
    elif "UNTIL" in parts:
        found |= {"type": "endDate", "endDate": _last_day(parts["UNTIL"], start, zone).isoformat()}
    return found


def _last_day(until: str, start: datetime, zone: str) -> date:
    """Return the last local date whose occurrence, at the series' time of day, is not too late."""
    moment = datetime.fromisoformat(until)
    if "T" not in until:
        return moment.date()
    local = moment.astimezone(ZoneInfo(zone)) if moment.tzinfo else moment
    return local.date() if local.time() >= start.time() else local.date() - timedelta(days=1)


def _end(span: dict[str, Any]) -> list[str]:
    if span.get("type") == "numbered":
        return [f"COUNT={span['numberOfOccurrences']}"]
    if span.get("type") != "endDate":
        return []
    zone = zones.zone_of(str(span.get("recurrenceTimeZone") or "UTC")) or UTC
    last = datetime.combine(date.fromisoformat(span["endDate"]), time(23, 59, 59), zone)
    return [f"UNTIL={last.astimezone(UTC):%Y%m%dT%H%M%SZ}"]


def _frequency(pattern: dict[str, Any]) -> list[str]:
    kind = str(pattern["type"])
    if kind == "daily":
        return ["FREQ=DAILY"]
    if kind == "weekly":
        first = _CODES[pattern.get("firstDayOfWeek") or "sunday"]
        return ["FREQ=WEEKLY", f"WKST={first}", f"BYDAY={_codes(pattern)}"]
    days = _on_date(pattern) if kind.startswith("absolute") else _on_weekday(pattern)
    if kind.endswith("Monthly"):
        return ["FREQ=MONTHLY", *days]
    return ["FREQ=YEARLY", f"BYMONTH={pattern['month']}", *days]


def _on_date(pattern: dict[str, Any]) -> list[str]:
    day = int(pattern["dayOfMonth"])
    if day <= _SHORTEST_MONTH:
        return [f"BYMONTHDAY={day}"]
    days = ",".join(str(d) for d in range(_SHORTEST_MONTH, day + 1))
    return [f"BYMONTHDAY={days}", "BYSETPOS=-1"]


def _on_weekday(pattern: dict[str, Any]) -> list[str]:
    position = _POSITION[pattern.get("index") or "first"]
    if len(pattern["daysOfWeek"]) == 1:
        return [f"BYDAY={position}{_codes(pattern)}"]
    return [f"BYDAY={_codes(pattern)}", f"BYSETPOS={position}"]


def _codes(pattern: dict[str, Any]) -> str:
    return ",".join(_CODES[day.lower()] for day in pattern["daysOfWeek"])
