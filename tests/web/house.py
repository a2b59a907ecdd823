"""The whole HTTP door over a real database, and what a test needs to knock at it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
from httpx import ASGITransport, AsyncClient, Response  # noqa: TID251 - to our own door

from meetbot_calendar.bots.fleet import Fleet
from meetbot_calendar.deliveries.poster import Poster
from meetbot_calendar.gateways.fleets.unset import UnsetFleet
from meetbot_calendar.journeys import closing
from meetbot_calendar.journeys.services import House, Services
from meetbot_calendar.web.app import Doors, create_app
from meetbot_calendar.wiring import API_OPENS, ContentCiphers
from tenants.identity import TenantId
from tenants.secrets.keyring import Keyring
from tenants.secrets.local import LocalKeys
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine
from tests.fixed_clock import FixedClock

OPERATOR_KEY = "the-operators-key"
Json = dict[str, Any]
Probe = Callable[[], Awaitable[str | None]]

HOUSE = House(
    public_url="http://127.0.0.1:8000",
    join_lead=timedelta(seconds=90),
    poll_interval=timedelta(seconds=300),
    past=timedelta(days=1),
    future=timedelta(days=28),
)


class Rings:
    """Wake-ups, written down."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    async def ring(self, kind: str, tenant_id: str, row_id: str) -> None:
        self.heard.append((kind, tenant_id, row_id))

    async def probe(self) -> str | None:
        return None


class Door:
    """Knocks at the application with one key."""

    def __init__(self, client: AsyncClient, key: str | None) -> None:
        self.client = client
        self.key = key

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Response:
        """Send a request; underscores in header names are hyphens."""
        content = b"" if body is None else msgspec.json.encode(body)
        return await self.send(method, path, content, **headers)

    async def send(self, method: str, path: str, content: bytes, **headers: str) -> Response:
        """Send these very bytes."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            given.setdefault("Authorization", f"Bearer {self.key}")
        return await self.client.request(method, path, content=content, headers=given)

    async def get(self, path: str, **headers: str) -> Response:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Response:
        return await self.ask("POST", path, body, **headers)

    async def put(self, path: str, body: object = None, **headers: str) -> Response:
        return await self.ask("PUT", path, body, **headers)

    async def patch(self, path: str, body: object = None, **headers: str) -> Response:
        return await self.ask("PATCH", path, body, **headers)

    async def delete(self, path: str, **headers: str) -> Response:
        return await self.ask("DELETE", path, **headers)


class OpenHouse(msgspec.Struct, kw_only=True):
    """One running application."""

    services: Services
    clock: FixedClock
    rings: Rings
    client: AsyncClient

    def with_key(self, key: str | None) -> Door:
        return Door(self.client, key)

    @property
    def operator(self) -> Door:
        return self.with_key(OPERATOR_KEY)

    @property
    def stranger(self) -> Door:
        return self.with_key(None)

    async def tenant(self, name: str = "Acme") -> tuple[Json, Door]:
        """Make a tenant; returns it and a door that its first key opens."""
        made = (await self.operator.post("/v1/tenants", {"name": name})).json()
        return made["tenant"], self.with_key(made["api_key"]["key"])

    async def remove(self, tenant_id: str) -> Response:
        """Remove a tenant as the operator does, while a worker is there to close it."""
        asked = asyncio.ensure_future(self.operator.delete(f"/v1/tenants/{tenant_id}"))
        while not asked.done():
            await closing.close(self.services, TenantId(tenant_id))
            await self.clock.advance(timedelta(seconds=1))
        return await asked

    async def person_key(self, door: Door, user_id: str) -> Door:
        """Make a key that is bound to one calendar user."""
        made = await door.post("/v1/api-keys", {"name": "phone", "user_id": user_id})
        return self.with_key(made.json()["key"])


def app_of(services: Services, probes: Mapping[str, Probe] | None = None) -> Doors:
    """Build the application as a command does."""
    return create_app(services, is_operator=lambda key: key == OPERATOR_KEY, probes=probes or {})


def client_of(app: Doors) -> AsyncClient:
    """Reach an application without a socket."""
    transport = ASGITransport(app=cast("Any", app))
    return AsyncClient(transport=transport, base_url="http://meetbot.test")


@asynccontextmanager
async def open_house(database_url: str, folder: Path) -> AsyncIterator[OpenHouse]:
    """Open the house on a fresh database; nobody is outside to talk to."""
    engine = open_engine(database_url, pool_size=4)
    clock, rings = FixedClock(), Rings()
    keyring = Keyring(LocalKeys(folder / "keys"), DataKeys(engine), opens=API_OPENS)
    services = Services(
        clock=clock,
        database=Database(engine, ContentCiphers(keyring, clock)),
        keyring=keyring,
        providers={},
        operator_apps={},
        fleet=cast("Fleet", UnsetFleet("meetbot")),
        poster=cast("Poster", None),
        wakeups=rings,
        house=HOUSE,
    )
    try:
        async with client_of(app_of(services)) as client:
            yield OpenHouse(services=services, clock=clock, rings=rings, client=client)
    finally:
        await engine.dispose()
