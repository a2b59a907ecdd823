"""The worker: sweeps and departures always, and arq to be rung through while Redis is there."""

import asyncio
from typing import Any

import structlog
from arq.worker import Function, Worker
from redis.exceptions import RedisError

from meetbot_calendar.journeys.services import Jobs, Services
from meetbot_calendar.worker.departures import Departures
from meetbot_calendar.worker.sweeper import Sweeper
from meetbot_calendar.worker.tasks import JOURNEYS
from tenants.identity import TenantId

log = structlog.get_logger("worker")

_REDIS_AGAIN = 2.0


async def work(services: Services, jobs: Jobs, stop: asyncio.Event) -> None:
    """Work until told to stop."""
    sweeper, departures = Sweeper(services), Departures(services)
    async with asyncio.TaskGroup() as group:
        group.create_task(sweeper.run(stop))
        group.create_task(departures.run(stop))
        listening = group.create_task(_listen(services, jobs, sweeper, departures))
        await stop.wait()
        listening.cancel()


async def _listen(
    services: Services,
    jobs: Jobs,
    sweeper: Sweeper,
    departures: Departures,
) -> None:
    """Listen to rings for as long as the worker lives; Redis may come and go."""
    while True:
        worker = _arq(jobs, sweeper, departures)
        try:
            await worker.async_run()
        except (RedisError, OSError) as lost:
            log.warning("Redis is away; the sweep goes on without it", detail=type(lost).__name__)
        finally:
            await _close(worker)
        now = services.clock.now()
        await services.clock.sleep_until(now + services.clock.patience(_REDIS_AGAIN))


async def _close(worker: Worker) -> None:
    """Close what arq opened; a connection that was in use when it was cancelled, too."""
    if worker._pool is None:  # noqa: SLF001 - arq has no other way to ask whether it ever opened
        return
    connections = worker.pool.connection_pool
    try:
        await worker.close()
    except (RedisError, OSError):
        return  # there is nothing left to close
    finally:
        await connections.disconnect(inuse_connections=True)


def _arq(jobs: Jobs, sweeper: Sweeper, departures: Departures) -> Worker:
    """Build the arq worker; settings as measured (its own defaults are slow, and die with Redis).

    A wake-up only starts the journey and ends: whatever the journey does, the row is the truth.
    """

    def listener(kind: str) -> Function:
        async def rung(ctx: dict[Any, Any], *ids: str, **_named: str) -> None:
            del ctx
            tenant_id, row_id = ids
            if kind == "dispatch":
                departures.ring()
            else:
                sweeper.start(kind, TenantId(tenant_id), row_id, rung=True)

        return Function(
            name=kind,
            coroutine=rung,
            timeout_s=10,
            keep_result_s=0,
            keep_result_forever=False,
            max_tries=1,
        )

    return Worker(
        functions=[listener(kind) for kind in ("dispatch", *JOURNEYS)],
        queue_name=jobs.queue,
        redis_settings=jobs.redis,
        handle_signals=False,
        poll_delay=0.05,
        max_jobs=50,
        queue_read_limit=1000,
        job_timeout=10,
        keep_result=0,
        health_check_interval=10,
        job_serializer=jobs.serialize,
        job_deserializer=jobs.deserialize,
    )
