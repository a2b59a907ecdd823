"""Google's refusals: the JSON of the Calendar API, and the trouble that can be ordered."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType

from meetbot_calendar.sandbox.faults import Fault
from meetbot_calendar.sandbox.world import World

HTML_503 = (
    "<!DOCTYPE html><html lang=en><title>Error 503 (Service Unavailable)!!1</title>"
    "<p><b>503.</b> <ins>That is an error.</ins>"
    "<p>The service you requested is not available at this time.</html>"
)
_SLOW_SECONDS = 5.0


class GoogleError(Exception):
    """A refusal of the Calendar API (providers.md section 4)."""

    def __init__(
        self, status: int, reason: str, message: str, domain: str = "global", **where: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.where = where

    def body(self) -> dict[str, Any]:
        """Return the error JSON."""
        error = {"domain": self.domain, "reason": self.reason, "message": self.message}
        listed = [error | {_CAMEL.get(k, k): v for k, v in self.where.items()}]
        return {"error": {"errors": listed, "code": self.status, "message": self.message}}


class HtmlTrouble(Exception):
    """The front end itself is down and answers in HTML."""


_CAMEL = {"location_type": "locationType"}

_TROUBLE: dict[str, tuple[int, str, str, str]] = {
    "401": (401, "authError", "Invalid Credentials", "global"),
    "403_user_rate": (403, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits"),
    "403_rate": (403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "403_quota": (403, "quotaExceeded", "Calendar usage limits exceeded.", "usageLimits"),
    "403_not_configured": (
        403,
        "accessNotConfigured",
        "Google Calendar API has not been used in project 1 before or it is disabled.",
        "usageLimits",
    ),
    "403_forbidden": (403, "forbidden", "Forbidden", "global"),
    "404": (404, "notFound", "Not Found", "global"),
    "429": (429, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "500": (500, "backendError", "Backend Error", "global"),
    "503_json": (503, "backendError", "Backend Error", "global"),
}


def invalid(message: str, parameter: str = "") -> GoogleError:
    """Return 400 ``invalid``, naming the parameter at fault."""
    if not parameter:
        return GoogleError(400, "invalid", message)
    return GoogleError(400, "invalid", message, location_type="parameter", location=parameter)


def not_found() -> GoogleError:
    """Return 404: no such thing, or no access to it."""
    return GoogleError(404, "notFound", "Not Found")


def full_sync_required() -> GoogleError:
    """Return 410: the sync token is dead."""
    return GoogleError(
        410,
        "fullSyncRequired",
        "Sync token is no longer valid, a full sync is required.",
        "calendar",
        location_type="parameter",
        location="syncToken",
    )


async def meet_trouble(world: World, target: str, account: str) -> Fault | None:
    """Raise or wait as ordered for this target; return the fault that strikes after acting."""
    if world.faults.take(target, "503_html", account=account):
        raise HtmlTrouble
    if slow := world.faults.take(target, "slow", account=account):
        await asyncio.sleep(float(slow.detail.get("seconds", _SLOW_SECONDS)))
    if fault := world.faults.take(target, *_TROUBLE, account=account):
        status, reason, message, domain = _TROUBLE[fault.kind]
        raise GoogleError(status, reason, message, domain)
    return world.faults.take(target, "lose_answer", account=account)


def answer_error(_request: Request[Any, Any, Any], error: GoogleError) -> Response[bytes]:
    """Print a refusal; litestar's exception handler of the Calendar API."""
    headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'}
    return Response(
        msgspec.json.encode(error.body()),
        status_code=error.status,
        media_type=MediaType.JSON,
        headers=headers if error.status == 401 else {},  # noqa: PLR2004 - the status of its name
    )


def answer_html(_request: Request[Any, Any, Any], _error: HtmlTrouble) -> Response[str]:
    """Print the front end's HTML."""
    return Response(HTML_503, status_code=503, media_type=MediaType.HTML)
