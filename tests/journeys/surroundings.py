"""What stands around the product in a test: time, the bell, and the far ends it is wired to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from meetbot_calendar.bots.fleet import Fleet
from meetbot_calendar.calendars.model import OAuthApp, Provider
from meetbot_calendar.calendars.provider import CalendarProvider
from meetbot_calendar.gateways.fleets.choice import open_fleet
from meetbot_calendar.gateways.fleets.line import Account
from meetbot_calendar.gateways.google.client import GoogleProvider
from meetbot_calendar.gateways.google.oauth import SCOPES, GoogleEndpoints
from meetbot_calendar.gateways.microsoft.client import MicrosoftProvider
from meetbot_calendar.gateways.microsoft.oauth import WANTED
from meetbot_calendar.gateways.transport import Transport
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.sandbox.fleet_bots import FleetConfig, FleetState
from meetbot_calendar.sandbox.fleets.quarter import MAKES
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.world import World
from meetbot_calendar.web import inbound
from meetbot_calendar.web.problems import answer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FEW = 3  # events on a page, so that most listings have several


class StillClock(msgspec.Struct, frozen=True):
    """Time that stands still until the world pushes it."""

    def now(self) -> datetime:
        return NOON

    async def sleep_until(self, instant: datetime) -> None:
        if instant > NOON:
            await asyncio.Event().wait()

    def patience(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)


class Rings:
    """Wake-ups, written down and otherwise lost: the sweep must find everything by itself."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    async def ring(self, kind: str, tenant_id: str, row_id: str) -> None:
        del tenant_id
        self.heard.append((kind, row_id))

    async def probe(self) -> str | None:
        return None


def plainly() -> httpx.AsyncHTTPTransport:
    """Return the network without TLS, whose certificates take longer to load than most tests."""
    return httpx.AsyncHTTPTransport(verify=False)


@asynccontextmanager
async def living(app: Any) -> AsyncIterator[None]:
    """Let an ASGI application start up, and shut down in the end."""
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    life = asyncio.create_task(app(scope, asked.get, said.put))
    await asked.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    yield
    await asked.put({"type": "lifespan.shutdown"})
    await life


def inbound_door(services: Services) -> ASGIApp:
    """Return the product's door for providers and fleets; all of its doors are opened elsewhere."""
    return Litestar(
        route_handlers=[inbound.router],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        exception_handlers={HTTPException: answer, Exception: answer},
        logging_config=None,
        openapi_config=None,
    )


def providers_at(
    transport: Transport,
    url: str,
    page_size: int = FEW,
    *,
    google: tuple[str, ...] = SCOPES,
    microsoft: tuple[str, ...] = WANTED,
) -> dict[Provider, CalendarProvider]:
    """Return both providers, as the sandbox at this address simulates them, and what they ask."""
    endpoints = GoogleEndpoints(
        auth_url=f"{url}/google/o/oauth2/v2/auth",
        token_url=f"{url}/google/token",
        revoke_url=f"{url}/google/revoke",
        userinfo_url=f"{url}/google/v1/userinfo",
        api_url=f"{url}/google/calendar/v3",
    )
    outlook = MicrosoftProvider(
        transport,
        authority=f"{url}/microsoft/common",
        graph_url=f"{url}/microsoft/graph/v1.0",
        page_size=page_size,
        scopes=microsoft,
    )
    return {
        Provider.GOOGLE: GoogleProvider(transport, endpoints, page_size=page_size, scopes=google),
        Provider.OUTLOOK: outlook,
    }


def admitted(world: World, product: str) -> dict[Provider, OAuthApp]:
    """Register the operator's OAuth client at both providers."""
    return {provider: app_at(world, product, provider, f"{provider}-1") for provider in Provider}


def app_at(world: World, product: str, provider: Provider, client_id: str) -> OAuthApp:
    """Register an OAuth client that leads back to the product."""
    app = OAuthApp(provider=provider, client_id=client_id, client_secret="secret-1")
    back = f"{product}/v1/calendar/oauth/callback/{provider}"
    client = Client(
        provider=provider.value, id=client_id, secret=app.client_secret, redirect_uris=[back]
    )
    world.grants.register(client)
    return app


def fleet_at(world: World, transport: Transport, url: str, product: str, name: str) -> Fleet:
    """Return a fleet that the sandbox at this address simulates, and tell it where we are."""
    state = note(world, "fleet", FleetState)
    if name in MAKES:
        reports = f"{product}/v1/fleets/{name}/reports"
        config = FleetConfig(callback_secret=MAKES[name].secret, webhook_url=reports)
        state = world.state.notes[name] = FleetState(config=config)
    account = Account(
        url=f"{url}/{name if name in MAKES else 'fleet'}",
        api_key=state.config.api_key,
        callback_secret=state.config.callback_secret,
    )
    return open_fleet(name, transport, account)
