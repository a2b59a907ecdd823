import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.worker import Worker, func

from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.gateways.wakeups import (
    QUEUE,
    deserialize,
    open_wakeups,
    redis_settings,
    serialize,
)
from tests.loopback import Heard, listening


@pytest.fixture
async def redis(servers: ServerState) -> AsyncIterator[ArqRedis]:
    """The real thing, empty."""
    client = ArqRedis.from_url(servers.redis_url)
    client.job_deserializer = deserialize
    await client.flushall()
    yield client
    await client.aclose(close_connection_pool=True)


async def waiting(redis: ArqRedis) -> list[tuple[str, tuple[str, ...], str | None]]:
    jobs = await redis.queued_jobs(queue_name=QUEUE)
    return [(job.function, tuple(job.args), job.job_id) for job in jobs]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def way_to(target: str, port: int) -> AsyncIterator[None]:
    """Forward a port to Redis while the block lasts, and cut every line at its end."""
    host, _, number = target.rpartition("@")[2].partition("/")[0].partition(":")
    pipes: list[asyncio.Task[None]] = []
    ends: list[asyncio.StreamWriter] = []

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(number))
        ends.extend((writer, far_writer))
        pipes.append(asyncio.ensure_future(pour(reader, far_writer)))
        pipes.append(asyncio.ensure_future(pour(far_reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for end in ends:
            end.transport.abort()
        await asyncio.gather(*pipes, return_exceptions=True)


def through(url: str, port: int) -> str:
    """Return the same Redis, addressed by another port."""
    head, _, rest = url.rpartition("@")
    _, slash, database = rest.partition("/")
    return f"{head}@127.0.0.1:{port}{slash}{database}"


async def test_a_ring_names_the_journey_and_carries_ids_alone(
    redis: ArqRedis, servers: ServerState
) -> None:
    async with open_wakeups(servers.redis_url) as wakeups:
        await wakeups.ring("sync", "ten_1", "cal_1")

    assert await waiting(redis) == [("sync", ("ten_1", "cal_1"), "sync:cal_1")]


async def test_rings_for_the_same_row_are_one(redis: ArqRedis, servers: ServerState) -> None:
    lost: list[str] = []

    async with open_wakeups(servers.redis_url, lost.append) as wakeups:
        await asyncio.gather(*(wakeups.ring("sync", "ten_1", "cal_1") for _ in range(50)))
        await wakeups.ring("deliver", "ten_1", "cal_1")

    assert sorted(await waiting(redis)) == [
        ("deliver", ("ten_1", "cal_1"), "deliver:cal_1"),
        ("sync", ("ten_1", "cal_1"), "sync:cal_1"),
    ]
    assert lost == []


@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # arq's own
async def test_a_worker_hears_a_row_ring_again_once_it_is_done(
    redis: ArqRedis, servers: ServerState
) -> None:
    heard: list[tuple[str, ...]] = []

    async def sync(ctx: dict[Any, Any], *ids: Any, **_: Any) -> None:
        heard.append((ctx["job_id"], *ids))

    worker = Worker(
        functions=[func(sync, name="sync")],
        redis_settings=redis_settings(servers.redis_url),
        queue_name=QUEUE,
        job_serializer=serialize,
        job_deserializer=deserialize,
        keep_result=0,
        poll_delay=0.01,
        burst=True,
        handle_signals=False,
    )
    async with open_wakeups(servers.redis_url) as wakeups:
        await wakeups.ring("sync", "ten_1", "cal_1")
        await worker.async_run()
        await wakeups.ring("sync", "ten_1", "cal_1")
        await worker.async_run()
    await worker.close()

    assert heard == [("sync:cal_1", "ten_1", "cal_1")] * 2
    assert await waiting(redis) == []


async def test_without_redis_a_ring_is_counted_logged_once_and_never_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost: list[str] = []
    caplog.set_level(logging.INFO, "meetbot_calendar.gateways.absence")

    async with open_wakeups(f"redis://127.0.0.1:{closed_port()}/0", lost.append) as wakeups:
        for _ in range(1000):
            await wakeups.ring("deliver", "ten_1", "dlv_1")

    assert lost == ["deliver"] * 1000
    assert len(caplog.records) == 1


async def test_a_redis_that_hangs_costs_a_moment_and_then_nothing() -> None:
    async def hang(_: Heard, __: asyncio.StreamWriter) -> None:
        """Take what comes, and say nothing."""

    loop = asyncio.get_running_loop()
    async with (
        listening(hang) as end,
        open_wakeups(f"redis://127.0.0.1:{end.port}/0") as wakeups,
    ):
        begun = loop.time()
        await asyncio.gather(*(wakeups.ring("sync", "ten_1", f"cal_{n}") for n in range(100)))
        together = loop.time() - begun
        for number in range(1000):
            await wakeups.ring("sync", "ten_1", f"cal_{number}")
        after = loop.time() - begun - together

    assert together < 1.5
    assert after < 0.5


async def test_redis_is_rung_again_when_it_is_back(
    redis: ArqRedis, servers: ServerState, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meetbot_calendar.gateways.absence")
    port, lost = closed_port(), list[str]()
    url = through(servers.redis_url, port)

    async with open_wakeups(url, lost.append, pause=0.0) as wakeups:
        await wakeups.ring("sync", "ten_1", "cal_1")
        async with way_to(servers.redis_url, port):
            await wakeups.ring("sync", "ten_1", "cal_2")
            await wakeups.ring("sync", "ten_1", "cal_3")
        await wakeups.ring("sync", "ten_1", "cal_4")
        async with way_to(servers.redis_url, port):
            await wakeups.ring("sync", "ten_1", "cal_5")

    assert sorted(row for _, (_, row), _ in await waiting(redis)) == ["cal_2", "cal_3", "cal_5"]
    assert lost == ["sync", "sync"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2


def test_a_worker_outlives_restarts_and_reads_passwords_as_urls_write_them() -> None:
    settings = redis_settings("rediss://me:p%40ss%2Fword@redis.example:6380/3")

    assert (settings.username, settings.password) == ("me", "p@ss/word")
    assert (settings.host, settings.port, settings.database) == ("redis.example", 6380, 3)
    assert (settings.ssl, settings.ssl_check_hostname) == (True, True)
    assert settings.retry is not None
    assert settings.retry_on_timeout


def test_jobs_are_plain_data_and_a_failed_one_is_told_in_text() -> None:
    job = {"f": "sync", "a": ("ten_1", "cal_1"), "r": ValueError("x")}

    assert deserialize(serialize(job)) == {
        "f": "sync",
        "a": ["ten_1", "cal_1"],
        "r": "ValueError('x')",
    }
