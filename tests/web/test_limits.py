"""Whoever asks too often waits, alone: by tenant with good keys, by address with wrong ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest
from httpx import ASGITransport, AsyncClient  # noqa: TID251 - to our own door
from redis.asyncio import Redis

from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.gateways.limits import open_limits
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.strangers import Strangers
from tenants.limits import Rate
from tests.gateways.test_wakeups import closed_port
from tests.web.house import OPERATOR_KEY, Door, OpenHouse, app_of

REQUESTS = Rate(name="tenant", quota=5, window=timedelta(seconds=10))
WRONG = Rate(name="wrong-keys", quota=3, window=timedelta(seconds=30))
HERE, THERE = "198.51.100.7", "203.0.113.9"


class Limited(msgspec.Struct, kw_only=True):
    """A house with limits, and the doors that keys open from somewhere."""

    house: OpenHouse
    services: Services

    @asynccontextmanager
    async def knocking(self, address: str) -> AsyncIterator[AsyncClient]:
        """Come from an address, to a process of its own."""
        process = msgspec.structs.replace(self.services, strangers=Strangers())
        transport = ASGITransport(app=cast("Any", app_of(process)), client=(address, 4242))
        async with AsyncClient(transport=transport, base_url="http://meetbot.test") as client:
            yield client


async def _with(house: OpenHouse, redis_url: str) -> AsyncIterator[Limited]:
    async with open_limits(redis_url) as limits:
        settled = msgspec.structs.replace(house.services.house, requests=REQUESTS, wrong_keys=WRONG)
        services = msgspec.structs.replace(house.services, house=settled, limits=limits)
        yield Limited(house=house, services=services)


@pytest.fixture
async def limited(house: OpenHouse, servers: ServerState) -> AsyncIterator[Limited]:
    async with Redis.from_url(servers.redis_url) as client:
        await client.flushall()
    async for found in _with(house, servers.redis_url):
        yield found


@pytest.fixture
async def without_redis(house: OpenHouse) -> AsyncIterator[Limited]:
    async for found in _with(house, f"redis://127.0.0.1:{closed_port()}"):
        yield found


async def statuses(door: Door, times: int, path: str = "/v1/tenant") -> list[int]:
    return [(await door.get(path)).status_code for _ in range(times)]


async def test_a_tenant_at_its_limit_is_told_how_long_to_wait_and_then_goes_on(
    limited: Limited,
) -> None:
    _, door = await limited.house.tenant()
    async with limited.knocking(HERE) as client:
        here = Door(client, door.key)
        first = await here.get("/v1/tenant")
        missing = await here.get("/v1/bots/bot_none")
        rest = await statuses(here, 3)
        refused = await here.get("/v1/tenant")
        await limited.house.clock.advance(timedelta(seconds=2))
        after = await statuses(here, 2)

    assert (first.headers["ratelimit-policy"], first.headers["ratelimit"]) == (
        '"tenant";q=5;w=10',
        '"tenant";r=4;t=2',
    )
    assert (missing.status_code, missing.headers["ratelimit"]) == (404, '"tenant";r=3;t=4')
    assert (rest, refused.status_code, after) == ([200] * 3, 429, [200, 429])
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["ratelimit"] == '"tenant";r=0;t=2'
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_requests"


async def test_all_keys_and_processes_of_a_tenant_share_its_limit_and_others_have_their_own(
    limited: Limited,
) -> None:
    _, door = await limited.house.tenant()
    _, other = await limited.house.tenant("Other")
    second = (await door.post("/v1/api-keys", {"name": "x"})).json()["key"]
    async with limited.knocking(HERE) as one, limited.knocking(HERE) as two:
        spent = await statuses(Door(one, door.key), 3) + await statuses(Door(two, second), 3)
        others = await statuses(Door(two, other.key), 5)

    assert spent == [200] * 5 + [429]
    assert others == [200] * 5


async def test_providers_fleets_operators_and_health_are_not_counted(limited: Limited) -> None:
    async with limited.knocking(HERE) as client:
        operator, nobody = Door(client, OPERATOR_KEY), Door(client, None)
        as_operator = await statuses(operator, 8, "/v1/tenants")
        alive = await statuses(nobody, 8, "/health/live")
        reports = {(await nobody.post("/v1/bots/bot_x/status", {})).status_code for _ in range(8)}

    assert (as_operator, alive) == ([200] * 8, [200] * 8)
    assert 429 not in reports


async def test_after_some_wrong_keys_an_address_must_wait_and_others_need_not(
    limited: Limited,
) -> None:
    _, door = await limited.house.tenant()
    async with limited.knocking(HERE) as here, limited.knocking(THERE) as there:
        wrong = [await Door(here, f"mbk_wrong{i}").get("/v1/tenant") for i in range(5)]
        without = await statuses(Door(here, None), 2)
        elsewhere = await statuses(Door(there, door.key), 1)
        await limited.house.clock.advance(timedelta(seconds=10))
        later = await statuses(Door(here, door.key), 1)

    assert [answer.status_code for answer in wrong] == [401, 401, 401, 429, 429]
    assert (wrong[4].headers["retry-after"], wrong[4].json()["code"]) == (
        "10",
        "too_many_wrong_keys",
    )
    assert (without, elsewhere, later) == ([401, 401], [200], [200])


async def test_a_good_key_is_not_locked_out_by_others_at_its_address(limited: Limited) -> None:
    _, door = await limited.house.tenant()
    async with limited.knocking(HERE) as here:
        wrong = await statuses(Door(here, "mbk_wrong"), 5)
        good, operator = Door(here, door.key), Door(here, OPERATOR_KEY)
        let_in = [*await statuses(good, 1), *await statuses(operator, 1, "/v1/tenants")]
        again = await statuses(Door(here, "mbk_wrong"), 1)

    assert (wrong, let_in, again) == ([401, 401, 401, 429, 429], [200, 200], [429])


async def test_a_key_that_was_good_and_is_revoked_is_refused_at_once(limited: Limited) -> None:
    _, door = await limited.house.tenant()
    made = (await door.post("/v1/api-keys", {"name": "x"})).json()
    async with limited.knocking(HERE) as one, limited.knocking(THERE) as two:
        before = [await statuses(Door(at, made["key"]), 1) for at in (one, two)]
        await door.delete(f"/v1/api-keys/{made['id']}")
        after = [await statuses(Door(at, made["key"]), 1) for at in (one, two)]

    assert (before, after) == ([[200], [200]], [[401], [401]])


async def test_wrong_operator_keys_and_admin_log_ins_count_as_well(limited: Limited) -> None:
    async with limited.knocking(HERE) as here:
        await statuses(Door(here, "wrong"), 2, "/v1/tenants")
        forms = [
            await here.post("/admin/login", data={"key": "mbk_wrong"}, follow_redirects=False)
            for _ in range(2)
        ]
        again = await statuses(Door(here, "wrong"), 1, "/v1/tenants")

    assert ([form.status_code for form in forms], again) == ([401, 429], [429])


async def test_without_redis_requests_go_on(without_redis: Limited) -> None:
    _, door = await without_redis.house.tenant()
    async with without_redis.knocking(HERE) as here:
        good = await statuses(Door(here, door.key), 8)
        wrong = await statuses(Door(here, "mbk_wrong"), 8)

    assert (good, wrong) == ([200] * 8, [401] * 8)
