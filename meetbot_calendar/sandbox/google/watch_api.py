"""The routes of push: events.watch and channels.stop."""

import asyncio

import msgspec
from litestar import Response, post
from litestar.enums import MediaType
from litestar.params import FromPath

from meetbot_calendar.sandbox.google.access import EVENT_SCOPES, STOP_SCOPES, recognise, sight
from meetbot_calendar.sandbox.google.calendar_api import Asked
from meetbot_calendar.sandbox.google.channels import channel_json, open_channel, stop_channel
from meetbot_calendar.sandbox.google.errors import GoogleError, meet_trouble
from meetbot_calendar.sandbox.google.push import greet
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.store import Watch
from meetbot_calendar.sandbox.world import World

_GREETING_FIRST = 1.0


@post("/calendars/{calendar_id:str}/events/watch")
async def watch_events(request: Asked, world: Here, calendar_id: FromPath[str]) -> Response[bytes]:
    """events.watch; the ``sync`` message usually arrives before this answer does.

    Order ``sync_late`` at google.watch for the other way round. An address may be http only when
    its host is this machine: real Google takes https alone.
    """
    reader = recognise(world, request, EVENT_SCOPES)
    lost = await meet_trouble(world, "google.watch", reader.account.email)
    seen = sight(world, reader, calendar_id)
    types = request.query_params.getall("eventTypes", [])
    watch = open_channel(world, seen, await request.body(), types)
    late = world.faults.take("google.watch", "sync_late", account=reader.account.email)
    await _greeted(world, watch, late=late is not None)
    if lost:
        raise GoogleError(500, "backendError", "Backend Error")
    body = msgspec.json.encode(channel_json(watch))
    return Response(body, status_code=200, media_type=MediaType.JSON)


@post("/channels/stop", status_code=204)
async def stop(request: Asked, world: Here) -> None:
    """channels.stop."""
    reader = recognise(world, request, STOP_SCOPES)
    lost = await meet_trouble(world, "google.stop", reader.account.email)
    stop_channel(world, reader, await request.body())
    if lost:
        raise GoogleError(500, "backendError", "Backend Error")


async def _greeted(world: World, watch: Watch, *, late: bool) -> None:
    """Send the sync message and give it a moment's start on the answer, unless it is to be late."""
    arrived = asyncio.Event()

    async def errand() -> None:
        try:
            await greet(world, watch)
        finally:
            arrived.set()

    world.courier.send(errand())
    if late:
        return
    try:
        async with asyncio.timeout(_GREETING_FIRST):
            await arrived.wait()
    except TimeoutError:
        return
