"""Wall time and zone to UTC and back, with Windows zone names, gaps and overlaps.

Zones come from the tzdata package alone, never from the machine, so that every machine gives the
same answer. A wall time that a clock change skipped is read with the offset before the change, so
it lands as much later (RFC 5545, 3.3.5); one that happened twice is its first happening.
"""

import functools
import importlib.resources
import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from tzlocal.windows_tz import win_tz

from meetbot_calendar.calendars.model import Span

# What Graph says besides Windows and IANA names (providers.md 6.5); a custom zone is unknowable.
_MICROSOFT_UTC = "tzone://microsoft/utc"
# Names that Windows has given up and old appointments still bear (CLDR's windowsZones knew them).
_RETIRED = {
    "armenian standard time": "Asia/Yerevan",
    "kamchatka standard time": "Asia/Kamchatka",
    "mexico standard time": "America/Mexico_City",
    "mexico standard time 2": "America/Chihuahua",
    "mid-atlantic standard time": "Etc/GMT+2",
}

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ].*)?", re.ASCII)
_DAY = timedelta(days=1)


@functools.cache
def _known_names() -> dict[str, str]:
    """Map every known spelling, lower case, to the IANA name. IANA names win over Windows ones."""
    listing = importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    windows = _RETIRED | {name.lower(): iana for name, iana in win_tz.items()}
    return windows | {name.lower(): name for name in listing.split()} | {_MICROSOFT_UTC: "UTC"}


def zone_name(raw: str | None) -> str:
    """Return the IANA name for what a provider calls a zone; an unknown name stays as it is."""
    text = (raw or "").strip()
    return _known_names().get(text.lower(), text) or "UTC"


@functools.cache
def _load(iana: str) -> tzinfo:
    place = importlib.resources.files("tzdata").joinpath("zoneinfo", *iana.split("/"))
    with place.open("rb") as file:
        return zoneinfo.ZoneInfo.from_file(file, key=iana)


def zone_of(name: str | None) -> tzinfo:
    """Return the rules of a zone, by IANA or Windows name; those of UTC where it is unknown."""
    iana = _known_names().get((name or "").strip().lower(), "UTC")
    return UTC if iana == "UTC" else _load(iana)


def to_utc(moment: datetime, zone: str | None) -> datetime:
    """Turn a wall time of ``zone`` into an instant; a time with an offset of its own keeps it."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone_of(zone), fold=0)
    return moment.astimezone(UTC)


def to_local(instant: datetime, zone: str | None) -> datetime:
    """Return an instant as the clocks of ``zone`` show it."""
    return instant.astimezone(zone_of(zone))


def wall_time(span: Span) -> datetime:
    """Return when an event begins as the clocks of its own zone show it, without an offset."""
    local = span.start if span.is_all_day else to_local(span.start, span.zone)
    return local.replace(tzinfo=None)


def parse_instant(text: str, zone: str | None = None) -> datetime:
    """Read an instant (RFC 3339), or a wall time of ``zone`` where the text has no offset.

    Up to nine fractional digits are read and cut to microseconds; a leap second is the second
    after. Raises ``ValueError`` where the text is neither, or no instant that UTC can hold.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an instant: {text[:40]!r}")
    day, hour, minute, second, fraction, zulu, sign, hours, minutes = match.groups()
    leap = timedelta(seconds=second == "60")
    clock = time(
        int(hour),
        int(minute),
        59 if leap else int(second),
        int((fraction or "").ljust(6, "0")[:6]),
        tzinfo=UTC if zulu else _offset(sign, hours, minutes),
    )
    try:
        return to_utc(datetime.combine(date.fromisoformat(day), clock), zone) + leap
    except OverflowError as error:
        raise ValueError(f"beyond what UTC can hold: {text[:40]!r}") from error


def _offset(sign: str | None, hours: str, minutes: str) -> timezone | None:
    if sign is None:
        return None
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(ahead if sign == "+" else -ahead)


def date_span(start: str | date, end: str | date | None = None, zone: str | None = None) -> Span:
    """Make the span of an all-day event from its dates, ``end`` exclusive.

    Only the date part of a text is read (Graph sends midnights). Without a later end it is one
    day long (RFC 5545, 3.6.1). Raises ``ValueError`` where a text holds no date.
    """
    first = _date(start)
    last = first if end is None else _date(end)
    if last <= first:
        last = first + min(_DAY, date.max - first)
    return Span(start=_midnight(first), end=_midnight(last), zone=zone_name(zone), is_all_day=True)


def _date(value: str | date) -> date:
    if isinstance(value, str):
        match = _DATE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"not a date: {value[:40]!r}")
        return date.fromisoformat(match[1])
    return value.date() if isinstance(value, datetime) else value


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
