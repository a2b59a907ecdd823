"""Sees to it that whatever a key changed is in the audit log: journeys write it, or this does."""

import re
from typing import cast

import msgspec
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from meetbot_calendar.journeys import accounts
from meetbot_calendar.journeys.services import Services
from tenants.identity import TenantContext

CHANGES_NOTHING = {"changes": False}
"""The mark of a route that only asks, although by POST."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ID = re.compile(r"[a-z]{3,4}_[0-9a-z]{26}")


class Witness(ASGIMiddleware):
    """Stands behind the doorkeeper, and behind whoever answers a repetition without doing it."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, and write down what nobody else has, before it is answered."""
        asked = cast("HTTPScope", scope)
        context = cast("TenantContext | None", scope["auth"])
        if context is None or not changes(asked):
            await next_app(scope, receive, send)
            return
        trail: list[str] = []
        scope["auth"] = context = msgspec.structs.replace(context, trail=trail)

        async def witness(message: Message) -> None:
            if message["type"] == "http.response.start" and not trail and message["status"] < 300:  # noqa: PLR2004 - HTTP
                action = f"request.{asked['route_handler'].handler_name}"
                await accounts.note(self._services, context, action, _target(asked))
            await send(message)

        await next_app(scope, receive, witness)


def changes(scope: HTTPScope) -> bool:
    """Say whether a request may change something."""
    return scope["method"] not in _SAFE and scope["route_handler"].opt.get("changes", True)


def _target(scope: HTTPScope) -> str | None:
    """Return the last of our ids in the address; other parts of it may name people."""
    ids = [str(value) for value in scope["path_params"].values() if _ID.fullmatch(str(value))]
    return ids[-1] if ids else None
