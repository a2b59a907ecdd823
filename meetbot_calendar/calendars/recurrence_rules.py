"""Reads the lines of a recurrence (RFC 5545, 3.3.10 and 3.8.5), and refuses what is hostile."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from math import prod

import msgspec

from meetbot_calendar.calendars import timezones

_DAYS = r"(?:MO|TU|WE|TH|FR|SA|SU)"
_LONGEST = 2000
_MOST_TIMES_A_DAY = 24
_MOST_DATES = 5000
_STAMP = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)

# How each part is written, and how large its numbers may be. Nothing below a day repeats: neither
# Google nor Outlook can make it, and no meeting is held every second.
_NUMBERS = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}
_MOST_LISTED = {"BYSETPOS": 7}
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_WORDS = {
    "BYDAY": re.compile(rf"(?:[+-]?[1-9]\d?)?{_DAYS}(?:,(?:[+-]?[1-9]\d?)?{_DAYS})*", re.ASCII),
    "WKST": re.compile(_DAYS, re.ASCII),
    "INTERVAL": re.compile(r"0*[1-9]\d{0,3}", re.ASCII),
    "COUNT": re.compile(r"0*[1-9]\d{0,17}", re.ASCII),
    "UNTIL": _STAMP,
}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One RRULE: ``text`` without its end; ``until`` is the last instant that may be in it."""

    text: str
    count: int | None = None
    until: datetime | None = None


class Dates(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one RDATE or EXDATE line: wall times of ``zone``, or instants (UTC)."""

    stamps: tuple[tuple[str, str | None, bool], ...]
    zone: str

    def instants(self, start: datetime) -> Iterator[datetime]:
        """Yield the instants; a bare date means the time of day at which the series begins."""
        for day, clock, zulu in self.stamps:
            wall = _wall(day, clock) if clock else datetime.combine(_wall(day, None), start.time())
            yield wall.replace(tzinfo=UTC) if zulu else timezones.to_utc(wall, self.zone)


def read_rule(value: str, zone: str) -> Rule:
    """Read what stands after ``RRULE:``; ``zone`` is the series'. Raises ``ValueError``."""
    parts = _parts(value)
    if parts.get("FREQ") not in _FREQUENCIES:
        raise ValueError("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other")
    if "BYSETPOS" in parts and not any(
        name.startswith("BY") for name in parts.keys() - {"BYSETPOS"}
    ):
        raise ValueError("BYSETPOS needs another BY part to choose from")
    times = (len(parts.get(name, "").split(",")) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    if prod(times) > _MOST_TIMES_A_DAY:
        raise ValueError(f"it names more than {_MOST_TIMES_A_DAY} times of a day")
    count, until = parts.pop("COUNT", None), parts.pop("UNTIL", None)
    return Rule(
        text=";".join(f"{name}={text}" for name, text in parts.items()),
        count=None if count is None else int(count),
        until=None if until is None else _until(until, zone),
    )


def read_dates(line: str, zone: str) -> Dates:
    """Read an RDATE or EXDATE line. Raises ``ValueError``."""
    head, _, value = line.partition(":")
    named = re.search(r";TZID=\"?([^;:\"]+)", head, re.IGNORECASE)
    texts = [text.strip().partition("/")[0] for text in value.split(",")]
    if len(texts) > _MOST_DATES:
        raise ValueError(f"it lists more than {_MOST_DATES} dates")
    return Dates(stamps=tuple(map(_stamp, texts)), zone=named[1] if named else zone)


def _parts(value: str) -> dict[str, str]:
    """Return the parts of a rule by name, each checked. Extensions (``X-…``) are left out."""
    if len(value) > _LONGEST:
        raise ValueError(f"a rule may have {_LONGEST} characters at most")
    found: dict[str, str] = {}
    for item in value.strip().upper().strip(";").split(";"):
        name, is_given, text = item.partition("=")
        if name.startswith("X-"):
            continue
        if name in found or not is_given:
            raise ValueError(f"{name[:20] or 'an empty part'} has no value, or two")
        if name != "FREQ":
            _check(name, text)
        found[name] = text
    return found


def _check(name: str, text: str) -> None:
    if name in _WORDS:
        if not _WORDS[name].fullmatch(text):
            raise ValueError(f"{name}={text[:20]} is not allowed")
        return
    if name not in _NUMBERS:
        raise ValueError(f"{name[:20]} is no part of a rule")
    low, high = _NUMBERS[name]
    numbers = [
        int(each) for each in text.split(",") if re.fullmatch(r"[+-]?\d{1,3}", each, re.ASCII)
    ]
    listed = text.count(",") + 1
    if len(numbers) != listed or listed > _MOST_LISTED.get(name, high - low + 1):
        raise ValueError(f"{name}={text[:20]} is not a list of numbers, or a long one")
    if any(not low <= number <= high or (number == 0 and low != 0) for number in numbers):
        raise ValueError(f"{name}={text[:20]} names what no calendar has")


def _stamp(text: str) -> tuple[str, str | None, bool]:
    match = _STAMP.fullmatch(text.upper())
    if match is None:
        raise ValueError(f"{text[:20]!r} is no date")
    day, clock, zulu = match.groups()
    _wall(day, clock)
    return day, clock, zulu == "Z"


def _wall(day: str, clock: str | None) -> datetime:
    seconds = f"{clock or '000000'}"
    return datetime.strptime(f"{day}T{seconds}", "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a wall time


def _until(text: str, zone: str) -> datetime:
    """Return the last instant: of a bare date, the end of that day where the series is held."""
    day, clock, zulu = _stamp(text)
    if zulu:
        return _wall(day, clock).replace(tzinfo=UTC)
    end = _wall(day, clock) if clock else datetime.combine(_wall(day, None), time.max)
    return timezones.to_utc(end, zone)
