"""Reads the parameters of events.list, and refuses what Google refuses (providers.md 2.2, 2.3)."""

import hashlib
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar.datastructures import MultiDict

from meetbot_calendar.sandbox.google.errors import GoogleError, invalid

Params = MultiDict[Any]

_NOT_WITH_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
_NO_TOKEN_AFTER = ("iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty")
_EVENT_TYPES = frozenset(
    ("default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation")
)
_BOUND_TO_SYNC = ("singleEvents", "eventTypes", "maxAttendees", "showHiddenInvitations")
_FREE_ON_PAGES = frozenset(
    ("pageToken", "maxResults", "fields", "alt", "prettyPrint", "quotaUser", "key", "access_token")
)
_LONGEST_QUOTA_USER = 40
_DEFAULT_PAGE, _LARGEST_PAGE = 250, 2500


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A checked events.list call; ``sync_signature`` and ``page_signature`` bind its tokens."""

    max_results: int
    page_token: str
    sync_token: str
    single_events: bool
    show_deleted: bool
    time_min: datetime | None
    time_max: datetime | None
    updated_min: datetime | None
    order_by: str
    zone: str
    event_types: frozenset[str]
    max_attendees: int
    ical_uid: str
    text: str
    private_properties: tuple[str, ...]
    shared_properties: tuple[str, ...]
    fields: str
    earns_token: bool
    sync_signature: str
    page_signature: str


def read_query(params: Params) -> EventQuery:
    """Check and read; raises GoogleError 400."""
    _refuse_combinations(params)
    query = EventQuery(
        max_results=min(whole(params, "maxResults", _DEFAULT_PAGE), _LARGEST_PAGE),
        page_token=params.get("pageToken", ""),
        sync_token=params.get("syncToken", ""),
        single_events=flag(params, "singleEvents"),
        show_deleted=flag(params, "showDeleted"),
        time_min=moment(params, "timeMin"),
        time_max=moment(params, "timeMax"),
        updated_min=moment(params, "updatedMin"),
        order_by=_order(params),
        zone=zone_of(params),
        event_types=_event_types(params),
        max_attendees=whole(params, "maxAttendees", 0),
        ical_uid=params.get("iCalUID", ""),
        text=params.get("q", "").lower(),
        private_properties=tuple(params.getall("privateExtendedProperty", [])),
        shared_properties=tuple(params.getall("sharedExtendedProperty", [])),
        fields=params.get("fields", ""),
        earns_token=not any(name in params for name in _NO_TOKEN_AFTER),
        sync_signature=_signature(params, _BOUND_TO_SYNC),
        page_signature=_signature(params, [n for n in set(params) if n not in _FREE_ON_PAGES]),
    )
    _refuse_empty_range(query)
    return query


def flag(params: Params, name: str) -> bool:
    """Read a boolean parameter."""
    text = params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise invalid(f"Invalid value '{text}'. Values must match: true|false", name)
    return bool(text == "true")


def whole(params: Params, name: str, default: int) -> int:
    """Read a whole number of at least one."""
    text = params.get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise invalid(f"Invalid integer value: '{text}'.", name)
    return int(text)


def moment(params: Params, name: str) -> datetime | None:
    """Read an RFC 3339 time; its offset is mandatory."""
    text = params.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("Bad Request", name) from None
    if found.tzinfo is None or "T" not in text.upper():
        raise invalid("Bad Request", name)
    return found


def zone_of(params: Params) -> str:
    """Read the response zone; "" for the calendar's."""
    name: str = params.get("timeZone", "")
    try:
        return ZoneInfo(name).key if name else ""
    except (KeyError, ValueError, OSError):
        raise invalid(f"Invalid time zone: {name}", "timeZone") from None


def refuse_long_quota_user(params: Params) -> None:
    """Refuse a quotaUser over 40 characters."""
    if len(params.get("quotaUser", "")) > _LONGEST_QUOTA_USER:
        raise invalid("Invalid value for quotaUser", "quotaUser")


def _refuse_combinations(params: Params) -> None:
    refuse_long_quota_user(params)
    if "syncToken" not in params:
        return
    for name in _NOT_WITH_TOKEN:
        if name in params:
            raise invalid(f"Sync token cannot be used with {name}.", name)
    if params.get("showDeleted", "").lower() == "false":
        raise invalid("Sync token cannot be used with showDeleted=false.", "showDeleted")


def _refuse_empty_range(query: EventQuery) -> None:
    if query.time_min and query.time_max and query.time_max <= query.time_min:
        raise GoogleError(
            400,
            "timeRangeEmpty",
            "The specified time range is empty.",
            "calendar",
            location_type="parameter",
            location="timeMax",
        )


def _order(params: Params) -> str:
    order: str = params.get("orderBy", "")
    if order not in ("", "startTime", "updated"):
        raise invalid(f"Invalid value '{order}' for orderBy.", "orderBy")
    if order == "startTime" and not flag(params, "singleEvents"):
        raise invalid(
            "The requested ordering is not available for the particular query.", "orderBy"
        )
    return order


def _event_types(params: Params) -> frozenset[str]:
    wanted = frozenset(params.getall("eventTypes", []))
    if unknown := wanted - _EVENT_TYPES:
        raise invalid(f"Invalid event type: {min(unknown)}", "eventTypes")
    return wanted


def _signature(params: Params, names: list[str] | tuple[str, ...]) -> str:
    pairs = sorted((name, str(v)) for name in names for v in params.getall(name, []))
    return hashlib.sha256(repr(pairs).encode()).hexdigest()[:16]
