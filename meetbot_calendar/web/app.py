"""``create_app(services)``: the routes, and who stands at the door."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import cast

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.types import HTTPScope, Receive, Scope, Send

from meetbot_calendar.journeys.services import Services
from meetbot_calendar.web import health, inbound, openapi
from meetbot_calendar.web.admin import routes as admin
from meetbot_calendar.web.api import (
    accounts,
    bots,
    calendars,
    connect,
    endpoints,
    events,
    keys,
    outbox,
    person,
    policy,
    rules,
    tenants,
    users,
)
from meetbot_calendar.web.auth import PUBLIC, Doorkeeper
from meetbot_calendar.web.bodies import StrictRequest
from meetbot_calendar.web.frame import framed
from meetbot_calendar.web.health import Probe
from meetbot_calendar.web.landing import landing
from meetbot_calendar.web.meetstream import router as meetstream
from meetbot_calendar.web.methods import answer_options, without_body
from meetbot_calendar.web.problems import answer
from meetbot_calendar.web.reference import documents
from meetbot_calendar.web.repeats import MOST_BYTES, Repeats
from meetbot_calendar.web.witness import Witness

_ROUTERS = (
    tenants.router,
    policy.router,
    keys.router,
    connect.router,
    users.router,
    person.router,
    calendars.router,
    events.router,
    rules.router,
    bots.router,
    endpoints.router,
    outbox.router,
    accounts.router,
    meetstream.router,
    inbound.router,
)


def wants_page(scope: HTTPScope) -> bool:
    """Say whether a browser asks: what asks for no page is a program, and gets the document."""
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return b"text/html" in accepted


class Doors(Litestar):
    """The application, inside its frame."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """Serve one request, or live one life."""
        if scope["type"] == ScopeType.HTTP:
            await framed(self._serve, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = cast("HTTPScope", scope)
        if asked["method"] == "HEAD":
            asked["method"], send = "GET", without_body(send)
            asked.setdefault("state", {})["only_looks"] = True
        if asked["path"] == "/schema" and not wants_page(asked):
            asked["path"] = "/schema/openapi.json"
        if not await answer_options(self, asked, send):
            await super().__call__(asked, receive, send)


def create_app(
    services: Services,
    *,
    is_operator: Callable[[str], bool],
    probes: Mapping[str, Probe],
) -> Doors:
    """Build the application.

    ``is_operator`` compares a key with the operator's, in constant time; ``probes`` ask the parts
    how they are.
    """
    return Doors(
        route_handlers=[*_ROUTERS, admin.router, landing, *health.handlers(probes)],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False, use_cache=True)},
        exception_handlers={HTTPException: answer, Exception: answer},
        middleware=[Doorkeeper(services, is_operator), Repeats(services), Witness(services)],
        request_class=StrictRequest,
        request_max_body_size=MOST_BYTES,
        logging_config=None,
        openapi_config=_documents(),
    )


def _documents() -> OpenAPIConfig:
    router = Router("/schema", route_handlers=[], opt=PUBLIC, include_in_schema=False)
    return openapi.config(version("meetbot-calendar"), documents(), router)
