"""The worker on a real Redis-compatible server: rung promptly, and certain without it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from meetbot_calendar.deliveries.poster import Answered
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.gateways.wakeups import (
    QUEUE,
    deserialize,
    open_wakeups,
    redis_settings,
    serialize,
)
from meetbot_calendar.journeys import endpoints, tenants
from meetbot_calendar.journeys.deliver import send_test
from meetbot_calendar.journeys.endpoints import EndpointWish
from meetbot_calendar.journeys.services import House, Jobs, Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.wiring import ContentCiphers
from meetbot_calendar.worker.main import work
from tenants.identity import TenantContext
from tenants.secrets.keyring import Keyring
from tenants.secrets.local import LocalKeys
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine

# arq closes its connections by a name that redis has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")

HOUSE = House(
    public_url="http://127.0.0.1:8000",
    join_lead=timedelta(seconds=90),
    poll_interval=timedelta(seconds=300),
    past=timedelta(days=1),
    future=timedelta(days=28),
    allow_private_webhooks=True,
)


class RealClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - a worker for real

    async def sleep_until(self, instant: datetime) -> None:
        await asyncio.sleep(max(0.0, (instant - self.now()).total_seconds()))

    def patience(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)


class Inbox:
    """Takes every post, and lets a test wait for so many of them."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._came = asyncio.Condition()

    async def post(self, url: str, headers: object, body: bytes) -> Answered:
        del url, body
        async with self._came:
            self.ids.append(dict(headers)["webhook-id"])  # type: ignore[call-overload]
            self._came.notify_all()
        return Answered(status_code=200, latency_ms=1)

    async def hold(self, times: int) -> list[str]:
        async with asyncio.timeout(20), self._came:
            await self._came.wait_for(lambda: len(self.ids) >= times)
        return self.ids


class Shop:
    """A worker at work, and a tenant whose endpoint can be sent test messages."""

    def __init__(self, inbox: Inbox, redis: Redis, send: Callable[[], Awaitable[str]]) -> None:
        self.inbox = inbox
        self.redis = redis
        self.send = send


@asynccontextmanager
async def open_shop(servers: ServerState, database_url: str, folder: Path) -> AsyncIterator[Shop]:
    engine = open_engine(database_url, pool_size=5)
    clock, inbox = RealClock(), Inbox()
    keyring = Keyring(LocalKeys(folder), DataKeys(engine))
    redis = Redis.from_url(servers.redis_url)
    async with open_wakeups(servers.redis_url) as wakeups:
        services = Services(
            clock=clock,
            database=Database(engine, ContentCiphers(keyring, clock)),
            keyring=keyring,
            providers={},
            operator_apps={},
            fleet=None,  # type: ignore[arg-type]
            poster=inbox,
            wakeups=wakeups,
            house=HOUSE,
        )
        made = await tenants.create_tenant(services, TenantWish(name="Acme"))
        context = TenantContext(tenant_id=made.tenant.id, actor="test")
        wish = EndpointWish(url="http://127.0.0.1:9/hook", events=("*",))
        endpoint = await endpoints.create_endpoint(services, context, wish)
        jobs = Jobs(
            redis=redis_settings(servers.redis_url),
            queue=QUEUE,
            serialize=serialize,
            deserialize=deserialize,
        )
        stop = asyncio.Event()
        working = asyncio.create_task(work(services, jobs, stop))
        try:
            yield Shop(inbox, redis, lambda: send_test(services, context, endpoint.id))
        finally:
            stop.set()
            await working
            await redis.aclose()
            await engine.dispose()


@pytest.fixture
async def shop(servers: ServerState, database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(servers, database_url, tmp_path) as found:
        yield found


async def test_what_is_rung_for_is_done_once(shop: Shop) -> None:
    sent = [await shop.send() for _ in range(5)]

    assert sorted(await shop.inbox.hold(5)) == sorted(sent)


async def test_flushing_redis_in_the_midst_loses_nothing(shop: Shop) -> None:
    first = [await shop.send() for _ in range(5)]
    await shop.redis.flushall()
    second = [await shop.send() for _ in range(5)]
    await shop.redis.flushall()

    assert sorted(await shop.inbox.hold(10)) == sorted(first + second)
