"""Answers calendarList.list and .get: the calendars of one account, whole or what changed."""

from typing import Any

import msgspec

from meetbot_calendar.sandbox.google import tokens
from meetbot_calendar.sandbox.google.access import Reader
from meetbot_calendar.sandbox.google.errors import full_sync_required, invalid, not_found
from meetbot_calendar.sandbox.google.query import Params, flag, refuse_long_quota_user, whole
from meetbot_calendar.sandbox.google.render import etag
from meetbot_calendar.sandbox.google.tokens import PageToken, SyncToken
from meetbot_calendar.sandbox.store import Entry
from meetbot_calendar.sandbox.world import World

Body = dict[str, Any]

ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
_RESOURCE = "calendarList"
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 250


class _Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A checked calendarList.list call."""

    since: int
    upto: int
    after: int
    limit: int
    show_deleted: bool
    show_hidden: bool
    min_role: str


def list_calendars(world: World, reader: Reader, params: Params) -> Body:
    """Return the calendarList.list answer; raises GoogleError 400 and 410."""
    asked = _read(reader, params)
    every = enumerate(world.directory.entries(reader.account, removed=True))
    shown = [(at, e) for at, e in every if at > asked.after and _wanted(e, asked)]
    page = shown[: asked.limit]
    answer: Body = {
        "kind": "calendar#calendarList",
        "etag": etag(f"{reader.account.key}{asked.upto}"),
        "items": [entry_json(world, e) for _, e in page],
    }
    if len(page) < len(shown):
        token = PageToken(resource=_RESOURCE, change=asked.upto, signature="", key=[page[-1][0]])
        return answer | {"nextPageToken": tokens.written(token)}
    sync = SyncToken(
        resource=_RESOURCE,
        account=reader.account.key,
        change=asked.upto,
        access=0,
        epoch=0,
        signature="",
    )
    return answer | {"nextSyncToken": tokens.written(sync)}


def one_calendar(world: World, reader: Reader, calendar_id: str) -> Body:
    """Return the calendarList.get answer; raises GoogleError 404."""
    if calendar_id == "primary":
        calendar_id = world.directory.primary(reader.account).id
    entry = world.directory.entry(reader.account, calendar_id)
    if entry is None:
        raise not_found()
    return entry_json(world, entry)


def entry_json(world: World, entry: Entry) -> Body:
    """Return a calendarListEntry."""
    calendar = world.state.calendars[entry.calendar]
    head: Body = {
        "kind": "calendar#calendarListEntry",
        "etag": etag(f"{entry.calendar}{entry.change}"),
        "id": calendar.id,
    }
    if entry.removed:
        return head | {"deleted": True}
    body = head | {
        "summary": calendar.name,
        "timeZone": calendar.zone,
        "colorId": "14",
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "accessRole": entry.role,
        "defaultReminders": [{"method": "popup", "minutes": 10}] if entry.primary else [],
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }
    if not (calendar.primary or calendar.generated):
        body["dataOwner"] = calendar.owner
    return body | _raised(entry)


def _raised(entry: Entry) -> Body:
    flags = {"primary": entry.primary, "selected": entry.selected, "hidden": entry.hidden}
    body: Body = {name: True for name, raised in flags.items() if raised}
    if entry.summary_override:
        body["summaryOverride"] = entry.summary_override
    return body


def _read(reader: Reader, params: Params) -> _Listing:
    refuse_long_quota_user(params)
    sync = _sync_token(reader, params)
    page = _page_token(params)
    min_role: str = params.get("minAccessRole", "")
    if min_role and min_role not in ROLES:
        raise invalid(f"Invalid value '{min_role}'.", "minAccessRole")
    after = page.key[0] if page and page.key else -1
    return _Listing(
        since=sync.change if sync else -1,
        upto=page.change if page else reader.account.list_change,
        after=int(after),
        limit=min(whole(params, "maxResults", _DEFAULT_PAGE), _LARGEST_PAGE),
        show_deleted=sync is not None or flag(params, "showDeleted"),
        show_hidden=sync is not None or flag(params, "showHidden"),
        min_role=min_role,
    )


def _sync_token(reader: Reader, params: Params) -> SyncToken | None:
    if "syncToken" not in params:
        return None
    for name in ("minAccessRole", "showOwnOrganizationOnly"):
        if name in params:
            raise invalid(f"Sync token cannot be used with {name}.", name)
    token = tokens.read_sync(params["syncToken"])
    held = (_RESOURCE, reader.account.key)
    if token is None or (token.resource, token.account) != held:
        raise full_sync_required()
    return token


def _page_token(params: Params) -> PageToken | None:
    if "pageToken" not in params:
        return None
    token = tokens.read_page(params["pageToken"])
    if token is None or token.resource != _RESOURCE:
        raise invalid("Invalid page token value.", "pageToken")
    return token


def _wanted(entry: Entry, asked: _Listing) -> bool:
    if entry.change <= asked.since or (entry.removed and not asked.show_deleted):
        return False
    if entry.hidden and not asked.show_hidden:
        return False
    return not asked.min_role or ROLES.index(entry.role) >= ROLES.index(asked.min_role)
