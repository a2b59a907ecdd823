"""``create_app(services)``: the routes, and who stands at the door."""

from collections.abc import Callable, Mapping

from litestar import Litestar
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import Receive, Scope, Send

from meetbot_calendar.journeys.services import Services
from meetbot_calendar.web import health, inbound
from meetbot_calendar.web.api import (
    accounts,
    bots,
    calendars,
    connect,
    endpoints,
    events,
    keys,
    outbox,
    policy,
    rules,
    tenants,
    users,
)
from meetbot_calendar.web.auth import Doorkeeper
from meetbot_calendar.web.bodies import StrictRequest
from meetbot_calendar.web.frame import framed
from meetbot_calendar.web.health import Probe
from meetbot_calendar.web.problems import answer
from meetbot_calendar.web.repeats import MOST_BYTES, Repeats

_ROUTERS = (
    tenants.router,
    policy.router,
    keys.router,
    connect.router,
    users.router,
    calendars.router,
    events.router,
    rules.router,
    bots.router,
    endpoints.router,
    outbox.router,
    accounts.router,
    inbound.router,
)


class Doors(Litestar):
    """The application, inside its frame."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """Serve one request, or live one life."""
        if scope["type"] == ScopeType.HTTP:
            await framed(super().__call__, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


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
        route_handlers=[*_ROUTERS, *health.handlers(probes)],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False, use_cache=True)},
        exception_handlers={HTTPException: answer, Exception: answer},
        middleware=[Doorkeeper(services, is_operator), Repeats(services)],
        request_class=StrictRequest,
        request_max_body_size=MOST_BYTES,
        logging_config=None,
    )
