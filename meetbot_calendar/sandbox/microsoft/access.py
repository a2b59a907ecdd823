"""Who asks Graph, with which scopes, how many at once, and which calendars they may read."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from litestar import Request
from litestar.di import NamedDependency

from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.microsoft.failures import (
    GraphRefusal,
    access_denied,
    bad_token,
    item_not_found,
    throttled,
)
from meetbot_calendar.sandbox.microsoft.preferences import Preferences, read_preferences
from meetbot_calendar.sandbox.microsoft.trouble import meet_trouble
from meetbot_calendar.sandbox.store import Account, Calendar, Role
from meetbot_calendar.sandbox.world import World

AT_ONCE = 4
_LATENCY_SECONDS = 0.005
_RETRY_AFTER = 2
_OWN = frozenset(
    f"Calendars.{name}" for name in ("Read", "ReadWrite", "Read.Shared", "ReadWrite.Shared")
)
_SHARED = frozenset(("Calendars.Read.Shared", "Calendars.ReadWrite.Shared"))
_NEEDED = {
    "microsoft.me": frozenset(("User.Read", "User.ReadWrite", "User.ReadBasic.All")),
}


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller that has been recognised, with what this one request prefers.

    ``root`` is the address under which this Graph was reached, without a slash at its end.
    """

    account: Account
    client_id: str
    grant: str
    scopes: frozenset[str]
    prefers: Preferences
    root: str


Admitted = NamedDependency[Caller]
"""Annotate a handler's ``caller`` argument with this."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as one caller sees it; ``path`` is how the caller addressed it."""

    calendar: Calendar
    role: Role
    path: str


class Door:
    """Lets requests in: recognises the caller, meets ordered trouble, counts who is inside.

    Every request takes a little real time, so that requests sent at once do overlap here as they
    do at Microsoft, and the limit of four per app and mailbox means something.
    """

    def __init__(self) -> None:
        self._inside: Counter[tuple[str, str]] = Counter()

    async def caller(
        self, world: Here, request: Request[Any, Any, Any]
    ) -> AsyncGenerator[Caller, None]:
        """Provide the caller to a handler, and let go of the place when it is done."""
        request.state.now = world.clock.now()
        target = str(request.route_handler.opt["target"])
        caller = recognise(world, request, target)
        place = (caller.client_id, caller.account.key)
        self._inside[place] += 1
        try:
            if self._inside[place] > AT_ONCE and request.route_handler.opt.get("mailbox", True):
                raise throttled(_RETRY_AFTER)
            await asyncio.sleep(_LATENCY_SECONDS)
            await meet_trouble(world, target, caller.account.email)
            yield caller
        finally:
            self._inside[place] -= 1


def recognise(world: World, request: Request[Any, Any, Any], target: str) -> Caller:
    """Return the caller; raises 401 for a bad token, 403 for one that reaches too little."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise bad_token()
    found = world.grants.live_access(text.strip(), world.clock.now())
    if found is None or not found[1].account.startswith("outlook:"):
        known = text.strip() in world.state.grants.access
        raise bad_token(_EXPIRED if known else _MALFORMED)
    token, grant = found
    account = world.state.accounts[grant.account]
    request.state.account = account.email
    if not frozenset(token.scopes) & _NEEDED.get(target, _OWN):
        raise _too_little(target)
    return Caller(
        account=account,
        client_id=grant.client_id,
        grant=grant.id,
        scopes=frozenset(token.scopes),
        prefers=read_preferences(request.headers.getall("prefer", [])),
        root=f"{request.base_url}microsoft/graph/v1.0",
    )


def sight(world: World, caller: Caller, calendar_id: str = "") -> Sight:
    """Return a calendar (the default one if none is named); 404 unknown, 403 shared unread."""
    wanted = calendar_id or world.directory.primary(caller.account).id
    calendar = world.directory.calendar(wanted)
    entry = world.directory.entry(caller.account, wanted)
    if calendar is None or entry is None or entry.role == "none":
        raise item_not_found()
    if calendar.owner != caller.account.email and not caller.scopes & _SHARED:
        raise access_denied()
    path = f"/me/calendars/{calendar_id}" if calendar_id else "/me"
    return Sight(calendar=calendar, role=entry.role, path=path)


def sights(world: World, caller: Caller) -> list[Sight]:
    """Return every calendar that the caller may read, its own first one first."""
    found = [Sight(calendar=world.directory.primary(caller.account), role="owner", path="/me")]
    for entry in world.directory.entries(caller.account):
        calendar = world.directory.calendar(entry.calendar)
        own = calendar is not None and calendar.owner == caller.account.email
        if calendar and not entry.primary and (own or caller.scopes & _SHARED):
            path = f"/me/calendars/{calendar.id}"
            found.append(Sight(calendar=calendar, role=entry.role, path=path))
    return found


_EXPIRED = "Lifetime validation failed, the token is expired."
_MALFORMED = "CompactToken parsing failed with error code: 80049217"


def _too_little(target: str) -> GraphRefusal:
    if target == "microsoft.me":
        text = "Insufficient privileges to complete the operation."
        return GraphRefusal(403, "Authorization_RequestDenied", text)
    return access_denied()
