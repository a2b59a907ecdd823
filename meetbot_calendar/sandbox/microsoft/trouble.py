"""The trouble that can be ordered for Graph: refusals, slowness, a front end that is down."""

import asyncio

from meetbot_calendar.sandbox.microsoft.failures import (
    GraphRefusal,
    access_denied,
    bad_token,
    no_mailbox,
    throttled,
)
from meetbot_calendar.sandbox.world import World

HTML_503 = (
    "<!DOCTYPE html><html><head><title>Service Unavailable</title></head>"
    "<body><h2>Our services aren't available right now</h2></body></html>"
)
_SLOW_SECONDS = 5.0
_RETRY_AFTER = 10
_BROKEN = {
    "500": (500, "UnknownError", ""),
    "503_json": (503, "serviceNotAvailable", "The service is temporarily unavailable."),
    "503_mailbox": (503, "ErrorMailboxStoreUnavailable", "The mailbox database is unavailable."),
    "504_json": (504, "UnknownError", "Gateway timeout."),
}
_CLAIMS = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="


class HtmlTrouble(Exception):
    """The front end itself is down and answers in HTML."""


async def meet_trouble(world: World, target: str, account: str) -> None:
    """Raise or wait as ordered for this target and account.

    Kinds: ``slow`` (seconds), ``503_html``, ``429`` (retry_after), ``401``, ``401_claims``,
    ``403``, ``404_mailbox``, ``500``, ``503_json``, ``503_mailbox``, ``504_json``.
    """
    if slow := world.faults.take(target, "slow", account=account):
        await asyncio.sleep(float(slow.detail.get("seconds", _SLOW_SECONDS)))
    if world.faults.take(target, "503_html", account=account):
        raise HtmlTrouble
    if fault := world.faults.take(target, "429", account=account):
        raise throttled(int(fault.detail.get("retry_after", _RETRY_AFTER)), "RequestRate")
    if fault := world.faults.take(target, *_REFUSED, *_BROKEN, account=account):
        raise _refusal(fault.kind)


def _refusal(kind: str) -> GraphRefusal:
    if kind in _REFUSED:
        return _REFUSED[kind]()
    status, code, message = _BROKEN[kind]
    return GraphRefusal(status, code, message, {"Retry-After": str(_RETRY_AFTER)})


def _claims_challenge() -> GraphRefusal:
    refusal = bad_token("Continuous access evaluation resulted in challenge.")
    refusal.headers["WWW-Authenticate"] += f', error="insufficient_claims", claims="{_CLAIMS}"'
    return refusal


_REFUSED = {
    "401": lambda: bad_token("Access token has expired or is not yet valid."),
    "401_claims": _claims_challenge,
    "403": access_denied,
    "404_mailbox": no_mailbox,
}
