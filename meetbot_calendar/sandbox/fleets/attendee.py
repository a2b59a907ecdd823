"""Attendee's end (API v1), from attendee-labs/attendee: see gateways/fleets/attendee.py.

Every refusal of create_bot is a 400 with a sentence; a deduplication key is barred while its bot
has not ended; unknown fields, emojis in the name, a third webhook, one of an address twice and one
without https are refused. Leaving is refused to what has left, deleting to what is not scheduled.
The bodies of 401 and 429 are those of Django REST framework, on which it is built.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from litestar import Response, Router, delete, get, post
from litestar.di import Provide
from litestar.params import FromPath

from meetbot_calendar.sandbox.fleet_bots import Bot, Report
from meetbot_calendar.sandbox.fleet_runner import FleetRunner, Make, Post, Telling
from meetbot_calendar.sandbox.fleets import desk
from meetbot_calendar.sandbox.fleets.desk import Asked, Json, Refusal, Runner, written

_FORM = "bot_Attendee{:08d}"
_PAGE = 25
_NOT_FOUND = Refusal(404, {"error": "Bot not found"})
_NO_KEY = Refusal(401, {"detail": "Invalid API key"})
_TAKEN = Refusal(
    400,
    {
        "error": "Deduplication key already in use. A bot in a non-terminal state with this"
        " deduplication key already exists. Please use a different deduplication key or wait for"
        " that bot to terminate."
    },
)
_TROUBLE = {
    "full": Refusal(
        400,
        {
            "error": "You have exceeded the maximum number of concurrent bots (4) for your account."
            " Please reach out to customer support to increase the limit."
        },
    ),
    "throttled": Refusal(429, {"detail": "Request was throttled."}, wait=20),
    "unauthorized": _NO_KEY,
    "unpaid": Refusal(
        400,
        {
            "error": "Organization has run out of credits. Please add more credits in the Account"
            " -> Billing page."
        },
    ),
    "bad_link": Refusal(400, {"meeting_url": ["Invalid meeting URL"]}),
    "broken": Refusal(500, {"detail": "A server error occurred."}),
}
_FIELDS = frozenset(
    {
        "meeting_url",
        "bot_name",
        "bot_image",
        "metadata",
        "bot_chat_message",
        "join_at",
        "deduplication_key",
        "webhooks",
        "transcription_settings",
        "recording_settings",
        "automatic_leave_settings",
        "google_meet_settings",
        "teams_settings",
        "zoom_settings",
        "debug_settings",
        "websocket_settings",
        "callback_settings",
        "rtmp_settings",
        "external_media_storage_settings",
        "voice_agent_settings",
        "calendar_event_id",
    }
)
_HIGHEST = 0xFFFF
_MOST_WEBHOOKS = 2
_STEPS = {
    "bot.joined": (
        ("joined_meeting", "joined_not_recording"),
        ("recording_permission_granted", "joined_recording"),
    ),
    "bot.completed": (("meeting_ended", "post_processing"), ("post_processing_completed", "ended")),
    "bot.failed": (("could_not_join_meeting", "fatal_error"),),
}
_RECALLED = (
    ("leave_requested", "leaving"),
    ("left_meeting", "post_processing"),
    ("post_processing_completed", "ended"),
)
_OVER = frozenset({"ended", "fatal_error"})


def router(runner: FleetRunner) -> Router:
    """Return everything under ``/attendee``."""
    return Router(
        path="/attendee/api/v1/bots",
        route_handlers=[create, list_bots, read, leave, destroy, recording],
        dependencies={"runner": Provide(lambda: runner, sync_to_thread=False)},
        exception_handlers={Refusal: desk.answer_refusal},
    )


@post("/", status_code=201)
async def create(request: Asked, runner: Runner) -> Response[Any]:
    """Create a bot that joins at once."""
    _let_in(request, runner)
    body = await desk.read_object(request, Refusal(400, {"detail": "JSON parse error"}))
    desk.meet_trouble(runner, _TROUBLE)
    _check(body)
    key = body.get("deduplication_key") or ""
    if key and any(
        bot.key == key and _state(bot) not in _OVER for bot in runner.state.bots.values()
    ):
        raise _TAKEN
    bot = desk.take(runner, key, body, _FORM)
    desk.lose_answer(runner)
    return Response(_shown(bot), status_code=201)


@get("/")
async def list_bots(request: Asked, runner: Runner) -> Json:
    """List bots, oldest first."""
    _let_in(request, runner)
    key = request.query_params.get("deduplication_key")
    found = [_shown(bot) for bot in runner.state.bots.values() if not key or bot.key == key]
    return {"next": None, "previous": None, "results": found[:_PAGE]}


@get("/{fleet_id:str}")
async def read(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Read a bot."""
    _let_in(request, runner)
    return _shown(desk.bot_of(runner, fleet_id, _NOT_FOUND))


@post("/{fleet_id:str}/leave", status_code=200)
async def leave(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Let a bot leave."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    if desk.is_over(bot):
        raise Refusal(400, {"error": f"Event leave_requested not allowed in state {_state(bot)}."})
    desk.leave(runner, bot)
    return _shown(bot)


@delete("/{fleet_id:str}", status_code=400)
async def destroy(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Refuse: only what is scheduled can be deleted, and nothing is here."""
    _let_in(request, runner)
    state = _state(desk.bot_of(runner, fleet_id, _NOT_FOUND))
    return {"error": f"Bot is in state {state} but can only be deleted when in scheduled state"}


@get("/{fleet_id:str}/recording")
async def recording(request: Asked, runner: Runner, fleet_id: FromPath[str]) -> Json:
    """Say for a short while where the recording is."""
    _let_in(request, runner)
    bot = desk.bot_of(runner, fleet_id, _NOT_FOUND)
    if bot.joined_at is None or bot.ended_at is None:
        raise Refusal(404, {"error": "No recording file found for bot"})
    began = int(bot.joined_at.timestamp() * 1000)
    return {"url": f"https://media.attendee.example/{bot.id}.mp4", "start_timestamp_ms": began}


def _let_in(request: Asked, runner: FleetRunner) -> None:
    desk.check_key(request, runner, "authorization", "Token ", _NO_KEY)


def _check(body: Json) -> None:
    if strange := sorted(body.keys() - _FIELDS):
        raise Refusal(400, {"non_field_errors": [f"Unexpected field(s): {', '.join(strange)}."]})
    if not desk.is_web(body.get("meeting_url")):
        raise Refusal(400, {"meeting_url": ["Invalid meeting URL"]})
    if not body.get("bot_name"):
        raise Refusal(400, {"bot_name": ["This field is required."]})
    if any(ord(char) > _HIGHEST for char in body["bot_name"]):
        raise Refusal(
            400, {"bot_name": ["Bot name cannot contain emojis or rare script characters."]}
        )
    _check_webhooks([hook["url"] for hook in body.get("webhooks", [])])


def _check_webhooks(urls: list[str]) -> None:
    if any(not url.startswith("https://") for url in urls):
        raise Refusal(400, {"error": "webhook URL must start with https://"})
    if len(set(urls)) < len(urls):
        raise Refusal(400, {"error": "URL already subscribed for this bot"})
    if len(urls) > _MOST_WEBHOOKS:
        text = "You have reached the maximum number of webhooks for a single bot"
        raise Refusal(400, {"error": text})


def _shown(bot: Bot) -> Json:
    return {
        "id": bot.id,
        "metadata": bot.body.get("metadata"),
        "meeting_url": bot.body["meeting_url"],
        "state": _state(bot),
        "events": _events(bot),
        "transcription_state": "not_started",
        "recording_state": "not_started",
        "join_at": None,
        "deduplication_key": bot.key or None,
    }


def _steps(report: Report) -> tuple[tuple[str, str], ...]:
    """Write a report of the sandbox's as events, each with the state that it leads to."""
    is_recall = desk.data_of(report).get("reason") == "recalled"
    return _RECALLED if is_recall else _STEPS[report.type]


def _state(bot: Bot) -> str:
    reports = desk.true_reports(bot)
    return _steps(reports[-1])[-1][1] if reports else "joining"


def _events(bot: Bot) -> list[Json]:
    events: list[Json] = [{"type": "join_requested", "created_at": written(bot.received_at)}]
    for report in desk.true_reports(bot):
        said = json.loads(report.body)
        for kind, _ in _steps(report):
            events.append({"type": kind, "created_at": said["timestamp"], **_why(kind, report)})
    return events


def _why(kind: str, report: Report, name: str = "sub_type") -> Json:
    if kind != "could_not_join_meeting":
        return {}
    reason = desk.data_of(report).get("reason")
    return {name: "request_to_join_denied" if reason == "removed_by_host" else reason}


def _write(telling: Telling) -> list[Post]:
    """Tell of every change of state: at the bot's own addresses, or else at the project's."""
    hooks = [hook["url"] for hook in telling.bot.body.get("webhooks", [])]
    urls = hooks or [telling.config.webhook_url]
    before = "joining"
    posts: list[Post] = []
    for number, (kind, state) in enumerate(_steps(telling.report)):
        change: Json = {"new_state": state, "old_state": before, "created_at": written(telling.now)}
        change |= {"event_type": kind, "event_sub_type": None, "event_metadata": {}}
        change |= _why(kind, telling.report, "event_sub_type")
        posts += [_post(telling, url, number, change) for url in urls if url]
        before = state
    return posts


def _post(telling: Telling, url: str, number: int, change: Json) -> Post:
    said = {
        "idempotency_key": f"{telling.report.id}_{number}",
        "bot_id": telling.bot.id,
        "bot_metadata": telling.bot.body.get("metadata"),
        "trigger": "bot.state_change",
        "data": change,
    }
    signed = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    secret = base64.b64decode(telling.secret)
    signature = base64.b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).decode()
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": signature}
    return Post(url=url, headers=headers, body=json.dumps(said).encode())


MAKE = Make(name="attendee", write=_write, secret="c2FuZGJveC1hdHRlbmRlZS1zZWNyZXQ=")
