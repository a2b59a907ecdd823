"""Says which meeting an address joins: per platform, its hosts and the paths that join.

A page about meetings (help, registration, dial-in, recordings, a bare start page) joins none. The
``room`` is the same however the link is spelt: it leaves out passwords and whatever else may
differ between two links to one meeting.
"""

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote

import msgspec

from meetbot_calendar.calendars.link_addresses import (
    Address,
    parse_address,
    path_segments,
    query_values,
)
from meetbot_calendar.calendars.model import Platform
from meetbot_calendar.calendars.platform_sites import (
    GOOGLE_MEET_PAGES,
    GOTO_PAGES,
    HOSTS,
    VENDOR_SITES,
    WHEREBY_PAGES,
)


class Meeting(msgspec.Struct, frozen=True):
    """Which meeting it is; ``room`` is ``platform:identity``."""

    platform: Platform
    room: str


def recognise(url: str) -> Meeting | None:
    """Say which meeting an address joins, as it stands; nothing is unwrapped or looked up."""
    address = parse_address(url)
    if address is None:
        return None
    for platform, hosts in HOSTS.items():
        if hosts.fullmatch(address.host):
            room = _GRAMMARS[platform](address)
            return Meeting(platform, f"{platform}:{room}") if room else None
    return None


_NAME = re.compile(r"[a-z0-9][a-z0-9._~-]{1,79}")

_MEET_CODE = re.compile(r"[a-z]{3}-[a-z]{4}-[a-z]{3}")
_MEET_ALIAS = re.compile(r"[a-z](?=[a-z0-9]*-)[a-z0-9-]{3,38}[a-z0-9]")
_MEET_LOOKUP = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def _google_meet(address: Address) -> str | None:
    match tuple(segment.lower() for segment in address.segments):
        case ("meet", name) if address.host == "g.co" and _MEET_LOOKUP.fullmatch(name):
            return f"lookup/{name}"
        case _ if address.host == "g.co":
            return None
        case ("lookup", name) if _MEET_LOOKUP.fullmatch(name):
            return f"lookup/{name}"
        case (code,) | ("_meet", code) if _MEET_CODE.fullmatch(code):
            return code
        # A name that a Workspace gave one of its meetings in place of a code.
        case (alias,) if _MEET_ALIAS.fullmatch(alias) and alias not in GOOGLE_MEET_PAGES:
            return f"lookup/{alias}"
        case _:
            return None


# Zoom deals out 9 to 11 digits. Shorter numbers stand in hand-typed links; Zoom will say.
_ZOOM_NUMBER = re.compile(r"([0-9]{5,11})(?:&.*)?", re.DOTALL)
# app., us02web. and the like are doors of zoom.us; any other name is a customer's.
_ZOOM_DOOR = re.compile(r"^(?:www\.|(?:app|[a-z]{2}[0-9]{2}(?:web)?)\.(?=zoom))")
_ZOOM_COM = re.compile(r"zoom\.com$")


def _zoom(address: Address) -> str | None:
    host = _ZOOM_DOOR.sub("", address.host)
    if VENDOR_SITES.fullmatch(host):
        return None
    cloud = "gov/" if host.endswith("zoomgov.com") else ""
    match tuple(segment.lower() for segment in address.segments):
        case (
            ("j" | "w" | "s", number)
            | ("wc", "join", number)
            | ("wc", number, "join" | "start")
            | ("wc", number)
        ) if digits := _ZOOM_NUMBER.fullmatch(number):
            return f"{cloud}{digits[1]}"
        case ("my", name) if _NAME.fullmatch(name):
            # A name within a customer's own host; Zoom answers at zoom.com as it does at zoom.us.
            return f"my/{_ZOOM_COM.sub('zoom.us', host)}/{name}"
        case _:
            return None


_TEAMS_NUMBER = re.compile(r"[0-9]{9,20}")
_TEAMS_CLOUDS = {
    "teams.live.com": "live/",
    "dod.teams.microsoft.us": "dod/",
    "dod.teams.microsoft.com": "dod/",
    "gov.teams.microsoft.us": "gov/",
    "gov.teams.microsoft.com": "gov/",
    "teams.microsoft.us": "gov/",
    "teams.microsoftonline.cn": "cn/",
}


def _teams(address: Address) -> str | None:
    segments, query = address.segments, address.query
    if address.fragment.startswith("/"):  # the web client: /v2/?meetingjoin=true#/meet/…
        path, _, text = address.fragment.partition("?")
        segments, query = path_segments(path), query_values(text)
    match segments:
        case ("l", "meetup-join", thread, *rest):
            return _teams_thread(thread, rest[0] if rest else "0")
        case ("meet", number):
            return _teams_number(address.host, number)
        case ("light-meetings", "launch"):
            return _teams_coordinates(address.host, query.get("coords", ""))
        case _:
            return None


def _teams_number(host: str, number: str) -> str | None:
    return f"{_TEAMS_CLOUDS.get(host, '')}{number}" if _TEAMS_NUMBER.fullmatch(number) else None


def _teams_thread(thread: str, message: str) -> str:
    """In a channel's thread every meeting is a message; elsewhere the message is 0."""
    for _ in range(3):  # a link that was wrapped is often escaped more than once
        thread, message = unquote(thread), unquote(message)
    return f"{thread}/{message}" if message.isdigit() and message.strip("0") else thread


class _Coordinates(msgspec.Struct, rename="camel"):
    """Where the light client is: in a thread, or, from a short link, at a number."""

    conversation_id: str = ""
    message_id: str = "0"
    meeting_code: str = ""


def _teams_coordinates(host: str, coordinates: str) -> str | None:
    try:
        document = base64.b64decode(coordinates + "=" * (-len(coordinates) % 4), validate=True)
        where = msgspec.json.decode(document, type=_Coordinates)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None
    if where.conversation_id:
        return _teams_thread(where.conversation_id, where.message_id)
    return _teams_number(host, where.meeting_code)


_WEBEX_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")
_WEBEX_TICKET = re.compile(r"[A-Za-z0-9]{6,80}")
_WEBEX_NUMBER = re.compile(r"[0-9]{8,12}")
_WEBEX_ID = re.compile(r"[0-9a-f]{32}")


def _webex(address: Address) -> str | None:
    ticket = address.query.get("mtid", "")
    match address.segments:
        case (*_, "j.php" | "g.php") | ("wbxmjs", "joinservice", *_) if _WEBEX_TICKET.fullmatch(
            ticket
        ):
            return f"mtid/{ticket}"
        case (
            ("wbxmjs", "joinservice", "sites", _, "meeting", "download", key)
            | ("webappng", "sites", _, "meeting", "download" | "info", key)
            | ("m", key)
        ) if _WEBEX_ID.fullmatch(plain := key.lower().replace("-", "")):
            return f"id/{plain}"
        case (_, "m.php") if address.query.get("at") == "JM":  # what Webex' URL API writes
            return _webex_number(address.host, address.query.get("mk", ""))
        case ("meet" | "join", name) | ("webappng", "sites", _, "dashboard", "pmr", name):
            return _webex_room(address.host, unquote(name).lower())
        case _:
            return None


def _webex_room(host: str, name: str) -> str | None:
    if VENDOR_SITES.fullmatch(host) or not _WEBEX_NAME.fullmatch(name):
        return None
    return f"{host.removesuffix('.webex.com')}/{name}"


def _webex_number(host: str, number: str) -> str | None:
    if VENDOR_SITES.fullmatch(host) or not _WEBEX_NUMBER.fullmatch(number):
        return None
    return f"{host.removesuffix('.webex.com')}/number/{number}"


_GOTO_NUMBER = re.compile(r"[0-9]{9}|[0-9]{3}-[0-9]{3}-[0-9]{3}")
_GOTO_PART = re.compile(r"[0-9]{1,8}")  # of a number that was typed in groups


def _gotomeeting(address: Address) -> str | None:
    rooms_by_name = address.host.endswith(("gotomeet.me", "meet.goto.com"))
    match tuple(segment.lower() for segment in address.segments):
        case ("join", key) if address.host.endswith("gotomeeting.com"):
            return _goto_room(key, named=True)
        case ("meeting" | "meet", key) if address.host == "app.goto.com":
            return _goto_room(key, named=True)
        case (key,) if rooms_by_name:
            return _goto_room(key, named=True)
        case (company, key) if address.host.endswith("gotomeet.me") and _NAME.fullmatch(company):
            return f"{company}/{room}" if (room := _goto_room(key, named=True)) else None
        case () if address.host == "app.gotomeeting.com":
            return _goto_room(address.query.get("meetingid", ""), named=False)
        case _:
            return None


def _goto_room(key: str, *, named: bool) -> str | None:
    if _GOTO_NUMBER.fullmatch(key):
        return key.replace("-", "")
    is_name = named and _NAME.fullmatch(key) and not _GOTO_PART.fullmatch(key)
    return key if is_name and key not in GOTO_PAGES else None


# BlueJeans deals out nine digits; people choose their own, such as an extension. 111 is the test of
# one's camera, and a year is the blog's. A passcode may follow, and the way to join by.
_BLUEJEANS_PATH = re.compile(
    r"((?!(?:19|20)[0-9]{2}(?:/|$))[0-9]{4,20})(?:/[0-9]{1,20})?(?:/(?:webrtc|browser))?"
)


def _bluejeans(address: Address) -> str | None:
    if VENDOR_SITES.fullmatch(address.host.removeprefix("www.")):
        return None
    match tuple(segment.lower() for segment in address.segments):
        case path if found := _BLUEJEANS_PATH.fullmatch("/".join(path)):
            return found[1]
        case ("a2m", "live-event", name) if _NAME.fullmatch(name):
            return f"event/{name}"
        case _:
            return None


_WHEREBY_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,99}")


def _whereby(address: Address) -> str | None:
    customer = address.host.removesuffix("whereby.com").strip(".").removeprefix("www")
    match tuple(segment.lower() for segment in address.segments):
        case (name,) if not _WHEREBY_NAME.fullmatch(name):
            return None
        case (name,) if customer not in {"", "app"} and not VENDOR_SITES.fullmatch(address.host):
            return f"{customer}/{name}"
        case (name,) if not customer and name not in WHEREBY_PAGES:
            return name
        case _:
            return None


_GRAMMARS: dict[Platform, Callable[[Address], str | None]] = {
    "google_meet": _google_meet,
    "zoom": _zoom,
    "teams": _teams,
    "webex": _webex,
    "gotomeeting": _gotomeeting,
    "bluejeans": _bluejeans,
    "whereby": _whereby,
}
