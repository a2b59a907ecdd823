"""Names the meeting that an event is a copy of, so that all copies of it share a name.

Two events are one meeting when they share a decoded UID and original start, or a room and start
instant. iCalUID alone is no key: Google repeats it across a series, Graph changes it with every
occurrence, and a Google meeting in Outlook carries its UID inside another (providers.md 6.6).
"""

import re
from datetime import UTC, datetime

from meetbot_calendar.calendars.model import FetchedEvent, StoredEvent

# Exchange's GlobalObjectId in hex: 16 fixed bytes, 4 of instance date, 8 of creation time,
# 8 zeros, 4 of data length (little endian), data.
_GLOBAL_OBJECT_ID = re.compile(r"040000008200E00074C5B7101A82E008(?:[0-9A-F]{2}){24,}")
_DATE = slice(32, 40)
_LENGTH = slice(72, 80)
_DATA = 80
_FOREIGN_UID = b"vCal-Uid\x01\0\0\0"

# "This and following" makes a second series whose UID is the first one's with the split's time.
_GOOGLE_SPLIT = re.compile(r"(?:_R\d{8}(?:T\d{6}Z?)?)+(?=@google\.com$)")
_SPLIT_ID = re.compile(r"(?:_R\d{8}(?:T\d{6}Z?)?)+$")


def series_uid(ical_uid: str) -> str:
    """Return the UID that a series and all of its occurrences share, at every provider.

    Letters count, except in hex. A UID of no known form stays as it is. Both halves of a Google
    series that was split share one: no slot is in both, and a copy of an occurrence that was not
    split yet is still the same meeting.
    """
    uid = ical_uid.strip()
    if _GLOBAL_OBJECT_ID.fullmatch(hexadecimal := uid.upper()):
        uid = _foreign_uid(hexadecimal) or _without_date(hexadecimal)
    return _GOOGLE_SPLIT.sub("", uid.strip())


def series_family(series_id: str) -> str:
    """Return the id that both halves of a Google series share when it was split."""
    return _SPLIT_ID.sub("", series_id)


def _without_date(hexadecimal: str) -> str:
    return f"{hexadecimal[: _DATE.start]}00000000{hexadecimal[_DATE.stop :]}"


def _foreign_uid(hexadecimal: str) -> str | None:
    """Return the UID of a meeting that was organised outside Exchange; None where it was not."""
    length = int.from_bytes(bytes.fromhex(hexadecimal[_LENGTH]), "little")
    data = bytes.fromhex(hexadecimal[_DATA : _DATA + 2 * length])
    if not data.startswith(_FOREIGN_UID):
        return None
    try:
        return data.removeprefix(_FOREIGN_UID).rstrip(b"\0").decode() or None
    except UnicodeDecodeError:
        return None


def meeting_keys(event: FetchedEvent | StoredEvent, room: str | None) -> tuple[str, ...]:
    """Return every name of the event's meeting, at least one.

    ``uid:`` names it by its slot: the start that its series gave it, or its own where it stands
    alone; the date where it is all-day. One that stands alone is named without its start as well,
    for its copies follow a move one after the other. ``room:`` names it by the room and the start
    instant. An event that has neither is a meeting of its own.
    """
    keys: list[str] = []
    if event.ical_uid and event.ical_uid.strip() and (slot := _slot(event)):
        uid = series_uid(event.ical_uid)
        keys.append(f"uid:{uid}@{slot}")
        if _stands_alone(event, event.ical_uid):
            keys.append(f"uid:{uid}@alone")
    if room and event.span and not event.span.is_all_day:
        keys.append(f"room:{room}@{_instant(event.span.start)}")
    return tuple(keys) or (f"event:{event.platform_id}",)


def _stands_alone(event: FetchedEvent | StoredEvent, ical_uid: str) -> bool:
    """Say whether the event is no occurrence, not even one that came without its series."""
    hexadecimal = ical_uid.strip().upper()
    dated = _GLOBAL_OBJECT_ID.fullmatch(hexadecimal) and hexadecimal[_DATE] != "00000000"
    return event.series_id is None and event.original_start is None and not dated


def _slot(event: FetchedEvent | StoredEvent) -> str | None:
    start = event.span.start if event.span else None
    slot = event.original_start or start
    if slot is None:
        return None
    all_day = event.span is not None and event.span.is_all_day
    return slot.astimezone(UTC).date().isoformat() if all_day else _instant(slot)


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
