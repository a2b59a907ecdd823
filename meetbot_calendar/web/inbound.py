"""What providers and fleets send us: handed over at once, answered fast."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.params import FromPath

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.journeys import complete, notices
from meetbot_calendar.web.api.connect import ProviderName, provider_of
from meetbot_calendar.web.api.parts import Given
from meetbot_calendar.web.auth import PUBLIC


def _headers(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


@post(
    "/calendar/notifications/{provider:str}/{token:str}", status_code=202, media_type="text/plain"
)
async def take_notice(
    services: Given,
    request: Request[Any, Any, Any],
    provider: FromPath[ProviderName],
    token: FromPath[str],
) -> Response[str]:
    """Where providers say that something changed; not called by you."""
    answer = await notices.take(
        services,
        provider_of(provider),
        token,
        headers=_headers(request),
        query=dict(request.query_params.items()),
        body=await request.body(),
    )
    return Response(answer.text or "", status_code=answer.status, media_type="text/plain")


@post("/bots/{bot_id:str}/status", status_code=204)
async def take_report(
    services: Given, request: Request[Any, Any, Any], bot_id: FromPath[BotId]
) -> None:
    """Where the fleet reports, signed by Standard Webhooks; not called by you."""
    await complete.take_report(services, bot_id, _headers(request), await request.body())


@post("/fleets/{fleet:str}/reports", status_code=204)
async def take_fleet_notice(
    services: Given, request: Request[Any, Any, Any], fleet: FromPath[str]
) -> None:
    """Where the account of a fleet of another make reports, in its own format and signature.

    Register this address with the fleet (`recall`, `attendee`, `meetstream`, `meetingbaas`,
    `vexa`); not called by you. What is of no bot of ours is answered 204 as well.
    """
    await complete.take_notice(services, fleet, _headers(request), await request.body())


router = Router(
    "/v1",
    route_handlers=[take_notice, take_report, take_fleet_notice],
    opt=PUBLIC,
    security=[],
    tags=["Inbound"],
)
