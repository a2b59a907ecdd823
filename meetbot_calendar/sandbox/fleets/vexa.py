"""Vexa's end (API v1): see gateways/fleets/vexa.py for the sources.

One meeting is one row with a number; a second bot in a room of the same account is a 409. Links
must be https, and are read for their room. Webhooks go to the account's one address, all events as
if they were enabled: a change of status without the meeting's number, and what it means with it.
Refusals are ``{"detail": …}``, as FastAPI writes them. A limit of bots at once is 429 by the
reference and has been 403; here it is 429.
"""

import hashlib
import hmac
import re
from typing import Any

from litestar import Response, Router, delete, get, post
from litestar.di import Provide
from litestar.params import FromPath

from meetbot_calendar.sandbox.fleet_bots import Bot, Report
from meetbot_calendar.sandbox.fleet_runner import FleetRunner, Make, Post, Telling
from meetbot_calendar.sandbox.fleets import desk
from meetbot_calendar.sandbox.fleets.desk import Asked, Json, Refusal, Runner, written

_FORM = "{}"
_PAGE = 50
_NOT_FOUND = Refusal(404, {"detail": "Meeting not found"})
_NO_KEY = Refusal(401, {"detail": "Invalid API key"})
_BAD_LINK = Refusal(422, {"detail": "'native_meeting_id' is required: unrecognized meeting link"})
_TROUBLE = {
    "full": Refusal(429, {"detail": "Bot concurrency limit reached"}),
    "throttled": Refusal(429, {"detail": "Too many requests"}, wait=20),
    "unauthorized": _NO_KEY,
    "unpaid": Refusal(
        403, {"detail": {"code": "service_not_allowed", "reason": "balance_exhausted"}}
    ),
    "bad_link": _BAD_LINK,
    "broken": Refusal(500, {"detail": "Internal Server Error"}),
}
_ROOMS = (
    ("google_meet", re.compile(r"https://meet\.google\.com/([a-z]{3}-[a-z]{4}-[a-z]{3})(?:\?.*)?")),
    ("zoom", re.compile(r"https://(?:[a-z0-9]+\.)?zoom\.us/j/(\d{9,11})(?:\?.*)?")),
    ("teams", re.compile(r"https://teams\.microsoft\.com/.*?(19:meeting_[^@/]+@thread\.v2).*")),
)
_STATUS = {
    "accepted": "joining",
    "joined": "active",
    "completed": "completed",
    "failed": "failed",
    "recalled": "completed",
}
_REASONS = {"removed_by_host": "awaiting_admission_rejected", "recalled": "stopped"}


def router(runner: FleetRunner) -> Router:
    """Return everything under ``/vexa``."""
    return Router(
        path="/vexa",
        route_handlers=[create, list_bots, running, read, stop],
        dependencies={"runner": Provide(lambda: runner, sync_to_thread=False)},
        exception_handlers={Refusal: desk.answer_refusal},
    )


@post("/bots", status_code=201)
async def create(request: Asked, runner: Runner) -> Response[Any]:
    """Send a bot to a room, at once."""
    _let_in(request, runner)
    body = await desk.read_object(request, Refusal(422, {"detail": "invalid JSON body"}))
    desk.meet_trouble(runner, _TROUBLE)
    room = _room(str(body.get("meeting_url")))
    if any(_room(bot.body["meeting_url"]) == room for bot in _live(runner)):
        raise Refusal(409, {"detail": "A bot is already active on that link"})
    bot = desk.take(runner, "", body, _FORM)
    desk.lose_answer(runner)
    return Response(_shown(bot), status_code=201)


@get("/bots")
async def list_bots(request: Asked, runner: Runner) -> Json:
    """List meetings, the latest first."""
    _let_in(request, runner)
    limit = int(request.query_params.get("limit", _PAGE))
    offset = int(request.query_params.get("offset", 0))
    rows = [_shown(bot) for bot in reversed(runner.state.bots.values())]
    return {"meetings": rows[offset : offset + limit], "has_more": len(rows) > offset + limit}


@get("/bots/status")
async def running(request: Asked, runner: Runner) -> Json:
    """List what is running."""
    _let_in(request, runner)
    rows = [_shown(bot) for bot in _live(runner)]
    return {"running": rows, "running_bots": rows, "count": len(rows)}


@get("/meetings/{fleet_id:str}")
async def read(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Read a meeting."""
    _let_in(request, runner)
    return _shown(desk.bot_of(runner, fleet_id, _NOT_FOUND))


@delete("/bots/{platform:str}/{native_id:str}", status_code=200)
async def stop(
    request: Asked, runner: Runner, platform: FromPath[str], native_id: FromPath[str]
) -> Json:
    """Let the bot that is in a room leave it."""
    _let_in(request, runner)
    for bot in _live(runner):
        if _room(bot.body["meeting_url"]) == (platform, native_id):
            desk.leave(runner, bot)
            return {"status": "stopping", "meeting_id": int(bot.id)}
    raise Refusal(404, {"detail": "No active meeting for this bot"})


def _let_in(request: Asked, runner: FleetRunner) -> None:
    desk.check_key(request, runner, "x-api-key", "", _NO_KEY)


def _live(runner: FleetRunner) -> list[Bot]:
    return [bot for bot in runner.state.bots.values() if not desk.is_over(bot)]


def _room(link: str) -> tuple[str, str]:
    for platform, form in _ROOMS:
        if found := form.fullmatch(link):
            return platform, found[1]
    raise _BAD_LINK


def _shown(bot: Bot) -> Json:
    platform, native_id = _room(bot.body["meeting_url"])
    told = desk.true_reports(bot)
    reason = _reason(told[-1]) if told else None
    return {
        "id": int(bot.id),
        "user_id": 1,
        "platform": platform,
        "native_meeting_id": native_id,
        "constructed_meeting_url": bot.body["meeting_url"],
        "status": _STATUS[bot.status],
        "bot_container_id": f"bot-{bot.id}",
        "start_time": written(bot.joined_at),
        "end_time": written(bot.ended_at),
        "completion_reason": reason,
        "failure_stage": None,
        "data": {"completion_reason": reason},
        "created_at": written(bot.received_at),
        "updated_at": written(bot.ended_at or bot.joined_at or bot.received_at),
    }


def _reason(report: Report) -> str | None:
    reason = desk.data_of(report).get("reason")
    return _REASONS.get(str(reason), reason)


def _write(telling: Telling) -> list[Post]:
    """Tell of a change of status, which names no meeting, and of what it means, which does."""
    if not telling.config.webhook_url:
        return []
    kind = telling.report.type
    status = {"bot.joined": "active", "bot.completed": "completed", "bot.failed": "failed"}[kind]
    name = {"active": "meeting.started", "completed": "meeting.completed"}.get(status, "bot.failed")
    now = {"status": status, "completion_reason": _reason(telling.report), "failure_stage": None}
    change: Json = {
        "meeting": now | {"connection_id": f"session-{telling.bot.id}", "data": {}},
        "status_change": {"new_status": status, "transition_source": "bot_callback"},
    }
    meant: Json = {"meeting": _shown(telling.bot) | now | _provenance(telling.bot, status)}
    said = (("meeting.status_change", change), (name, meant))
    return [_post(telling, number, event, data) for number, (event, data) in enumerate(said)]


def _provenance(bot: Bot, status: str) -> Json:
    """Return what a completion says of when the bot was in, beside its meeting's own times."""
    if status != "completed":
        return {}
    served = {"bot_admitted_at": written(bot.joined_at), "bot_departed_at": written(bot.ended_at)}
    outcome = "served" if bot.joined_at else "never_admitted"
    return {"service_provenance": served | {"bot_outcome": outcome}}


def _post(telling: Telling, number: int, event: str, data: Json) -> Post:
    body = desk.encoded(
        {
            "event_id": f"evt_{telling.report.id}_{number}",
            "event_type": event,
            "api_version": "2026-03-01",
            "created_at": written(telling.now),
            "data": data,
        }
    )
    seconds = str(int(telling.now.timestamp()))
    signed = f"{seconds}.".encode() + body
    digest = hmac.new(telling.secret.encode(), signed, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Signature": f"sha256={digest}",
        "X-Webhook-Timestamp": seconds,
    }
    return Post(url=telling.config.webhook_url, headers=headers, body=body)


MAKE = Make(name="vexa", write=_write)
