"""What an Outlook item says: its body, its places and its online meeting, from plain facts."""

import hashlib
import html
import re
from typing import Any

from meetbot_calendar.sandbox.meetings import Guest, Meeting

_TAG = re.compile(r"<[^>]+>")
_PREVIEW = 255
_CHARSET = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
_HEAD = f"<head>\r\n{_CHARSET}\r\n</head>\r\n"
_NOWHERE = {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"}


def contents(meeting: Meeting, link: str, location: str, description: str) -> dict[str, Any]:
    """Return the members of an item that tell where and how to meet."""
    online = link if _is_teams(link) and meeting.link_place in ("auto", "conference") else ""
    text = description
    if link and not online and _in_body(meeting):
        text = f"{description}\n\nJoin: {link}".strip()
    elif link and not online:
        location = location or link
    places = _places(location, [g for g in meeting.guests if g.resource])
    return {
        "body": {"contentType": "html", "content": _page(text, online)},
        "bodyPreview": _preview(text, online),
        "location": places[0] if places else _NOWHERE,
        "locations": places,
        **_online(online),
    }


def as_text(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body in plain text, as ``outlook.body-content-type="text"`` asks for."""
    if body.get("contentType") == "text":
        return body
    lines = re.sub(r"<(br|/div|/p)[^>]*>", "\r\n", str(body.get("content", "")))
    return {"contentType": "text", "content": html.unescape(_TAG.sub("", lines)).strip()}


def _is_teams(link: str) -> bool:
    return link.startswith(("https://teams.microsoft.com/", "https://teams.live.com/"))


def _in_body(meeting: Meeting) -> bool:
    if meeting.link_place in ("location", "description"):
        return meeting.link_place == "description"
    return meeting.organizer_provider == "google" or bool(meeting.location)


def _page(text: str, online: str) -> str:
    lines = "".join(f"<div>{html.escape(line)}</div>\r\n" for line in text.splitlines())
    joins = (
        f'<div><a href="{html.escape(online)}">Join Microsoft Teams Meeting</a></div>\r\n'
        if online
        else ""
    )
    return f"<html>\r\n{_HEAD}<body>\r\n{lines}{joins}</body>\r\n</html>\r\n"


def _preview(text: str, online: str) -> str:
    whole = f"{text}\r\nJoin Microsoft Teams Meeting".strip() if online else text
    return whole[:_PREVIEW]


def _places(location: str, rooms: list[Guest]) -> list[dict[str, Any]]:
    named = {"displayName": location, "locationType": "default", "uniqueId": location}
    found = [{**named, "uniqueIdType": "private"}] if location else []
    return found + [_room(guest) for guest in rooms]


def _room(guest: Guest) -> dict[str, Any]:
    return {
        "displayName": guest.name or guest.email,
        "locationType": "conferenceRoom",
        "locationUri": guest.email,
        "uniqueId": guest.email,
        "uniqueIdType": "directory",
    }


def _online(join_url: str) -> dict[str, Any]:
    if not join_url:
        provider = {"isOnlineMeeting": False, "onlineMeetingProvider": "unknown"}
        return {**provider, "onlineMeetingUrl": None, "onlineMeeting": None}
    number = int(hashlib.sha256(join_url.encode()).hexdigest()[:8], 16) % 10**9
    return {
        "isOnlineMeeting": True,
        "onlineMeetingProvider": "teamsForBusiness",
        "onlineMeetingUrl": None,
        "onlineMeeting": {"joinUrl": join_url, "conferenceId": f"{number:09d}"},
    }
