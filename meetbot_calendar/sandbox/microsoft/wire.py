"""Items as Graph prints them, under one request's preferences and what its caller may see."""

import base64
from typing import Any

from meetbot_calendar.sandbox.microsoft import names, zones
from meetbot_calendar.sandbox.microsoft.contents import as_text
from meetbot_calendar.sandbox.microsoft.preferences import Preferences
from meetbot_calendar.sandbox.microsoft.series import Item
from meetbot_calendar.sandbox.store import Role

_TYPE = {"@odata.type": "#microsoft.graph.event"}
_LEFT_OUT = (
    "@odata.context",
    "@odata.etag",
    "cancelledOccurrences",
    "changeKey",
    "exceptionOccurrences",
    "lastModifiedDateTime",
)
_PRIVATE = ("private", "personal", "confidential")
# How much stays is not documented (providers.md 11). That it is cancelled is not what it is about.
_BARE = (
    "type", "seriesMasterId", "start", "end", "isAllDay", "isCancelled", "showAs", "originalStart",
)  # fmt: skip


def event(item: Item, prefers: Preferences, role: Role = "owner") -> dict[str, Any]:
    """Print an item in full: as much of it as the caller's role lets through."""
    body = {k: v for k, v in item.body.items() if k not in _LEFT_OUT}
    if not _sees(role, body):
        body = _veiled(body, role)
    if prefers.text_body and isinstance(body.get("body"), dict):
        body["body"] = as_text(body["body"])
    if body.get("seriesMasterId"):
        shown = names.shown(body["seriesMasterId"], immutable_ids=prefers.immutable_ids)
        body["seriesMasterId"] = shown
    for side in {"start", "end"} & set(body):
        body[side] = _time(body, side, prefers)
    return {**_version(item), "id": _id(item, prefers), **body}


def delta_event(item: Item, prefers: Preferences, role: Role = "owner") -> dict[str, Any]:
    """Print an item as a delta does: a plain occurrence has no more than its times (6.4)."""
    whole = _TYPE | event(item, prefers, role)
    if item.kind != "occurrence":
        return whole
    kept = ("@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end")
    return {name: whole[name] for name in kept if name in whole}


def removed(item_id: str, prefers: Preferences) -> dict[str, Any]:
    """Print what a delta says of an id that is gone, left the window, or was never in it."""
    shown = names.shown(item_id, immutable_ids=prefers.immutable_ids)
    return _TYPE | {"id": shown, "@removed": {"reason": "deleted"}}


def etag(item: Item) -> str:
    """Return the item's version, as ``@odata.etag`` and in notifications."""
    return f'W/"{_change_key(item)}"'


def _version(item: Item) -> dict[str, Any]:
    return {
        "@odata.etag": etag(item),
        "changeKey": _change_key(item),
        "lastModifiedDateTime": zones.write_instant(item.row.updated_at),
    }


def _change_key(item: Item) -> str:
    stamp = int(item.row.updated_at.timestamp()).to_bytes(8, "big")
    return base64.b64encode(stamp + item.row.change.to_bytes(8, "big")).decode()


def _id(item: Item, prefers: Preferences) -> str:
    return names.shown(item.id, immutable_ids=prefers.immutable_ids)


def _time(body: dict[str, Any], side: str, prefers: Preferences) -> Any:  # noqa: ANN401 - as stored
    """Print a time in the preferred zone; a zone that nobody knows stays as it was stored."""
    stamp = body[side]
    try:
        if body.get("isAllDay"):
            return zones.write_date(zones.read_date(stamp), prefers.zone)
        if zones.zone_of(str(stamp.get("timeZone") or "UTC")) is None:
            return stamp
        return zones.write_wall(zones.read_wall(stamp), prefers.zone)
    except (AttributeError, KeyError, TypeError, ValueError):
        return stamp


def _sees(role: Role, body: dict[str, Any]) -> bool:
    if role in ("owner", "writer"):
        return True
    return role != "freeBusyReader" and body.get("sensitivity") not in _PRIVATE


def _veiled(body: dict[str, Any], role: Role) -> dict[str, Any]:
    """Hide all but when: what Outlook shows of private items and of free/busy calendars."""
    kept = {name: body[name] for name in _BARE if name in body}
    subject = "Busy" if role == "freeBusyReader" else "Private Appointment"
    return kept | {
        "subject": subject,
        "sensitivity": "private",
        "bodyPreview": "",
        "body": {"contentType": "html", "content": ""},
        "attendees": [],
    }
