"""The bot fleet's end in meetbot's native protocol (contract 7): order, look, recall; and control.

Trouble on ``fleet.bots``: ``503``, ``507`` and ``429`` (full, with Retry-After), ``bad_link``,
``unauthorized``, ``slow`` (seconds), ``lose_answer`` (accepted, but answered 500). On
``fleet.status`` (who asks about a bot): ``404``, ``503``. On
``fleet.reports``: ``fail`` (reason), ``drop``, ``repeat``, ``out_of_order``, ``forged``,
``contradict``.
"""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from meetbot_calendar.sandbox.fleet_bots import (
    Bot,
    FleetConfig,
    FleetState,
    accept,
    recall,
)
from meetbot_calendar.sandbox.fleet_runner import FleetRunner
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.world import World

Asked = Request[Any, Any, Any]
Runner = NamedDependency[FleetRunner]
Filled = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]

BOTS = "fleet.bots"
STATUS = "fleet.status"
_SLOW_SECONDS = 5.0
_RETRY_AFTER = 30
_FULL = {"503": 503, "507": 507, "429": 429}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the product asks for."""

    bot_id: Filled
    tenant_id: Filled
    meeting_url: Filled
    platform: Filled
    join_at: datetime
    callback_url: Filled
    bot_config: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class FleetRefusal(Exception):
    """A refusal of the fleet."""

    def __init__(self, status: int, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = {} if wait is None else {"Retry-After": str(wait)}


def router(runner: FleetRunner) -> Router:
    """Return everything under ``/fleet``."""
    return Router(
        path="/fleet",
        route_handlers=[order_bot, read_bot, recall_bot, read_recording, read_transcript],
        dependencies={"runner": Provide(lambda: runner, sync_to_thread=False)},
        exception_handlers={FleetRefusal: _answer_refusal},
    )


def control_router(runner: FleetRunner) -> Router:
    """Return a fleet's part of the control API, under ``/sandbox/fleet`` or its make."""
    return Router(
        path=f"/sandbox/{runner.make.name}",
        route_handlers=[list_bots, read_config, configure, run_due],
        dependencies={"runner": Provide(lambda: runner, sync_to_thread=False)},
    )


@post("/bots", status_code=201)
async def order_bot(request: Asked, world: Here, runner: Runner) -> Response[Any]:
    """Order a bot; the same key with the same body gives the same answer, with another a 409."""
    state = runner.state
    raw = await request.body()
    key = request.headers.get("idempotency-key", "")
    try:
        await _let_in(world, request, state)
        bot = _ordered(request, world, state, key, raw)
    except FleetRefusal as refusal:
        _note_refusal(world, state, key, refusal)
        raise
    runner.expect(bot.step_at)
    if world.faults.take(BOTS, "lose_answer"):
        raise FleetRefusal(500, "internal", "The answer was lost on its way.")
    return Response({"id": bot.id}, status_code=201)


@get("/bots/{fleet_id:str}")
async def read_bot(
    request: Asked, world: Here, runner: Runner, fleet_id: FromPath[str]
) -> dict[str, Any]:
    """Say where a bot is, with the last thing that there was to report."""
    _check_key(request, runner.state)
    if fault := world.faults.take(STATUS, "404", "503"):
        raise FleetRefusal(int(fault.kind), "no_answer", "There is nothing to say.")
    bot = _bot(runner.state, fleet_id)
    genuine = [report for report in bot.reports if not report.forged]
    last = msgspec.json.decode(genuine[-1].body) if genuine else None
    return _shown(bot) | {"report": last}


@delete("/bots/{fleet_id:str}")
async def recall_bot(request: Asked, world: Here, runner: Runner, fleet_id: FromPath[str]) -> None:
    """Call a bot back: 404 unknown, 409 over already; again is as good as once."""
    await _let_in(world, request, runner.state)
    if not recall(_bot(runner.state, fleet_id), world.clock.now()):
        raise FleetRefusal(409, "already_over", "The bot has left its meeting already.")


@get("/recordings/{name:str}", media_type="text/plain")
async def read_recording(runner: Runner, name: FromPath[str]) -> str:
    """Return what stands for a recording."""
    bot = _bot(runner.state, name.partition(".")[0])
    return f"Sandbox recording of {bot.body['meeting_url']} by {bot.body['bot_id']}\n"


@get("/transcripts/{name:str}")
async def read_transcript(runner: Runner, name: FromPath[str]) -> dict[str, Any]:
    """Return what stands for a transcript."""
    bot = _bot(runner.state, name.partition(".")[0])
    said = {"speaker": "Sandbox", "text": "Nobody really met here.", "start": 0.0, "end": 2.0}
    return {"bot_id": bot.body["bot_id"], "segments": [said]}


@get("/bots")
async def list_bots(runner: Runner) -> dict[str, Any]:
    """List every order as it was received, with its bot's life, and the refused ones."""
    return _all(runner)


@get("/config")
async def read_config(runner: Runner) -> FleetConfig:
    """Return how the fleet behaves."""
    return runner.state.config


@post("/config", status_code=200)
async def configure(request: Asked, runner: Runner) -> Response[Any]:
    """Change how the fleet behaves: any fields of ``FleetConfig``, the others stay."""
    try:
        given = msgspec.json.decode(await request.body(), type=dict[str, Any])
        kept = msgspec.to_builtins(runner.state.config)
        runner.state.config = msgspec.convert(kept | given, FleetConfig)
    except msgspec.MsgspecError as error:
        return Response({"detail": str(error)}, status_code=400)
    return Response(runner.state.config, status_code=200)


@post("/run", status_code=200)
async def run_due(runner: Runner) -> dict[str, Any]:
    """Do what is due at once; answers when the reports have been sent."""
    await runner.run_due()
    return _all(runner)


def _all(runner: FleetRunner) -> dict[str, Any]:
    bots = [_shown(bot) | _heard(bot) for bot in runner.state.bots.values()]
    return {"bots": bots, "refused": runner.state.refused}


def _ordered(request: Asked, world: World, state: FleetState, key: str, raw: bytes) -> Bot:
    if not key:
        raise FleetRefusal(400, "no_idempotency_key", "The header Idempotency-Key is missing.")
    order = _read_order(raw)
    body = msgspec.json.decode(raw)
    known = state.bots.get(state.keys.get(key, ""))
    if known is not None:
        if known.body != body:
            text = "This Idempotency-Key was used with another body."
            raise FleetRefusal(409, "idempotency_conflict", text)
        known.repeats += 1
        return known
    joins = order.join_at if order.join_at.tzinfo else order.join_at.replace(tzinfo=UTC)
    root = f"{str(request.base_url).rstrip('/')}/fleet"
    return accept(state, world.clock.now(), key, body, joins.astimezone(UTC), root)


def _read_order(raw: bytes) -> Order:
    try:
        order = msgspec.json.decode(raw, type=Order)
    except msgspec.MsgspecError as error:
        raise FleetRefusal(422, "invalid_order", str(error)) from None
    for name in ("meeting_url", "callback_url"):
        address = urlsplit(getattr(order, name))
        if address.scheme not in ("http", "https") or not address.hostname:
            raise FleetRefusal(422, "invalid_order", f"{name} is no address")
    return order


async def _let_in(world: World, request: Asked, state: FleetState) -> None:
    """Check the key, then meet ordered trouble."""
    _check_key(request, state)
    if slow := world.faults.take(BOTS, "slow"):
        await asyncio.sleep(float(slow.detail.get("seconds", _SLOW_SECONDS)))
    if world.faults.take(BOTS, "unauthorized"):
        raise FleetRefusal(401, "unauthorized", "The API key is not valid.")
    if world.faults.take(BOTS, "bad_link"):
        raise FleetRefusal(422, "bad_link", "Nobody can join the meeting behind this link.")
    if full := world.faults.take(BOTS, *_FULL):
        wait = int(full.detail.get("retry_after", _RETRY_AFTER))
        raise FleetRefusal(_FULL[full.kind], "full", "No bot is free at the moment.", wait)


def _check_key(request: Asked, state: FleetState) -> None:
    given = request.headers.get("authorization", "").encode()
    if not secrets.compare_digest(given, f"Bearer {state.config.api_key}".encode()):
        raise FleetRefusal(401, "unauthorized", "The API key is not valid.")


def _bot(state: FleetState, fleet_id: str) -> Bot:
    found = state.bots.get(fleet_id)
    if found is None:
        raise FleetRefusal(404, "unknown_bot", "There is no such bot.")
    return found


def _shown(bot: Bot) -> dict[str, Any]:
    return {
        "id": bot.id,
        "bot_id": bot.body.get("bot_id"),  # fleets of other makes have no such word
        "status": bot.status,
        "join_at": bot.join_at,
        "joined_at": bot.joined_at,
        "ended_at": bot.ended_at,
        "recalled_at": bot.recalled_at,
    }


def _heard(bot: Bot) -> dict[str, Any]:
    return {
        "received_at": bot.received_at,
        "late_seconds": (bot.received_at - bot.join_at).total_seconds(),
        "key": bot.key,
        "repeats": bot.repeats,
        "body": bot.body,
        "reports": [{"id": r.id, "type": r.type, "answers": r.answers} for r in bot.reports],
    }


def _note_refusal(world: World, state: FleetState, key: str, refusal: FleetRefusal) -> None:
    heard = {"received_at": world.clock.now(), "key": key, "status": refusal.status}
    state.refused.append(heard | {"code": refusal.code})


def _answer_refusal(_request: Asked, refusal: FleetRefusal) -> Response[Any]:
    body = {"error": {"code": refusal.code, "message": refusal.message}}
    return Response(body, status_code=refusal.status, headers=refusal.headers)
