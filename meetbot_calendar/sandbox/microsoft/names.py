"""Ids of calendar items: regular ones, the immutable ones beside them, and those of occurrences."""

import base64
import hashlib
import re
from datetime import date

_IMMUTABLE = "AAkALg"
_OCCURRENCE = re.compile(r"^(.+)FRA(\d{4})(\d{2})(\d{2})AAEYAAAA=$")


def event_id(calendar_id: str, meeting_id: str) -> str:
    """Return the regular id of a calendar's copy of a meeting: case-sensitive, with - and _."""
    digest = hashlib.sha256(f"{calendar_id}/{meeting_id}".encode()).digest()
    return "AAMkA" + base64.urlsafe_b64encode(digest).decode().rstrip("=") + "AAA="


def occurrence_id(master_id: str, day: date) -> str:
    """Return the id of the occurrence that its series has on this date (6.4: ids hold the date)."""
    return f"{master_id.rstrip('=')}FRA{day:%Y%m%d}AAEYAAAA="


def read_occurrence_id(item_id: str) -> tuple[str, date] | None:
    """Return an occurrence's master (without its padding) and date, if it is such an id."""
    found = _OCCURRENCE.match(item_id)
    if found is None:
        return None
    try:
        return found[1], date(int(found[2]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def immutable(item_id: str) -> str:
    """Return the immutable id that stands for the same item."""
    return _IMMUTABLE + item_id


def regular(item_id: str) -> str:
    """Return the regular id, whichever kind was given."""
    return item_id.removeprefix(_IMMUTABLE)


def shown(item_id: str, *, immutable_ids: bool) -> str:
    """Return the id in the kind that the caller prefers."""
    return immutable(item_id) if immutable_ids else item_id


def cancelled_oid(master_id: str, day: date) -> str:
    """Return the ``OID`` by which a master lists an occurrence that was cancelled."""
    return f"OID.{master_id}.{day.isoformat()}"
