"""Everything a journey needs, all of it real but the far ends, and one clock for both sides."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from litestar.types import ASGIApp
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from meetbot_calendar.bots.model import Bot, BotId
from meetbot_calendar.calendars.model import Calendar, Connection, Provider, StoredEvent
from meetbot_calendar.gateways.endpoints import open_endpoints
from meetbot_calendar.gateways.lanes import Lanes
from meetbot_calendar.gateways.transport import Transport, open_transport
from meetbot_calendar.journeys import connect, dispatch, endpoints, rule_sets, sweep, tenants
from meetbot_calendar.journeys.connect import ConnectWish, Finished
from meetbot_calendar.journeys.endpoints import EndpointWish
from meetbot_calendar.journeys.services import House, Services, WakeUps
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.sandbox.app import create_app as create_sandbox
from meetbot_calendar.sandbox.customer_inbox import CustomerState, Message
from meetbot_calendar.sandbox.fleet_bots import FleetState
from meetbot_calendar.sandbox.meetings import Guest, Meeting
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.world import World
from meetbot_calendar.storage import bots, calendars, connections, events, outbox
from meetbot_calendar.storage.tables import bots as bots_table
from meetbot_calendar.storage.tables import events as events_table
from meetbot_calendar.wiring import API_OPENS, ContentCiphers
from meetbot_calendar.worker.tasks import JOURNEYS
from tenants.identity import CalendarUserId, TenantContext, TenantId
from tenants.secrets.key_provider import KeyProvider
from tenants.secrets.keyring import Keyring
from tenants.secrets.local import LocalKeys
from tenants.storage.data_keys import DataKeys
from tenants.storage.paging import Keyset
from tenants.storage.session import Database, open_engine
from tests.gateways.far_ends import allowed, through
from tests.journeys.surroundings import (
    FEW,
    NOON,
    Rings,
    StillClock,
    admitted,
    fleet_at,
    inbound_door,
    living,
    plainly,
    providers_at,
)
from tests.loopback import Heard, listening

__all__ = ["ANN", "BOB", "EVERYTHING", "MEET", "NOON", "PEOPLE", "Stage", "set_stage"]

ANN = "ann@acme.example"
BOB = "bob@acme.example"
PEOPLE = [(Provider.GOOGLE, ANN), (Provider.OUTLOOK, BOB)]
MEET = "https://meet.google.com/abc-defg-hij"
EVERYTHING: dict[str, Any] = {"default": "record", "rules": []}
HALF_AN_HOUR = timedelta(minutes=30)
_MOST_ROUNDS = 60
_PATIENCE = 10.0  # real seconds


class Stage(msgspec.Struct, kw_only=True):
    """The product's services, the world around them, and a worker that a test drives by hand.

    ``services`` are the worker's; ``front`` are the API's, which open no grant.
    """

    services: Services
    front: Services
    world: World
    transport: Transport
    sandbox_url: str
    product_url: str
    context: TenantContext
    rings: Rings
    fleet_end: str = "fleet"  # what the world calls the fleet

    @property
    def answered(self) -> Services:
        """Return the API's services with a worker beside it that comes running."""
        return msgspec.structs.replace(self.front, wakeups=Running(self.services))

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    @property
    def fleet(self) -> FleetState:
        """Return what the fleet remembers."""
        return note(self.world, self.fleet_end, FleetState)

    async def consent_link(self, provider: Provider, customer_user_id: str = "ann") -> str:
        wish = ConnectWish(provider=provider, customer_user_id=customer_user_id)
        return (await connect.begin(self.front, self.context, wish)).url

    async def connect(
        self, provider: Provider, email: str, *, customer_user_id: str = "ann", **form: str
    ) -> Finished:
        """Let a person consent, and the product take what comes back."""
        link = await self.consent_link(provider, customer_user_id)
        answer = await allowed(self.transport, link, email=email, **form)
        return await connect.finish(self.front, provider, answer)

    async def onboard(self, provider: Provider, email: str, customer_user_id: str = "ann") -> Any:
        """Connect a person who has everything recorded, and let the worker do what is due."""
        connected = await self.connect(provider, email, customer_user_id=customer_user_id)
        assert connected.error_code is None, connected.error_detail
        await self.record_everything(connected.user_id)
        await self.settle()
        return connected.user_id

    async def record_everything(self, user_id: CalendarUserId) -> None:
        await rule_sets.save_rules(self.services, self.context, user_id, EVERYTHING)

    async def listen(self, *types: str, name: str = "acme") -> Any:
        """Register the customer's address for messages: of these types, or of all."""
        url = f"{self.sandbox_url}/customer/webhooks/{name}"
        wish = EndpointWish(url=url, events=types or ("*",))
        made = await endpoints.create_endpoint(self.services, self.context, wish)
        note(self.world, "customer", CustomerState).secrets[name] = [made.secrets[0]]
        return made.id

    def hold_meeting(
        self, organizer: str, title: str, after: timedelta, *guests: str, **facts: Any
    ) -> Meeting:
        """Hold a meeting that begins so long from now; half an hour, in one room, if not said."""
        start = self.now + after
        facts.setdefault("attendees", [Guest(email=email) for email in guests])
        facts.setdefault("link", MEET)
        lasts = facts.pop("lasts", HALF_AN_HOUR)
        return self.world.add_meeting(organizer, title, start, start + lasts, **facts)

    @property
    def received(self) -> list[Message]:
        """Everything the customer was told, in order."""
        return note(self.world, "customer", CustomerState).messages

    @property
    def ordered(self) -> list[dict[str, Any]]:
        """Every order that the fleet took, in order."""
        return [bot.body for bot in self.fleet.bots.values()]

    async def settle(self) -> None:
        """Do all that is due at this instant, until nothing is: what a worker would do."""
        await self.hear()
        work: list[tuple[str, Any, str]] = []
        for _ in range(_MOST_ROUNDS):
            work = await self._due()
            for kind, tenant_id, row_id in work:
                await JOURNEYS[kind](self.services, tenant_id, row_id)
            await self.hear()
            if not work and not await self.depart():
                return
        raise AssertionError(f"still due after {_MOST_ROUNDS} rounds: {work}")

    async def hear(self) -> None:
        """Let notices that are under way arrive."""
        async with asyncio.timeout(_PATIENCE):
            await self.world.courier.settle()

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
            fired += await dispatch.fire(self.services, held)
        return fired

    async def pass_time(self, by: timedelta) -> None:
        """Let time pass for everybody, and everybody do what is due then."""
        self.world.clock.advance(by)
        await self.fleet_reports()
        await self.depart()
        await self.settle()

    async def fleet_reports(self) -> None:
        """Let the fleet's bots live up to now, and their reports arrive."""
        await self.transport.request("POST", f"{self.sandbox_url}/sandbox/{self.fleet_end}/run")

    async def bots(self) -> list[Bot]:
        """Return the tenant's bots, oldest first."""
        async with self.services.database.tenant(self.context.tenant_id) as session:
            rows = await session.execute(select(bots_table.c.id).order_by(bots_table.c.id))
            found = [await bots.get(session, BotId(row.id)) for row in rows.all()]
        return [bot for bot in found if bot is not None]

    async def events(self, *, deleted: bool = False) -> list[StoredEvent]:
        """Return the tenant's standing (or deleted) events, soonest first."""
        async with self.services.database.tenant(self.context.tenant_id) as session:
            which = select(events_table.c.id).where(events_table.c.is_deleted.is_(deleted))
            order = (events_table.c.start_at, events_table.c.id)
            rows = (await session.execute(which.order_by(*order))).all()
            found = [await events.get(session, row.id) for row in rows]
        return [row.event for row in found if row is not None]

    async def titles(self) -> list[str | None]:
        """Return what the standing events are called, soonest first."""
        return [event.content.title for event in await self.events()]

    async def calendars(self, user_id: CalendarUserId) -> dict[str, Calendar]:
        """Return a person's calendars by name."""
        async with self.services.database.tenant(self.context.tenant_id) as session:
            found = await calendars.of_user(session, user_id)
        return {calendar.name: calendar for calendar in found}

    async def due_calendars(self) -> list[str]:
        """Return the names of the calendars that are due to be read."""
        due = await self.look(
            "select id from calendars where due_at <= :now order by due_at", now=self.now
        )
        async with self.services.database.tenant(self.context.tenant_id) as session:
            found = [await calendars.get(session, calendar_id) for calendar_id in due]
        return [calendar.name for calendar in found if calendar is not None]

    async def connections(self, user_id: CalendarUserId) -> tuple[Connection, ...]:
        """Return a person's connections."""
        async with self.services.database.tenant(self.context.tenant_id) as session:
            return await connections.of_user(session, user_id)

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return every message that was written, as type and data, in the order of ``seq``."""
        async with self.services.database.tenant(self.context.tenant_id) as session:
            page = await outbox.message_page(session, None, None, Keyset(limit=500))
            rows = [outbox.sequenced(session, row) for row in page.rows]
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        return [(row.message.type, msgspec.json.decode(row.message.body)["data"]) for row in rows]

    async def look(self, statement: str, **given: object) -> list[Any]:
        """Read rows of the tenant's by SQL; a single column as plain values."""
        async with self.services.database.tenant(self.context.tenant_id) as session:
            rows = (await session.execute(text(statement), given)).all()
        return [row[0] if len(row) == 1 else tuple(row) for row in rows]

    async def told_of_bots(self) -> list[str]:
        """Return the types of every message about bots, in order."""
        return [kind for kind, _ in await self.told() if kind.startswith("bot.")]


@asynccontextmanager
async def set_stage(
    database_url: str,
    folder: Path,
    wakeups: WakeUps | None = None,
    page_size: int = FEW,
    fleet: str = "meetbot",
    keys: tuple[KeyProvider, KeyProvider] | None = None,
) -> AsyncIterator[Stage]:
    """Build everything on a fresh database; Ann has a Google account, Bob one at Microsoft.

    Without ``wakeups`` nobody hears the rings. ``page_size`` is how many events a listing has.
    ``keys`` are the API's and the worker's way to the key service; else it is a folder.
    """
    world = World(StillClock(), transport=plainly())
    for provider, email in PEOPLE:
        name = email.partition("@")[0].title()
        world.directory.add_account(provider.value, email, name, zone="Europe/Berlin")
    async with AsyncExitStack() as stack:
        sandbox = create_sandbox(world)
        await stack.enter_async_context(living(sandbox))
        far = await stack.enter_async_context(listening(through(sandbox)))
        doors: list[ASGIApp] = []

        async def product(heard: Heard, writer: asyncio.StreamWriter) -> None:
            await through(doors[0])(heard, writer)

        near = await stack.enter_async_context(listening(product))
        paths = ("fleet", "google/calendar/v3", "microsoft/graph/v1.0")
        lanes = [Lanes(f"{far.url}/{path}") for path in paths]
        transport = await stack.enter_async_context(open_transport(plainly(), lanes))
        engine = open_engine(database_url, pool_size=5)
        stack.push_async_callback(engine.dispose)
        for_api, for_worker = keys or (LocalKeys(folder / "keys"), LocalKeys(folder / "keys"))
        store = DataKeys(engine)
        keyring = Keyring(for_worker, store)
        rings = Rings()
        services = Services(
            clock=world.clock,
            database=Database(engine, ContentCiphers(keyring, world.clock)),
            keyring=keyring,
            providers=providers_at(transport, far.url, page_size),
            operator_apps=admitted(world, near.url),
            fleet=fleet_at(world, transport, far.url, near.url, fleet),
            poster=await stack.enter_async_context(open_endpoints(allow_private=True)),
            wakeups=wakeups or rings,
            house=_house(near.url),
        )
        front = front_of(services, Keyring(for_api, store, opens=API_OPENS), engine)
        doors.append(inbound_door(front))
        made = await tenants.create_tenant(front, TenantWish(name="Acme"))
        yield Stage(
            services=services,
            front=front,
            world=world,
            transport=transport,
            sandbox_url=far.url,
            product_url=near.url,
            context=TenantContext(tenant_id=made.tenant.id, actor="test"),
            rings=rings,
            fleet_end="fleet" if fleet == "meetbot" else fleet,
        )


def front_of(services: Services, keyring: Keyring, engine: AsyncEngine) -> Services:
    """Return services as the API has them, with a keyring of its own that opens no grant."""
    return msgspec.structs.replace(
        services,
        database=Database(engine, ContentCiphers(keyring, services.clock)),
        keyring=keyring,
    )


class Running:
    """Wake-ups that a worker follows at once, where somebody may be waiting for it."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def ring(self, kind: str, tenant_id: str, row_id: str) -> None:
        if kind in ("sync", "errand"):
            await JOURNEYS[kind](self._services, TenantId(tenant_id), row_id)

    async def probe(self) -> str | None:
        return None


def _house(url: str) -> House:
    return House(
        public_url=url,
        join_lead=timedelta(seconds=90),
        poll_interval=timedelta(seconds=300),
        past=timedelta(days=1),
        future=timedelta(days=28),
        allow_private_webhooks=True,
    )
