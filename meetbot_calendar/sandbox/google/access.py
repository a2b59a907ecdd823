"""Who is asking, with which scopes, and what they may see of a calendar."""

from typing import Any

import msgspec
from litestar import Request

from meetbot_calendar.sandbox.google.errors import GoogleError, not_found
from meetbot_calendar.sandbox.store import Account, Calendar, Entry
from meetbot_calendar.sandbox.world import World

_AUTH = "https://www.googleapis.com/auth/"
_ANY = ("calendar", "calendar.readonly", "calendar.app.created")
_LIST = ("calendar.calendarlist", "calendar.calendarlist.readonly")
_EVENTS = (
    "calendar.events",
    "calendar.events.freebusy",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.events.readonly",
)
_OTHER = (
    "calendar.acls",
    "calendar.acls.readonly",
    "calendar.settings",
    "calendar.settings.readonly",
)
LIST_SCOPES = frozenset(_AUTH + name for name in (*_ANY[:2], *_LIST))
EVENT_SCOPES = frozenset(_AUTH + name for name in (*_ANY, *_EVENTS))
STOP_SCOPES = EVENT_SCOPES | LIST_SCOPES | frozenset(_AUTH + name for name in _OTHER)


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A caller that has been recognised."""

    account: Account
    client_id: str
    scopes: frozenset[str]


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as one reader may see it."""

    reader: Reader
    calendar: Calendar
    entry: Entry


def recognise(world: World, request: Request[Any, Any, Any], accepted: frozenset[str]) -> Reader:
    """Return the caller; raises 401 ``authError`` or 403 ``insufficientPermissions``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    found = world.grants.live_access(token, world.clock.now())
    if scheme.lower() != "bearer" or found is None or not found[1].account.startswith("google:"):
        raise GoogleError(
            401,
            "authError",
            "Invalid Credentials",
            location_type="header",
            location="Authorization",
        )
    _, grant = found
    account = world.state.accounts[grant.account]
    request.state.account = account.email
    scopes = frozenset(found[0].scopes)
    if not scopes & accepted:
        message = "Request had insufficient authentication scopes."
        raise GoogleError(403, "insufficientPermissions", message)
    return Reader(account=account, client_id=grant.client_id, scopes=scopes)


def sight(world: World, reader: Reader, calendar_id: str) -> Sight:
    """Return the calendar (``primary`` is the caller's own); raises 404 without access."""
    if calendar_id == "primary":
        calendar_id = world.directory.primary(reader.account).id
    calendar = world.directory.calendar(calendar_id)
    entry = world.directory.entry(reader.account, calendar_id)
    if calendar is None or entry is None or entry.role == "none":
        raise not_found()
    return Sight(reader=reader, calendar=calendar, entry=entry)
