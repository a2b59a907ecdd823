"""Counts what somebody does within a time, for all processes together; its loss limits nobody.

The counters are the generic cell rate algorithm's: one number per name, gone by itself once the
whole quota is free again. Names hold a tenant's id or an address, and no secret.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from meetbot_calendar.gateways.absence import Absence
from tenants.limits import Quota, Rate

TIME_LIMIT = 0.25
_MICROSECOND = timedelta(microseconds=1)

# KEYS: the counter. ARGV, in microseconds: now, what one costs, what all cost; and how many are
# taken. "Free at" is when the whole quota is free again. One that lies beyond reach was written by
# a clock gone astray.
_TAKE = """
local now, one, all = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local free = tonumber(redis.call('get', KEYS[1]) or now)
if free < now or free > now + all then free = now end
local after = free + one * tonumber(ARGV[4])
if after > now + all then return {0, 0, after - all - now} end
redis.call('set', KEYS[1], string.format('%.0f', after), 'px', math.ceil((after - now) / 1000))
return {1, math.floor((now + all - after) / one), after - now}
"""


class RedisLimits:
    """The port ``Limits`` on Redis or Valkey."""

    def __init__(self, redis: Redis, pause: float) -> None:
        self._take = redis.register_script(_TAKE)
        self._absence = Absence(pause, "nobody is limited")

    async def take(self, name: str, rate: Rate, now: datetime, *, cost: int = 1) -> Quota | None:
        """Count so many; None where Redis does not say. Never raises."""
        probing = self._absence.is_known
        if not self._absence.may_try():
            return None
        all_of_it = rate.window // _MICROSECOND
        given = [int(now.timestamp() * 1_000_000), all_of_it // rate.quota, all_of_it, cost]
        try:
            async with asyncio.timeout(TIME_LIMIT):
                said: Any = await self._take(keys=[f"meetbot:limit:{name}"], args=given)
        except (RedisError, OSError, TimeoutError) as error:
            self._absence.begin(error, probing=probing)
            return None
        self._absence.end()
        allowed, left, wait = said
        return Quota(rate=rate, is_open=bool(allowed), left=left, wait=timedelta(microseconds=wait))


@asynccontextmanager
async def open_limits(url: str, *, pause: float = 1.0) -> AsyncIterator[RedisLimits]:
    """Open the counters; Redis need not be there."""
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
    redis = Redis(connection_pool=pool)
    try:
        yield RedisLimits(redis, pause)
    finally:
        await redis.aclose(close_connection_pool=True)
