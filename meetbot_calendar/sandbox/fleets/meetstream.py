"""MeetStream's end for bots (API v1): see gateways/fleets/meetstream.py for the sources.

A repeated idempotency key is answered 507 with the bot as it stands, whatever the body; bots leave
by a GET; an ending is ``bot.stopped`` with its reason in ``bot_event``, and ``bot.done`` comes
last. Deliveries to the workspace's endpoint are signed over the body and never tried again. The
sources do not say how a bot that has gone answers ``remove_bot``, nor the bodies of refusals beyond
``message``; what stands here is plain.
"""

import hashlib
import hmac
from typing import Any

import msgspec
from litestar import Response, Router, get, post
from litestar.di import Provide
from litestar.params import FromPath

from meetbot_calendar.sandbox.fleet_bots import Bot, Report
from meetbot_calendar.sandbox.fleet_runner import FleetRunner, Make, Post, Telling
from meetbot_calendar.sandbox.fleets import desk
from meetbot_calendar.sandbox.fleets.desk import Asked, Json, Refusal, Runner, written

_FORM = "5b0ff6e7-3cea-4c9f-a6b4-{:012d}"
_NOT_FOUND = Refusal(404, {"message": "Bot not found"})
_NO_KEY = Refusal(403, {"message": "The key was rejected"})
_TROUBLE = {
    "throttled": Refusal(429, {"message": "Too many requests"}, wait=20),
    "full": Refusal(503, {"message": "Service unavailable"}, wait=30),
    "unauthorized": _NO_KEY,
    "unpaid": Refusal(402, {"message": "Insufficient credits"}),
    "bad_link": Refusal(400, {"message": "meeting_link is invalid", "meeting_link": "invalid"}),
    "broken": Refusal(500, {"message": "Internal server error"}),
}
_STATUS = {"accepted": "Joining", "joined": "Recording", "completed": "Done", "recalled": "Stopped"}
_ENDS = {
    "removed_by_host": ("bot.denied", "Denied"),
    "not_admitted": ("bot.notallowed", "NotAllowed"),
}


def router(runner: FleetRunner) -> Router:
    """Return everything under ``/meetstream``."""
    return Router(
        path="/meetstream/api/v1/bots",
        route_handlers=[create, list_bots, status, detail, video, remove],
        dependencies={"runner": Provide(lambda: runner, sync_to_thread=False)},
        exception_handlers={Refusal: desk.answer_refusal},
    )


@post("/create_bot", status_code=201)
async def create(request: Asked, runner: Runner) -> Response[Any]:
    """Create a bot that joins at once, or show the one that the key has brought."""
    _let_in(request, runner)
    key = request.headers.get("idempotency-key", "")
    body = await desk.read_object(request, Refusal(400, {"message": "Invalid JSON"}))
    known = next((bot for bot in runner.state.bots.values() if key and bot.key == key), None)
    if known is not None:
        known.repeats += 1
        return Response(_made(known), status_code=507)
    desk.meet_trouble(runner, _TROUBLE)
    _check(body)
    bot = desk.take(runner, key, body, _FORM)
    desk.lose_answer(runner)
    return Response(_made(bot), status_code=201)


@get("/")
async def list_bots(request: Asked, runner: Runner) -> Json:
    """List bots."""
    _let_in(request, runner)
    rows = [{"bot_id": bot.id} for bot in runner.state.bots.values()]
    return {"bots": rows, "hasNextPage": False, "nextCursor": None}


@get("/{fleet_id:str}/status")
async def status(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Say where a bot is."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    return {
        "bot_id": bot.id,
        "status": _STATUS.get(bot.status, "Error"),
        "custom_attributes": bot.body.get("custom_attributes", {}),
    }


@get("/{fleet_id:str}/detail")
async def detail(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Show the whole session."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    ends = {_end(report)[0] for report in desk.true_reports(bot) if report.type == "bot.failed"}
    stages = {
        "Joining": bot.received_at,
        "InMeeting": bot.joined_at,
        "Recording": bot.joined_at,
        "Stopped": bot.ended_at,
        "BotRejected": bot.ended_at if "bot.denied" in ends else None,
        "BotNotAllowed": bot.ended_at if "bot.notallowed" in ends else None,
        "Error": bot.ended_at if "bot.failed" in ends else None,
        "Done": bot.ended_at,
    }
    timeline = {
        name: {"message": name, "status": at is not None, "timestamp": written(at)}
        for name, at in stages.items()
    }
    found = {
        "BotID": bot.id,
        "Status": _STATUS.get(bot.status, "Error"),
        "StatusTimeline": timeline,
    }
    return {"bot_details": found}


@get("/{fleet_id:str}/get_video")
async def video(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Response[Any]:
    """Say for ten minutes where the video is; 202 while there is none."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    if bot.joined_at is None or bot.ended_at is None:
        return Response({"message": "Processing"}, status_code=202)
    url = f"https://media.meetstream.example/{bot.id}.mp4"
    return Response({"video_url": url, "video_info": {}}, status_code=200)


@get("/{fleet_id:str}/remove_bot")
async def remove(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Let a bot leave."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    if desk.is_over(bot):
        raise Refusal(400, {"message": "The bot is not in a meeting"})
    desk.leave(runner, bot)
    return {"message": "Bot removed", "bot_id": bot.id}


def _let_in(request: Asked, runner: FleetRunner) -> None:
    desk.check_key(request, runner, "authorization", "Token ", _NO_KEY)


def _check(body: Json) -> None:
    for key in ("meeting_link", "bot_name"):
        if not body.get(key):
            raise Refusal(400, {"message": f"{key} is required"})
    if not desk.is_web(body["meeting_link"]):
        raise Refusal(400, {"message": "meeting_link is invalid", "meeting_link": "invalid"})
    if any(not isinstance(value, str) for value in body.get("custom_attributes", {}).values()):
        raise Refusal(400, {"message": "custom_attributes must be strings"})


def _made(bot: Bot) -> Json:
    return {
        "bot_id": bot.id,
        "transcript_id": None,
        "meeting_url": bot.body["meeting_link"],
        "status": "Active",
    }


def _end(report: Report) -> tuple[str, str]:
    return _ENDS.get(str(desk.data_of(report).get("reason")), ("bot.failed", "Error"))


def _write(telling: Telling) -> list[Post]:
    """Tell of every stage; what is not taken is not told again."""
    done = ("bot.done", "bot.done", "Done", 200)
    told = {
        "bot.joined": [
            ("bot.joining", "bot.joining", "Joining", 200),
            ("bot.inmeeting", "bot.inmeeting", "InMeeting", 200),
            ("bot.recording", "bot.recording", "Recording", 200),
        ],
        "bot.completed": [("bot.stopped", "bot.stopped", "Stopped", 200), done],
        "bot.failed": [("bot.stopped", *_end(telling.report), 500), done],
    }[telling.report.type]
    return [_post(telling, said) for said in told if telling.config.webhook_url]


def _post(telling: Telling, said: tuple[str, str, str, int]) -> Post:
    event, why, status, code = said
    body = msgspec.json.encode(
        {
            "event": event,
            "bot_event": why,
            "bot_id": telling.bot.id,
            "bot_status": status,
            "message": event,
            "status_code": code,
            "timestamp": written(telling.now),
            "custom_attributes": telling.bot.body.get("custom_attributes", {}),
        }
    )
    digest = hmac.new(telling.secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-MeetStream-Signature": f"sha256={digest}",
        "X-MeetStream-Timestamp": str(written(telling.now)),
    }
    return Post(url=telling.config.webhook_url, headers=headers, body=body)


MAKE = Make(name="meetstream", write=_write, insists=False)
