"""MeetingBaaS' end (API v2): see gateways/fleets/meetingbaas.py for the sources.

Answers are ``{success, data}`` or ``{success: false, error, code, statusCode}``. A link asked for
with ``allow_multiple_bots: false`` is barred while a bot for it is younger than five minutes.
Listing cuts its pages first and then filters them: ``extra`` by ``key:value``, the link by a part
of it. Leaving is refused (409) to what has ended, and to what is queued: ``queued``, on order. Its
guide names the code of a double ``FST_ERR_BOT_ALREADY_EXISTS``; the sources do not show the codes
of 401 and of a bad link.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Response, Router, get, post
from litestar.di import Provide
from litestar.params import FromPath

from meetbot_calendar.sandbox.fleet_bots import Bot
from meetbot_calendar.sandbox.fleet_runner import FleetRunner, Make, Post, Telling, standard_headers
from meetbot_calendar.sandbox.fleets import desk
from meetbot_calendar.sandbox.fleets.desk import Asked, Json, Refusal, Runner, written

_FORM = "123e4567-e89b-42d3-a456-{:012d}"
_LOCK = timedelta(minutes=5)
_STATUS = {
    "accepted": "joining_call",
    "joined": "in_call_recording",
    "completed": "completed",
    "failed": "failed",
    "recalled": "completed",
}


def _error(status: int, code: str, wait: int | None = None) -> Refusal:
    body = {"success": False, "error": code, "code": f"FST_ERR_{code}", "statusCode": status}
    return Refusal(status, body | {"message": None, "details": None}, wait)


_NOT_FOUND = _error(404, "BOT_NOT_FOUND_BY_ID")
_NO_KEY = _error(401, "FORBIDDEN")
_TROUBLE = {
    "full": _error(429, "DAILY_BOT_CAP_REACHED"),
    "throttled": _error(429, "TOO_MANY_REQUESTS", wait=20),
    "unauthorized": _NO_KEY,
    "unpaid": _error(402, "INSUFFICIENT_TOKENS"),
    "bad_link": _error(400, "INVALID_MEETING_PLATFORM"),
    "broken": _error(500, "INTERNAL_SERVER_ERROR"),
}


def router(runner: FleetRunner) -> Router:
    """Return everything under ``/meetingbaas``."""
    return Router(
        path="/meetingbaas/v2/bots",
        route_handlers=[create, list_bots, read, status, leave],
        dependencies={"runner": Provide(lambda: runner, sync_to_thread=False)},
        exception_handlers={Refusal: desk.answer_refusal},
    )


@post("/", status_code=201)
async def create(request: Asked, runner: Runner) -> Response[Any]:
    """Create a bot that joins at once."""
    _let_in(request, runner)
    body = await desk.read_object(request, _error(400, "VALIDATION"))
    desk.meet_trouble(runner, _TROUBLE)
    if not body.get("bot_name") or not desk.is_web(body.get("meeting_url")):
        raise _error(400, "VALIDATION")
    if body.get("allow_multiple_bots", True) is False and _is_locked(runner, body["meeting_url"]):
        raise _error(409, "BOT_ALREADY_EXISTS")
    bot = desk.take(runner, "", body, _FORM)
    desk.lose_answer(runner)
    return Response({"success": True, "data": {"bot_id": bot.id}}, status_code=201)


@get("/")
async def list_bots(request: Asked, runner: Runner) -> Json:
    """List bots, the latest first, by exact values in ``extra`` and by a part of the link."""
    _let_in(request, runner)
    query = request.query_params
    wanted = dict(each.partition(":")[::2] for each in query.get("extra", "").split(",") if each)
    part = query.get("meeting_url", "").lower()
    rows, cursor = _page(runner, query)
    found = [
        _shown(bot)
        for bot in rows
        if wanted.items() <= (bot.body.get("extra") or {}).items()
        and part in bot.body["meeting_url"].lower()
    ]
    return {"success": True, "data": found, "cursor": cursor, "prev_cursor": None}


@get("/{fleet_id:str}")
async def read(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Read a bot, with links for four hours."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    return {"success": True, "data": _shown(bot) | _brought(bot)}


@get("/{fleet_id:str}/status")
async def status(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Say where a bot is."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    return {"success": True, "data": {"bot_id": bot.id, "status": _STATUS[bot.status]}}


@post("/{fleet_id:str}/leave", status_code=200)
async def leave(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Let a bot leave."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    if desk.is_over(bot) or runner.world.faults.take(runner.make.bots, "queued"):
        raise _error(409, "BOT_STATUS")
    desk.leave(runner, bot)
    return {"success": True, "data": {"message": "Bot leave request sent successfully."}}


def _let_in(request: Asked, runner: FleetRunner) -> None:
    desk.check_key(request, runner, "x-meeting-baas-api-key", "", _NO_KEY)


def _page(runner: FleetRunner, query: Mapping[str, str]) -> tuple[list[Bot], str | None]:
    """Cut a page out of all bots, and say where the next begins."""
    since = msgspec.convert(query.get("created_after", "2000-01-01T00:00:00Z"), datetime)
    if since > runner.world.clock.now():
        raise _error(400, "VALIDATION")
    made = [bot for bot in reversed(runner.state.bots.values()) if bot.received_at > since]
    begin, size = int(query.get("cursor", "0")), int(query.get("limit", "50"))
    end = begin + size
    return made[begin:end], str(end) if end < len(made) else None


def _is_locked(runner: FleetRunner, link: str) -> bool:
    since = runner.world.clock.now() - _LOCK
    made = runner.state.bots.values()
    return any(bot.body["meeting_url"] == link and bot.received_at > since for bot in made)


def _shown(bot: Bot) -> Json:
    failure = _failure(bot)
    return {
        "bot_id": bot.id,
        "bot_name": bot.body["bot_name"],
        "meeting_url": bot.body["meeting_url"],
        "extra": bot.body.get("extra"),
        "created_at": written(bot.received_at),
        "joined_at": written(bot.joined_at),
        "exited_at": written(bot.ended_at),
        "updated_at": written(bot.ended_at or bot.joined_at or bot.received_at),
        "status": _STATUS[bot.status],
        "error_code": failure,
        "error_message": failure,
    }


def _failure(bot: Bot) -> str | None:
    """Return why a bot failed: a host who sends it away early is one cause."""
    reasons = [
        desk.data_of(r).get("reason") for r in desk.true_reports(bot) if r.type == "bot.failed"
    ]
    if not reasons:
        return None
    names = {
        "removed_by_host": "BOT_REMOVED_TOO_EARLY",
        "recalled": "EXITING_MEETING_BEFORE_RECORD",
    }
    return names.get(str(reasons[0]), str(reasons[0]).upper())


def _brought(bot: Bot) -> Json:
    if bot.joined_at is None or bot.ended_at is None:
        return {"video": None, "audio": None, "transcription": None, "duration_seconds": None}
    media = f"https://media.meetingbaas.example/{bot.id}"
    return {
        "video": f"{media}/video.mp4",
        "audio": f"{media}/audio.mp3",
        "transcription": f"{media}/transcription.json",
        "duration_seconds": int((bot.ended_at - bot.joined_at).total_seconds()),
    }


def _write(telling: Telling) -> list[Post]:
    """Tell through Svix: of every status, and of the end."""
    if not telling.config.webhook_url:
        return []
    kind, bot, now = telling.report.type, telling.bot, written(telling.now)
    if kind == "bot.joined":
        codes = ("queued", "joining_call", "in_waiting_room", "in_call_recording")
        said: list[tuple[str, Json]] = [
            ("bot.status_change", {"status": {"code": c, "created_at": now}}) for c in codes
        ]
    elif kind == "bot.completed":
        said = [("bot.completed", _brought(bot) | {"exited_at": now, "sent_at": now})]
    else:
        failure = {"error_code": _failure(bot), "error_message": "It failed.", "sent_at": now}
        said = [("bot.failed", failure)]
    return [_post(telling, event, data) for event, data in said]


def _post(telling: Telling, event: str, data: Json) -> Post:
    told = {"bot_id": telling.bot.id, "event_id": None} | data
    extra = telling.bot.body.get("extra")
    body = desk.encoded({"event": event, "data": told, "extra": extra})
    headers = standard_headers(telling, body.decode(), prefix="svix")
    return Post(url=telling.config.webhook_url, headers=headers, body=body)


MAKE = Make(name="meetingbaas", write=_write)
