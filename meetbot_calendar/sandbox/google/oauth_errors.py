"""Refusals of the token endpoint, exactly as providers.md 1.3 lists them, ordered or earned."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType

from meetbot_calendar.sandbox.faults import Fault
from meetbot_calendar.sandbox.google.errors import HtmlTrouble
from meetbot_calendar.sandbox.world import World

_SLOW_SECONDS = 5.0


class OAuthError(Exception):
    """A refusal in OAuth's shape (RFC 6749 5.2)."""

    def __init__(self, status: int, error: str, description: str = "", **more: str) -> None:
        super().__init__(error)
        self.status = status
        described = {"error_description": description} if description else {}
        self.body = {"error": error} | described | more


def invalid_grant(description: str) -> OAuthError:
    """Return 400 ``invalid_grant``."""
    return OAuthError(400, "invalid_grant", description)


def dead_token() -> OAuthError:
    """Return the refusal of a refresh token that no longer works, whatever the reason."""
    return invalid_grant("Token has been expired or revoked.")


_TROUBLE: dict[str, tuple[int, dict[str, str]]] = {
    "invalid_grant": (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    ),
    "invalid_rapt": (
        400,
        {
            "error": "invalid_grant",
            "error_description": "reauth related error (invalid_rapt)",
            "error_subtype": "invalid_rapt",
        },
    ),
    "invalid_client": (401, {"error": "invalid_client", "error_description": "Unauthorized"}),
    "admin_policy_enforced": (400, {"error": "admin_policy_enforced"}),
    "429": (429, {"error": "rate_limit_exceeded", "error_description": "Rate Limit Exceeded"}),
    "500": (500, {"error": "internal_failure", "error_description": "Backend Error"}),
    "503_json": (503, {"error": "backend_error", "error_description": "Service unavailable"}),
}


async def meet_token_trouble(world: World, target: str, account: str = "") -> Fault | None:
    """Raise or wait as ordered; return the fault that strikes after acting."""
    if world.faults.take(target, "503_html", account=account):
        raise HtmlTrouble
    if slow := world.faults.take(target, "slow", account=account):
        await asyncio.sleep(float(slow.detail.get("seconds", _SLOW_SECONDS)))
    if fault := world.faults.take(target, *_TROUBLE, account=account):
        status, body = _TROUBLE[fault.kind]
        more = {k: v for k, v in body.items() if k not in ("error", "error_description")}
        raise OAuthError(status, body["error"], body.get("error_description", ""), **more)
    return world.faults.take(target, "lose_answer", account=account)


def answer_oauth_error(_request: Request[Any, Any, Any], error: OAuthError) -> Response[bytes]:
    """Print a refusal; litestar's exception handler of the token endpoints."""
    return Response(
        msgspec.json.encode(error.body),
        status_code=error.status,
        media_type=MediaType.JSON,
        headers={"Cache-Control": "no-cache, no-store, max-age=0, must-revalidate"},
    )
