"""Rings the worker through arq: a nudge and never a fact, so a lost ring costs seconds.

A ring that finds its like still waiting, or still being worked on, is one with it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec
from arq.connections import ArqRedis, RedisSettings
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisSlow

from meetbot_calendar.gateways.absence import Absence

QUEUE = "meetbot:wakeups"
TIME_LIMIT = 0.25
_RETRIES = 30


def serialize(job: dict[str, Any]) -> bytes:
    """Write a job as MessagePack: arq's own pickle lets whoever writes to Redis run code here."""
    return msgspec.msgpack.encode(job, enc_hook=repr)  # a job that failed holds an exception


def deserialize(written: bytes) -> dict[str, Any]:
    """Read a job."""
    return msgspec.msgpack.decode(written, type=dict[str, Any])


def redis_settings(url: str) -> RedisSettings:
    """Return settings under which a worker outlives a restart of Redis.

    With arq's defaults it does not: it ends at the first connection that breaks.
    """
    read = RedisSettings.from_dsn(url)
    return replace(
        read,
        username=unquote(read.username) if read.username else None,
        password=unquote(read.password) if read.password else None,
        ssl_check_hostname=read.ssl,
        retry=Retry(ExponentialBackoff(cap=2, base=0.1), _RETRIES),
        retry_on_timeout=True,
        retry_on_error=[RedisUnreachable, RedisSlow, OSError],
        conn_retries=_RETRIES,
    )


class RedisWakeUps:
    """Rings, within a quarter of a second, or not at all while Redis is known to be away."""

    def __init__(self, redis: ArqRedis, lost: Callable[[str], object], pause: float) -> None:
        self._redis = redis
        self._lost = lost
        self._absence = Absence(pause, "the sweep does its work")

    async def ring(self, kind: str, tenant_id: str, row_id: str) -> None:
        """Ring for one row. Never raises; the sweep finds what a lost ring was for."""
        probing = self._absence.is_known
        if not self._absence.may_try():
            self._lost(kind)
            return
        try:
            async with asyncio.timeout(TIME_LIMIT):
                await self._redis.enqueue_job(kind, tenant_id, row_id, _job_id=f"{kind}:{row_id}")
        except (RedisError, OSError, TimeoutError) as error:
            self._lost(kind)
            self._absence.begin(error, probing=probing)
        else:
            self._absence.end()

    async def probe(self) -> str | None:
        """Ask Redis whether it is there; None when it is, else a sentence."""
        try:
            async with asyncio.timeout(TIME_LIMIT):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError):
            return "Redis is away: work is found by the sweep, up to a second late; start it again"
        return None


@asynccontextmanager
async def open_wakeups(
    url: str, lost: Callable[[str], object] = lambda _: None, *, pause: float = 1.0
) -> AsyncIterator[RedisWakeUps]:
    """Open a ringer; Redis need not be there.

    ``lost`` is told the kind of each ring that was not heard. After a failure no ring is tried for
    ``pause`` seconds, and after each further one for twice as long.
    """
    verified = {"ssl_check_hostname": True} if url.startswith("rediss:") else {}
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=20,
        timeout=TIME_LIMIT,
        socket_timeout=TIME_LIMIT,
        socket_connect_timeout=TIME_LIMIT,
        retry=Retry(NoBackoff(), 0),
        **verified,
    )
    redis = ArqRedis(pool, serialize, deserialize, QUEUE)
    try:
        yield RedisWakeUps(redis, lost, pause)
    finally:
        await redis.aclose(close_connection_pool=True)


__all__ = [
    "QUEUE",
    "RedisSettings",
    "RedisWakeUps",
    "deserialize",
    "open_wakeups",
    "redis_settings",
    "serialize",
]
