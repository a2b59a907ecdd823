"""The Calendar API's routes: recognise the caller, meet ordered trouble, act, answer."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.enums import MediaType
from litestar.params import FromPath

from meetbot_calendar.sandbox.google import expand
from meetbot_calendar.sandbox.google.access import (
    EVENT_SCOPES,
    LIST_SCOPES,
    Reader,
    recognise,
    sight,
)
from meetbot_calendar.sandbox.google.calendar_list import list_calendars, one_calendar
from meetbot_calendar.sandbox.google.errors import (
    GoogleError,
    full_sync_required,
    meet_trouble,
    not_found,
)
from meetbot_calendar.sandbox.google.expand import Item
from meetbot_calendar.sandbox.google.fields import selected
from meetbot_calendar.sandbox.google.listing import Oddity, list_events
from meetbot_calendar.sandbox.google.query import Params, read_query, whole, zone_of
from meetbot_calendar.sandbox.google.render import Body, View, event_json
from meetbot_calendar.sandbox.google.series import list_instances
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.world import World

Asked = Request[Any, Any, Any]


async def answered(
    world: World,
    request: Asked,
    target: str,
    accepted: frozenset[str],
    act: Callable[[Reader], Body],
) -> Response[bytes]:
    """Run one call of the API with everything that stands around it."""
    reader = recognise(world, request, accepted)
    lost = await meet_trouble(world, target, reader.account.email)
    body = selected(act(reader), request.query_params.get("fields", ""))
    if lost:
        raise GoogleError(500, "backendError", "Backend Error")
    headers = {"Vary": "Origin, X-Origin, Referer", "Cache-Control": "private, no-cache"}
    return Response(msgspec.json.encode(body), media_type=MediaType.JSON, headers=headers)


@get("/users/me/calendarList")
async def get_calendar_list(request: Asked, world: Here) -> Response[bytes]:
    """calendarList.list."""

    def act(reader: Reader) -> Body:
        if "syncToken" in request.query_params and _ordered(world, reader, "google.calendars"):
            raise full_sync_required()
        return list_calendars(world, reader, request.query_params)

    return await answered(world, request, "google.calendars", LIST_SCOPES, act)


@get("/users/me/calendarList/{calendar_id:str}")
async def get_calendar_list_entry(
    request: Asked, world: Here, calendar_id: FromPath[str]
) -> Response[bytes]:
    """calendarList.get."""
    return await answered(
        world,
        request,
        "google.calendars",
        LIST_SCOPES,
        lambda reader: one_calendar(world, reader, calendar_id),
    )


@get("/calendars/{calendar_id:str}/events")
async def get_events(request: Asked, world: Here, calendar_id: FromPath[str]) -> Response[bytes]:
    """events.list."""

    def act(reader: Reader) -> Body:
        seen = sight(world, reader, calendar_id)
        query = read_query(request.query_params)
        if query.sync_token and _ordered(world, reader, "google.events"):
            raise full_sync_required()
        view = View(sight=seen, zone=query.zone, max_attendees=query.max_attendees)
        return list_events(world, view, query, _oddity(world, reader))

    return await answered(world, request, "google.events", EVENT_SCOPES, act)


@get("/calendars/{calendar_id:str}/events/{event_id:str}")
async def get_event(
    request: Asked, world: Here, calendar_id: FromPath[str], event_id: FromPath[str]
) -> Response[bytes]:
    """events.get; a deleted event is answered as cancelled while its tombstone lasts."""

    def act(reader: Reader) -> Body:
        view = _view(world, reader, calendar_id, request.query_params)
        row = view.sight.calendar.rows.get(event_id)
        item = expand.instance(view.sight.calendar, event_id)
        if row:
            item = Item(id=row.id, row=row, body=row.body, gone=expand.is_gone(row))
        if item is None:
            raise not_found()
        return event_json(item, view)

    return await answered(world, request, "google.event", EVENT_SCOPES, act)


@get("/calendars/{calendar_id:str}/events/{event_id:str}/instances")
async def get_instances(
    request: Asked, world: Here, calendar_id: FromPath[str], event_id: FromPath[str]
) -> Response[bytes]:
    """events.instances."""

    def act(reader: Reader) -> Body:
        view = _view(world, reader, calendar_id, request.query_params)
        return list_instances(view, event_id, request.query_params, world.clock.now())

    return await answered(world, request, "google.instances", EVENT_SCOPES, act)


def _view(world: World, reader: Reader, calendar_id: str, params: Params) -> View:
    seen = sight(world, reader, calendar_id)
    return View(sight=seen, zone=zone_of(params), max_attendees=whole(params, "maxAttendees", 0))


def _ordered(world: World, reader: Reader, target: str) -> bool:
    return world.faults.take(target, "410", account=reader.account.email) is not None


def _oddity(world: World, reader: Reader) -> Oddity:
    def ordered(kind: str) -> bool:
        found = world.faults.take("google.events", kind, account=reader.account.email)
        return found is not None

    return Oddity(empty_page=ordered("empty_page"), loop_pages=ordered("loop_pages"))
