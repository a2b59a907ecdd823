"""Outlook's times: a naive wall time with 7 fractional digits beside the name of its zone."""

from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal.windows_tz import tz_win, win_tz


def windows_name(iana: str) -> str:
    """Return the Windows name of an IANA zone; the IANA name where Windows has none."""
    return str(tz_win.get(iana, iana))


def zone_of(name: str) -> tzinfo | None:
    """Return the zone that a Windows or IANA name means; None for ``tzone://`` and the unknown."""
    if name.upper() in ("UTC", "TZONE://MICROSOFT/UTC"):
        return UTC
    try:
        return ZoneInfo(win_tz.get(name, name))
    except (ZoneInfoNotFoundError, ValueError):
        return None


def iana_name(name: str) -> str:
    """Return an IANA name for a Windows or IANA one; UTC for what nobody knows."""
    return str(win_tz.get(name, name)) if zone_of(name) else "UTC"


def read_wall(stamp: dict[str, Any]) -> datetime:
    """Return a dateTimeTimeZone as an instant in UTC; unknown zones count as UTC."""
    local = datetime.fromisoformat(str(stamp["dateTime"]))
    zone = zone_of(str(stamp.get("timeZone") or "UTC")) or UTC
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


def read_date(stamp: dict[str, Any]) -> date:
    """Return the date part: all that counts in the times of an all-day event."""
    return date.fromisoformat(str(stamp["dateTime"])[:10])


def write_wall(instant: datetime, zone_name: str) -> dict[str, Any]:
    """Return an instant as a dateTimeTimeZone in a zone that ``zone_of`` knows."""
    local = instant.astimezone(zone_of(zone_name) or UTC)
    return {"dateTime": f"{local:%Y-%m-%dT%H:%M:%S.%f}0", "timeZone": zone_name}


def write_date(day: date, zone_name: str) -> dict[str, Any]:
    """Return a date as the midnight that Outlook writes, in whatever zone was asked for."""
    return {"dateTime": f"{day:%Y-%m-%d}T00:00:00.0000000", "timeZone": zone_name}


def write_instant(instant: datetime) -> str:
    """Return a DateTimeOffset in UTC, as ``createdDateTime`` and its kin are written."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def write_seconds(instant: datetime) -> str:
    """Return a DateTimeOffset in UTC without a fraction."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
