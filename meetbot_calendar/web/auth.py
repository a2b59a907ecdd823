"""A request becomes a ``TenantContext``, or is turned away."""

from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_network
from typing import Any, Literal, TypeVar, cast

import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from meetbot_calendar.errors import Fault, Invalid, Missing, TooOften, Unauthenticated
from meetbot_calendar.journeys.keys import recognise
from meetbot_calendar.journeys.knocking import knock, spend
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.web.addresses import client_of, site_of
from tenants.identity import TenantContext

T = TypeVar("T")

Door = Literal["public", "operator", "tenant", "person"]
"""Who may pass: anybody, the operator, the tenant's own keys, or a person's key as well."""

PUBLIC: dict[str, Any] = {"door": "public"}
OPERATOR: dict[str, Any] = {"door": "operator"}
PERSON: dict[str, Any] = {"door": "person"}

_SCHEMES = ("bearer ", "token ")


class Doorkeeper(ASGIMiddleware):
    """Puts ``scope["auth"]`` in place. A route that does not say otherwise is the tenant's."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, services: Services, is_operator: Callable[[str], bool]) -> None:
        self._services = services
        self._is_operator = is_operator
        self._proxies = tuple(map(ip_network, services.house.trusted_proxies))

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let the request pass, or raise."""
        _refuse_nul(scope)
        address = client_of(cast("HTTPScope", scope), self._proxies)
        door = cast("Door", scope["route_handler"].opt.get("door", "tenant"))
        scope["user"] = None
        scope["auth"] = None
        if door == "operator":
            if not await self._knock(scope, address, self._operator):
                raise Unauthenticated("This address takes the operator key alone.")
            structlog.contextvars.bind_contextvars(actor="operator")
        elif door != "public":
            scope["auth"] = context = await self._context(scope, address, door)
            await self._spend(scope, context)
        await next_app(scope, receive, send)

    async def _knock(
        self, scope: Scope, address: str, ask: Callable[[str], Awaitable[T | None]]
    ) -> T | None:
        return await knock(self._services, site_of(address), _key_of(scope), ask)

    async def _spend(self, scope: Scope, context: TenantContext) -> None:
        quota = await spend(self._services, context)
        cast("dict[str, Any]", scope)["quota"] = quota
        if quota is not None and not quota.is_open:
            raise TooOften("Your keys together ask too often: wait a moment.", after=quota.wait)

    async def _operator(self, key: str) -> bool | None:
        return self._is_operator(key) or None

    async def _tenant(self, address: str, key: str) -> TenantContext | None:
        return await recognise(self._services, key, address)

    async def _context(self, scope: Scope, address: str, door: Door) -> TenantContext:
        context = await self._knock(scope, address, partial(self._tenant, address))
        if context is None:
            raise Unauthenticated("This API key is unknown, revoked or expired.")
        structlog.contextvars.bind_contextvars(tenant_id=context.tenant_id, actor=context.actor)
        if door == "tenant" and context.user_id is not None:
            raise Missing("There is no such thing for a key that is bound to one calendar user.")
        return context


def _refuse_nul(scope: Scope) -> None:
    """Refuse the one character that PostgreSQL's text cannot hold."""
    if "\x00" in scope["path"]:
        raise Missing("There is nothing at this address.")
    if b"%00" in scope["query_string"]:
        fault = Fault("/query", "A parameter holds a NUL character.")
        raise Invalid("A parameter is not as it must be.", (fault,), code="invalid_parameter")


def _key_of(scope: Scope) -> str:
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    given = next((value for name, value in headers if name == b"authorization"), b"")
    text = given.decode("latin-1")
    for scheme in _SCHEMES:
        if text.lower().startswith(scheme):
            return text[len(scheme) :].strip()
    raise Unauthenticated("An API key is needed.")
