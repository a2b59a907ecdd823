"""What every fleet's front desk does: ask for the key, meet ordered trouble, refuse.

Trouble on ``NAME.bots``, the same for every make: ``full``, ``throttled`` (with Retry-After),
``unauthorized``, ``unpaid``, ``bad_link``, ``broken`` (500, nothing done), ``lose_answer`` (done,
answered 502). On ``NAME.reports`` as at our own fleet.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency

from meetbot_calendar.sandbox.fleet_bots import Bot, Report, accept, add_report
from meetbot_calendar.sandbox.fleet_bots import recall as call_back
from meetbot_calendar.sandbox.fleet_runner import FleetRunner

Json = dict[str, Any]
Asked = Request[Any, Any, Any]
Runner = NamedDependency[FleetRunner]


class Refusal(Exception):
    """A refusal, as the fleet writes it."""

    def __init__(self, status: int, body: object = None, wait: int | None = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body
        self.headers = {} if wait is None else {"Retry-After": str(wait)}


def answer_refusal(_request: Asked, refusal: Refusal) -> Response[Any]:
    """Answer with a refusal."""
    return Response(refusal.body, status_code=refusal.status, headers=refusal.headers)


def check_key(request: Asked, runner: FleetRunner, header: str, scheme: str, no: Refusal) -> None:
    """Let in who shows the account's key."""
    given = request.headers.get(header, "").encode()
    if not secrets.compare_digest(given, f"{scheme}{runner.state.config.api_key}".encode()):
        raise no


def meet_trouble(runner: FleetRunner, refusals: Mapping[str, Refusal]) -> None:
    """Meet the trouble that was ordered for the next order."""
    fault = runner.world.faults.take(runner.make.bots, *refusals)
    if fault is not None:
        refusal = refusals[fault.kind]
        runner.state.refused.append({"kind": fault.kind, "status": refusal.status})
        raise refusal


def lose_answer(runner: FleetRunner) -> None:
    """Lose the answer to what was done just now, where that was ordered."""
    if runner.world.faults.take(runner.make.bots, "lose_answer"):
        raise Refusal(502, {"message": "Bad Gateway"})


async def read_object(request: Asked, no: Refusal) -> Json:
    """Return the object in the body."""
    try:
        return msgspec.json.decode(await request.body(), type=Json)
    except msgspec.MsgspecError:
        raise no from None


def take(runner: FleetRunner, key: str, body: Json, form: str) -> Bot:
    """Take an order for a bot that goes at once."""
    now = runner.world.clock.now()
    bot = accept(runner.state, now, key, body, now, "", form=form)
    runner.expect(bot.step_at)
    return bot


def bot_of(runner: FleetRunner, fleet_id: str, no: Refusal) -> Bot:
    """Return a bot by its id."""
    found = runner.state.bots.get(fleet_id)
    if found is None:
        raise no
    return found


def leave(runner: FleetRunner, bot: Bot) -> None:
    """Let a bot leave, and report its end as every one of these fleets does."""
    now = runner.world.clock.now()
    was_in = bot.status == "joined"
    call_back(bot, now)
    bot.ended_at = now
    add_report(bot, "bot.completed" if was_in else "bot.failed", now, {"reason": "recalled"})
    runner.expect(now)


def is_over(bot: Bot) -> bool:
    """Say whether a bot has ended, however."""
    return bot.status in ("completed", "failed", "recalled")


def is_web(address: object) -> bool:
    """Say whether something is an address that a browser could open."""
    parts = urlsplit(address) if isinstance(address, str) else None
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def written(at: datetime | None) -> str | None:
    """Write an instant."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def encoded(body: object) -> bytes:
    """Write a report's body."""
    return msgspec.json.encode(body)


def true_reports(bot: Bot) -> list[Report]:
    """Return what was reported of a bot, but for what trouble on order brought."""
    return [report for report in bot.reports if not (report.forged or report.stray)]


def data_of(report: Report) -> Json:
    """Return what a report of the sandbox's says beyond its kind."""
    found: Json = msgspec.json.decode(report.body)["data"]
    return found
