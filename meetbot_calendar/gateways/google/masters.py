"""A series as Google's master describes it, less its cancelled occurrences (providers.md 2.5)."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import msgspec

from meetbot_calendar.calendars import timezones
from meetbot_calendar.calendars.recurrence import Series
from meetbot_calendar.errors import CalendarGone, GiveUp
from meetbot_calendar.gateways.google import wire
from meetbot_calendar.gateways.untrusted import Json, children, text

Ask = Callable[[Mapping[str, str]], Awaitable[Json]]

_FIELDS = "items(status,originalStartTime),nextPageToken"
_MOST_PAGES = 4  # of an endless series Google tells many years
_MOST = 2000  # cancelled occurrences, the last ones


def read_series(row: Json) -> Series | None:
    """Read a master; None where it is cancelled, or no series at all."""
    found = row.get("recurrence")
    lines = [line for line in found if isinstance(line, str)] if isinstance(found, list) else []
    span = wire.span_of(row, "UTC")
    series_id = text(row, "id")
    if row.get("status") == "cancelled" or not lines or span is None or series_id is None:
        return None
    return Series(
        platform_id=series_id,
        start=timezones.wall_time(span),
        zone=span.zone,
        is_all_day=span.is_all_day,
        lines=tuple(lines),
    )


async def less_cancelled(series: Series, ask: Ask) -> Series:
    """Leave out what was cancelled one by one: only the list of its instances tells it."""
    try:
        gone = await _cancelled(series, ask)
    except (CalendarGone, GiveUp):
        return series
    if not gone:
        return series
    stamps = ",".join(f"{slot:%Y%m%dT%H%M%SZ}" for slot in sorted(gone)[-_MOST:])
    return msgspec.structs.replace(series, lines=(*series.lines, f"EXDATE:{stamps}"))


async def _cancelled(series: Series, ask: Ask) -> set[datetime]:
    asked = {"showDeleted": "true", "maxResults": "2500", "fields": _FIELDS}
    gone: set[datetime] = set()
    for _ in range(_MOST_PAGES):
        page = await ask(asked)
        for row in children(page, "items"):
            slot = wire.original_start(row, series.zone)
            if text(row, "status") == "cancelled" and slot is not None:
                gone.add(slot.astimezone(UTC))
        token = text(page, "nextPageToken")
        if token is None:
            break
        asked["pageToken"] = token
    return gone
