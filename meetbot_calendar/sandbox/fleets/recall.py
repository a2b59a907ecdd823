"""Recall.ai's end (API v1), from docs.recall.ai: see gateways/fleets/recall.py for the pages.

Kept under an idempotency key for an hour: every answer, a 507 too. A DELETE is for bots that were
not dispatched: refused with 405 to those that were, with 400 to those that have ended. To these a
command is refused as to a completed bot, or as to an unstarted one; which, the sources do not say.
Nor do they show bodies of 401, 402 and 429, or of a refused field; what stands here is the usual of
Django REST framework, of which the documented lists are.
"""

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.di import Provide
from litestar.params import FromPath

from meetbot_calendar.sandbox.fleet_bots import Bot, Kept, Report
from meetbot_calendar.sandbox.fleet_runner import FleetRunner, Make, Post, Telling, standard_headers
from meetbot_calendar.sandbox.fleets import desk
from meetbot_calendar.sandbox.fleets.desk import Asked, Json, Refusal, Runner, written

_FORM = "00000000-0000-4000-8000-{:012d}"
_KEPT = timedelta(hours=1)
_LONGEST_VALUE = 500
_NOT_FOUND = Refusal(404, {"detail": "Not found."})
_NO_KEY = Refusal(401, {"detail": "Invalid token."})
_COMPLETED = Refusal(400, {"code": "cannot_command_completed_bot", "detail": "It has completed."})
_UNSTARTED = Refusal(400, {"code": "cannot_command_unstarted_bot", "detail": "It was not started."})
_TROUBLE = {
    "full": Refusal(507, {"detail": "Out of adhoc bots."}, wait=30),
    "throttled": Refusal(429, {"detail": "Request was throttled."}, wait=20),
    "unauthorized": _NO_KEY,
    "unpaid": Refusal(402, {"detail": "Insufficient credit balance."}),
    "bad_link": Refusal(400, {"meeting_url": ["The meeting url is invalid."]}),
    "broken": Refusal(500, {"detail": "A server error occurred."}),
}
_CODES = {
    "bot.joined": ("joining_call", "in_waiting_room", "in_call_not_recording", "in_call_recording"),
    "bot.completed": ("call_ended", "done"),
    "bot.failed": ("fatal",),
}


def router(runner: FleetRunner) -> Router:
    """Return everything under ``/recall``."""
    return Router(
        path="/recall/api/v1/bot",
        route_handlers=[create, list_bots, read, leave_call, destroy],
        dependencies={"runner": Provide(lambda: runner, sync_to_thread=False)},
        exception_handlers={Refusal: desk.answer_refusal},
    )


@post("/", status_code=201)
async def create(request: Asked, runner: Runner) -> Response[Any]:
    """Create a bot that joins at once."""
    _let_in(request, runner)
    key = request.headers.get("idempotency-key", "")
    body = await desk.read_object(request, Refusal(400, {"detail": "JSON parse error"}))
    if key and (kept := _kept(runner, key)):
        return Response(kept.body, status_code=kept.status)
    try:
        desk.meet_trouble(runner, _TROUBLE)
        _check(body)
    except Refusal as refusal:
        _keep(runner, key, refusal.status, refusal.body)
        raise
    bot = desk.take(runner, key, body, _FORM)
    _keep(runner, key, 201, _shown(bot))
    desk.lose_answer(runner)
    return Response(_shown(bot), status_code=201)


@get("/")
async def list_bots(request: Asked, runner: Runner) -> Json:
    """List bots, the latest first; by any of their metadata."""
    _let_in(request, runner)
    wanted = {
        name.removeprefix("metadata__"): value
        for name, value in request.query_params.items()
        if name.startswith("metadata__")
    }
    found = [
        _shown(bot)
        for bot in reversed(runner.state.bots.values())
        if wanted.items() <= bot.body.get("metadata", {}).items()
    ]
    return {"count": len(found), "next": None, "previous": None, "results": found}


@get("/{fleet_id:str}")
async def read(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Read a bot."""
    _let_in(request, runner)
    return _shown(desk.bot_of(runner, fleet_id, _NOT_FOUND))


@post("/{fleet_id:str}/leave_call", status_code=200)
async def leave_call(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Let a bot leave its call."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    if runner.world.faults.take(runner.make.bots, "unstarted"):
        raise _UNSTARTED
    if desk.is_over(bot):
        raise _COMPLETED
    desk.leave(runner, bot)
    return _shown(bot)


@delete("/{fleet_id:str}", status_code=204)
async def destroy(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> None:
    """Delete a bot that was not dispatched."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    if desk.is_over(bot):
        raise Refusal(400, {"detail": "The bot has ended."})
    if not runner.world.faults.take(runner.make.bots, "undispatched"):
        raise Refusal(405, {"detail": 'Method "DELETE" not allowed.'})
    desk.leave(runner, bot)
    bot.reports.pop()  # nobody hears of it again


def _let_in(request: Asked, runner: FleetRunner) -> None:
    desk.check_key(request, runner, "authorization", "Token ", _NO_KEY)


def _check(body: Json) -> None:
    if not desk.is_web(body.get("meeting_url")):
        raise Refusal(400, {"meeting_url": ["Enter a valid URL."]})
    for key, value in body.get("metadata", {}).items():
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
            raise Refusal(400, {"metadata": [f"{key}: a string of at most 500 characters."]})


def _kept(runner: FleetRunner, key: str) -> Kept | None:
    found = runner.state.answers.get(key)
    return found if found and runner.world.clock.now() - found.at < _KEPT else None


def _keep(runner: FleetRunner, key: str, status: int, body: object) -> None:
    if key:
        runner.state.answers[key] = Kept(status=status, body=body, at=runner.world.clock.now())


def _shown(bot: Bot) -> Json:
    return {
        "id": bot.id,
        "bot_name": bot.body.get("bot_name", "Meeting Notetaker"),
        "join_at": None,
        "metadata": bot.body.get("metadata", {}),
        "status_changes": _changes(bot),
        "recordings": _recordings(bot),
    }


def _changes(bot: Bot) -> list[Json]:
    told: list[tuple[str, str | None, str | None]] = [
        ("joining_call", None, written(bot.received_at))
    ]
    for report in desk.true_reports(bot):
        at = msgspec.json.decode(report.body)["timestamp"]
        told += [(code, why, at) for code, why in _codes(report)]
    return [
        {"code": code, "message": None, "created_at": at, "sub_code": why} for code, why, at in told
    ]


def _codes(report: Report) -> list[tuple[str, str | None]]:
    """Write a report of the sandbox's as changes of status, each with its sub code."""
    reason = desk.data_of(report).get("reason")
    if reason == "recalled":
        return [("call_ended", "bot_received_leave_call"), ("done", None)]
    if report.type == "bot.failed" and reason == "removed_by_host":
        return [("call_ended", "bot_kicked_from_waiting_room"), ("done", None)]
    whys = {"call_ended": "call_ended_by_host", "fatal": reason}
    return [(code, whys.get(code)) for code in _CODES[report.type]]


def _recordings(bot: Bot) -> list[Json]:
    if bot.joined_at is None or bot.ended_at is None:
        return []
    video = {"data": {"download_url": f"https://media.recall.example/{bot.id}.mp4?signed"}}
    return [
        {
            "started_at": written(bot.joined_at),
            "completed_at": written(bot.ended_at),
            "media_shortcuts": {"video_mixed": video, "transcript": None},
        }
    ]


def _write(telling: Telling) -> list[Post]:
    """Tell of every change of status, each with a message of its own."""
    if not telling.config.webhook_url:
        return []
    return [
        _post(telling, number, {"code": code, "sub_code": why, "updated_at": written(telling.now)})
        for number, (code, why) in enumerate(_codes(telling.report))
    ]


def _post(telling: Telling, number: int, change: Json) -> Post:
    bot = {"id": telling.bot.id, "metadata": telling.bot.body.get("metadata", {})}
    body = desk.encoded({"event": f"bot.{change['code']}", "data": {"data": change, "bot": bot}})
    report = msgspec.structs.replace(telling.report, id=f"{telling.report.id}_{number}")
    signed = msgspec.structs.replace(telling, report=report)
    headers = standard_headers(signed, body.decode())
    return Post(url=telling.config.webhook_url, headers=headers, body=body)


MAKE = Make(name="recall", write=_write)
