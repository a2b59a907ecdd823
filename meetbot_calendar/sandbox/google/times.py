"""Reads and prints the times that Google's event JSON holds, however odd they are."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

Times = dict[str, Any]


def read(times: object, zone: str) -> tuple[datetime, bool] | None:
    """Return the instant (UTC) and whether it is all-day; None for what is no time at all.

    A date counts from midnight in ``zone``; a naive ``dateTime`` lies in its own ``timeZone``.
    """
    if not isinstance(times, dict):
        return None
    try:
        if day := times.get("date"):
            return _at(datetime.fromisoformat(str(day)), zone), True
        moment = datetime.fromisoformat(str(times.get("dateTime")))
        return _at(moment, str(times.get("timeZone") or zone)), False
    except (KeyError, ValueError, OSError):  # ZoneInfo raises any for what is no zone
        return None


def instant(times: object, zone: str) -> datetime | None:
    """Return only the instant."""
    found = read(times, zone)
    return found[0] if found else None


def timed(when: datetime, zone: str) -> Times:
    """Print an instant as ``dateTime`` with the offset of its zone."""
    local = when.astimezone(ZoneInfo(zone))
    return {"dateTime": rfc3339(local), "timeZone": zone}


def dated(when: datetime) -> Times:
    """Print the date of an all-day time."""
    return {"date": when.date().isoformat()}


def in_zone(times: object, zone: str) -> object:
    """Print a time in the zone that the caller asked for; its own ``timeZone`` stays."""
    if not isinstance(times, dict) or "dateTime" not in times:
        return times
    try:
        moment = datetime.fromisoformat(str(times["dateTime"]))
    except ValueError:
        return times
    if moment.tzinfo is None:
        return times
    return {**times, "dateTime": rfc3339(moment.astimezone(ZoneInfo(zone)))}


def rfc3339(moment: datetime) -> str:
    """Print to the second; UTC as Z, as Google does."""
    text = moment.replace(microsecond=0).isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def stamp(moment: datetime) -> str:
    """Print ``created`` and ``updated``: UTC with milliseconds."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )


def _at(moment: datetime, zone: str) -> datetime:
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)
