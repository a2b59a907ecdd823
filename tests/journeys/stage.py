"""Everything a journey needs, all of it real but the far ends, and one clock for both sides."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from litestar.types import ASGIApp
from sqlalchemy import select

from meetbot_calendar.bots.model import Bot, BotId
from meetbot_calendar.calendars.model import OAuthApp, Provider
from meetbot_calendar.calendars.provider import CalendarProvider
from meetbot_calendar.gateways.endpoints import open_endpoints
from meetbot_calendar.gateways.fleets.meetbot import MeetbotFleet
from meetbot_calendar.gateways.google.client import GoogleProvider
from meetbot_calendar.gateways.google.oauth import GoogleEndpoints
from meetbot_calendar.gateways.microsoft.client import MicrosoftProvider
from meetbot_calendar.gateways.transport import Transport, open_transport
from meetbot_calendar.journeys import connect, dispatch, endpoints, rule_sets, sweep, tenants
from meetbot_calendar.journeys.connect import ConnectWish, Finished
from meetbot_calendar.journeys.endpoints import EndpointWish
from meetbot_calendar.journeys.services import House, Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.sandbox.app import create_app as create_sandbox
from meetbot_calendar.sandbox.customer_inbox import CustomerState, Message
from meetbot_calendar.sandbox.fleet_bots import FleetState
from meetbot_calendar.sandbox.fleet_runner import FleetRunner
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.world import World
from meetbot_calendar.storage import bots
from meetbot_calendar.storage.tables import bots as bots_table
from meetbot_calendar.web.app import create_app
from meetbot_calendar.wiring import ContentCiphers
from meetbot_calendar.worker.tasks import JOURNEYS
from tenants.identity import CalendarUserId, TenantContext
from tenants.secrets.keyring import Keyring
from tenants.secrets.local import LocalKeys
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine
from tests.gateways.far_ends import allowed, through
from tests.loopback import Heard, listening

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
AHEAD = timedelta(seconds=5)


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


ANN = "ann@acme.example"
BOB = "bob@acme.example"
MEET = "https://meet.google.com/abc-defg-hij"
EVERYTHING = {"default": "record", "rules": []}


class Stage(msgspec.Struct, kw_only=True):
    """The product's services, the world around them, and a worker that a test drives by hand."""

    services: Services
    world: World
    transport: Transport
    sandbox_url: str
    context: TenantContext
    rings: Rings
    fleet: FleetRunner

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    async def connect(
        self, provider: Provider, email: str, *, customer_user_id: str = "ann", **form: str
    ) -> Finished:
        """Let a person consent, and the product take what comes back."""
        wish = ConnectWish(provider=provider, customer_user_id=customer_user_id)
        link = await connect.begin(self.services, self.context, wish)
        answer = await allowed(self.transport, link.url, email=email, **form)
        return await connect.finish(self.services, provider, answer)

    async def record_everything(self, user_id: CalendarUserId) -> None:
        await rule_sets.save_rules(self.services, self.context, user_id, EVERYTHING)

    async def listen(self) -> None:
        """Register the customer's address for all messages."""
        wish = EndpointWish(url=f"{self.sandbox_url}/customer/webhooks/acme", events=("*",))
        made = await endpoints.create_endpoint(self.services, self.context, wish)
        note(self.world, "customer", CustomerState).secrets["acme"] = [made.secrets[0]]

    @property
    def received(self) -> list[Message]:
        """Everything the customer was told, in order."""
        return note(self.world, "customer", CustomerState).messages

    @property
    def ordered(self) -> list[dict[str, Any]]:
        """Every order that the fleet took, in order."""
        return [bot.body for bot in self.fleet.state.bots.values()]

    async def settle(self) -> None:
        """Do all that is due at this instant, until nothing is: what a worker would do."""
        while work := await self._due():
            for kind, tenant_id, row_id in work:
                await JOURNEYS[kind](self.services, tenant_id, row_id)
            await self.depart()

    async def _due(self) -> list[tuple[str, Any, str]]:
        found = await sweep.due(self.services, 100)
        return [(work.kind, work.tenant_id, work.row_id) for work in found]

    async def depart(self) -> list[dispatch.Dispatched]:
        """Fire every bot whose instant has come."""
        fired: list[dispatch.Dispatched] = []
        due = await sweep.departing(self.services, timedelta(0), 100)
        for tenant_id, waiting in due.items():
            ids = [bot.bot_id for bot in waiting]
            held = await dispatch.hold(self.services, tenant_id, ids, timedelta(0))
            fired += [await dispatch.fire(self.services, tenant_id, each) for each in held]
        return fired

    async def pass_time(self, by: timedelta) -> None:
        """Let time pass for everybody, and everybody do what is due then."""
        self.world.clock.advance(by)
        await self.fleet.run_due()
        await self.depart()
        await self.settle()

    async def bots(self) -> list[Bot]:
        """Return the tenant's bots, oldest first."""
        async with self.services.database.tenant(self.context.tenant_id) as session:
            rows = await session.execute(select(bots_table.c.id).order_by(bots_table.c.id))
            found = [await bots.get(session, BotId(row.id)) for row in rows.all()]
        return [bot for bot in found if bot is not None]


@asynccontextmanager
async def set_stage(database_url: str, folder: Path) -> AsyncIterator[Stage]:
    """Build everything on a fresh database; Ann has a Google account, Bob one at Microsoft."""
    world = World(StillClock())
    sandbox = create_sandbox(world)
    for provider, email in ((Provider.GOOGLE, ANN), (Provider.OUTLOOK, BOB)):
        name = email.partition("@")[0].title()
        world.directory.add_account(provider.value, email, name, zone="Europe/Berlin")
    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(listening(through(sandbox)))
        stack.push_async_callback(world.courier.close)
        doors: list[ASGIApp] = []

        async def product(heard: Heard, writer: asyncio.StreamWriter) -> None:
            await through(doors[0])(heard, writer)

        near = await stack.enter_async_context(listening(product))
        transport = await stack.enter_async_context(open_transport())
        engine = open_engine(database_url, pool_size=5)
        stack.push_async_callback(engine.dispose)
        keyring = Keyring(LocalKeys(folder / "keys"), DataKeys(engine))
        rings = Rings()
        services = Services(
            clock=world.clock,
            database=Database(engine, ContentCiphers(keyring, world.clock)),
            keyring=keyring,
            providers=_providers(transport, far.url),
            operator_apps=_admitted(world, near.url),
            fleet=_fleet(world, transport, far.url),
            poster=await stack.enter_async_context(open_endpoints(allow_private=True)),
            wakeups=rings,
            house=House(
                public_url=near.url,
                join_lead=timedelta(seconds=90),
                poll_interval=timedelta(seconds=300),
                past=timedelta(days=1),
                future=timedelta(days=28),
                allow_private_webhooks=True,
            ),
        )
        doors.append(create_app(services, is_operator=lambda _: False, probes={}))
        made = await tenants.create_tenant(services, TenantWish(name="Acme"))
        yield Stage(
            services=services,
            world=world,
            transport=transport,
            sandbox_url=far.url,
            context=TenantContext(tenant_id=made.tenant.id, actor="test"),
            rings=rings,
            fleet=FleetRunner(world),
        )


def _providers(transport: Transport, url: str) -> dict[Provider, CalendarProvider]:
    google = GoogleEndpoints(
        auth_url=f"{url}/google/o/oauth2/v2/auth",
        token_url=f"{url}/google/token",
        revoke_url=f"{url}/google/revoke",
        userinfo_url=f"{url}/google/v1/userinfo",
        api_url=f"{url}/google/calendar/v3",
    )
    microsoft = MicrosoftProvider(
        transport, authority=f"{url}/microsoft/common", graph_url=f"{url}/microsoft/graph/v1.0"
    )
    return {Provider.GOOGLE: GoogleProvider(transport, google), Provider.OUTLOOK: microsoft}


def _admitted(world: World, product: str) -> dict[Provider, OAuthApp]:
    apps = {}
    for provider in Provider:
        app = OAuthApp(provider=provider, client_id=f"{provider}-1", client_secret="secret-1")
        back = f"{product}/v1/calendar/oauth/callback/{provider}"
        world.grants.register(
            Client(
                provider=provider.value,
                id=app.client_id,
                secret=app.client_secret,
                redirect_uris=[back],
            )
        )
        apps[provider] = app
    return apps


def _fleet(world: World, transport: Transport, url: str) -> MeetbotFleet:
    config = note(world, "fleet", FleetState).config
    return MeetbotFleet(
        transport,
        url=f"{url}/fleet",
        api_key=config.api_key,
        callback_secret=config.callback_secret,
    )
