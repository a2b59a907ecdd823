"""Where the occurrences of a series fall: RRULE, RDATE and EXDATE in the series' own zone."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset, rrulestr

ENDLESS_AHEAD = 700
_DATE_ONLY_UNTIL = re.compile(r"UNTIL=(\d{8})(?=;|$)", re.IGNORECASE)
_LOCAL_UNTIL = re.compile(r"UNTIL=(\d{8}T\d{6})(?=;|$)", re.IGNORECASE)


def slots(
    lines: Iterable[str], first: datetime, zone: str, *, all_day: bool = False
) -> Iterator[datetime]:
    """Yield the UTC instants of a series in order, endlessly if it has no end.

    All-day series yield midnights UTC of their dates. No line: just ``first``.
    Raises ValueError for a rule that RFC 5545 does not allow.
    """
    local: tzinfo = UTC if all_day else ZoneInfo(zone)
    start = first.astimezone(local)
    found = rruleset()
    for line in lines:
        _add_line(found, line, start)
    if not found._rrule:  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to ask
        found.rdate(start)
    return (when.astimezone(UTC) for when in found)


def check(lines: Iterable[str], first: datetime, zone: str, *, all_day: bool = False) -> None:
    """Raise ValueError for lines that are no recurrence."""
    next(slots(lines, first, zone, all_day=all_day), None)


def bounded(found: Iterator[datetime], now: datetime, ahead: int = ENDLESS_AHEAD) -> list[datetime]:
    """Take everything up to ``now`` and at most ``ahead`` instants after it."""
    taken: list[datetime] = []
    for when in found:
        taken.append(when)
        if when > now:
            taken.extend(islice(found, ahead - 1))
            break
    return taken


def _add_line(found: rruleset, line: str, start: datetime) -> None:
    name, _, value = line.partition(":")
    kind = name.split(";")[0].upper()
    if kind == "RRULE":
        found.rrule(_rule(value, start))
    elif kind in ("RDATE", "EXDATE"):
        add = found.rdate if kind == "RDATE" else found.exdate
        for when in _dates(name, value, start):
            add(when)
    else:
        raise ValueError(f"{kind or 'an empty line'} is no RRULE, RDATE or EXDATE")


def _rule(value: str, start: datetime) -> rrule:
    parts = value.upper().split(";")
    if "INTERVAL=0" in parts or any(p in ("FREQ=SECONDLY", "FREQ=MINUTELY") for p in parts):
        raise ValueError(f"{value} repeats too often or never moves on")
    text = _DATE_ONLY_UNTIL.sub(r"UNTIL=\1T235959Z", value)
    text = _LOCAL_UNTIL.sub(r"UNTIL=\1Z", text)
    made = rrulestr(f"RRULE:{text}", dtstart=start)
    if not isinstance(made, rrule):  # pragma: no cover - one RRULE line gives one rule
        raise TypeError(text)
    return made


def _dates(name: str, value: str, start: datetime) -> Iterator[datetime]:
    for text in value.split(","):
        stamp = text.strip()
        if "T" not in stamp:
            day = datetime.strptime(stamp, "%Y%m%d")  # noqa: DTZ007 - given its zone below
            yield start.replace(year=day.year, month=day.month, day=day.day)
        elif stamp.endswith("Z"):
            when = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            yield when.astimezone(start.tzinfo)
        else:
            named = re.search(r"TZID=([^;:]+)", name)
            zone = ZoneInfo(named[1]) if named else start.tzinfo
            local = datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=zone)
            yield local.astimezone(start.tzinfo)
