"""Counters that processes share: evenly refilled, gone by themselves, missed by nobody."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.gateways.limits import open_limits
from tenants.limits import Quota, Rate
from tests.fixed_clock import NOON
from tests.gateways.test_wakeups import closed_port

RATE = Rate(name="tenant", quota=5, window=timedelta(seconds=10))
SECOND = timedelta(seconds=1)


@pytest.fixture
async def redis(servers: ServerState) -> AsyncIterator[Redis]:
    client = Redis.from_url(servers.redis_url)
    await client.flushall()
    yield client
    await client.aclose()


async def test_a_quota_is_there_at_once_and_comes_back_evenly(
    redis: Redis, servers: ServerState
) -> None:
    del redis
    async with open_limits(servers.redis_url) as limits:
        first = [await limits.take("a", RATE, NOON) for _ in range(6)]
        after_one = await limits.take("a", RATE, NOON + 2 * SECOND)
        after_all = await limits.take("a", RATE, NOON + 60 * SECOND)

    assert [q.left for q in first if q is not None] == [4, 3, 2, 1, 0, 0]
    assert first[5] == Quota(rate=RATE, is_open=False, left=0, wait=2 * SECOND)
    assert after_one == Quota(rate=RATE, is_open=True, left=0, wait=10 * SECOND)
    assert after_all == Quota(rate=RATE, is_open=True, left=4, wait=2 * SECOND)


async def test_what_costs_more_is_taken_whole_or_not_at_all(
    redis: Redis, servers: ServerState
) -> None:
    del redis
    async with open_limits(servers.redis_url) as limits:
        taken = [await limits.take("a", RATE, NOON, cost=2) for _ in range(3)]
        single = await limits.take("a", RATE, NOON)

    assert [(q.is_open, q.left) for q in taken if q is not None] == [
        (True, 3), (True, 1), (False, 0),
    ]  # fmt: skip
    assert taken[2] is not None
    assert taken[2].wait == 2 * SECOND
    assert single == Quota(rate=RATE, is_open=True, left=0, wait=10 * SECOND)


async def test_processes_count_together_and_names_apart(redis: Redis, servers: ServerState) -> None:
    del redis
    async with open_limits(servers.redis_url) as one, open_limits(servers.redis_url) as other:
        for limits in (one, other) * 3:
            last = await limits.take("a", RATE, NOON)
        stranger = await other.take("b", RATE, NOON)

    assert last is not None
    assert (last.is_open, stranger and stranger.left) == (False, 4)


@settings(max_examples=30, deadline=None)
@given(pauses=st.lists(st.integers(0, 4_000), min_size=1, max_size=40))
async def test_nobody_ever_gets_more_than_the_quota_and_what_came_back_since(
    pauses: list[int], servers: ServerState
) -> None:
    now, taken, name = NOON, [], f"law-{secrets.token_hex(8)}"
    async with open_limits(servers.redis_url) as limits:
        for pause in pauses:
            now += timedelta(milliseconds=pause)
            quota = await limits.take(name, RATE, now)
            assert quota is not None
            if quota.is_open:
                taken.append(now)

    for begin, first in enumerate(taken):
        for end, last in enumerate(taken[begin:], start=1):
            assert end <= RATE.quota + (last - first) / (RATE.window / RATE.quota)


async def test_a_counter_is_gone_once_all_is_free_again(redis: Redis, servers: ServerState) -> None:
    async with open_limits(servers.redis_url) as limits:
        await limits.take("a", RATE, NOON)
        await limits.take("a", RATE, NOON)

    (name,) = await redis.keys("*")
    assert name == b"meetbot:limit:a"
    assert 0 < await redis.pttl(name) <= 4000


async def test_a_clock_that_went_astray_locks_nobody_out(
    redis: Redis, servers: ServerState
) -> None:
    del redis
    async with open_limits(servers.redis_url) as limits:
        for _ in range(6):
            await limits.take("a", RATE, NOON + timedelta(days=400))
        found = await limits.take("a", RATE, NOON)

    assert found is not None
    assert found.is_open


async def test_without_redis_nobody_is_limited_and_nobody_waits_for_it() -> None:
    async with open_limits(f"redis://127.0.0.1:{closed_port()}") as limits:
        found = [await limits.take("a", RATE, NOON) for _ in range(20)]

    assert found == [None] * 20
