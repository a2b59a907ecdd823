"""Runs what is due, bounded, each row once at a time; wake-ups only make it look sooner."""

import asyncio
from datetime import timedelta

import structlog

from meetbot_calendar.journeys import sweep
from meetbot_calendar.journeys.outages import KEYS_AWAY, DatabaseDown
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.worker.endings import let_end, pause
from meetbot_calendar.worker.tasks import perform
from tenants.identity import TenantId

log = structlog.get_logger("worker")

_EVERY = 1.0  # seconds
_AT_ONCE = 24
_ENDPOINTS_AT_ONCE = 200  # most of which only wait: a customer that hangs is not to stop others
_LIMIT = 100
_EXPIRE_EVERY = timedelta(minutes=5)


class Sweeper:
    """Looks every second, and whenever it is rung."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._delivering = asyncio.Semaphore(_ENDPOINTS_AT_ONCE)
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._rung_again: set[tuple[str, str]] = set()
        self._is_ending = False

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until told to stop; what is under way then may end within a moment."""
        services = self._services
        expire_at = services.clock.now()
        while not stop.is_set():
            looked_at = services.clock.now()
            await self._look()
            if looked_at >= expire_at:
                expire_at = looked_at + _EXPIRE_EVERY
                await self._expire()
            await pause(services, looked_at + services.clock.patience(_EVERY), stop)
        self._is_ending = True
        await let_end(self._running.values())

    async def _look(self) -> None:
        try:
            for work in await sweep.due(self._services, _LIMIT):
                self.start(work.kind, work.tenant_id, work.row_id)
        except DatabaseDown as down:
            log.warning("the database is away; sweeping goes on", detail=str(down))

    async def _expire(self) -> None:
        try:
            await sweep.expire(self._services)
        except DatabaseDown as down:
            log.warning("the database is away; expiring waits five minutes", detail=str(down))
        except KEYS_AWAY as away:
            log.warning("no key can be had; expiring waits five minutes", detail=away.detail)

    def start(self, kind: str, tenant_id: TenantId, row_id: str, *, rung: bool = False) -> None:
        """Start one journey, unless this very row is at work here: then a ring runs it again."""
        name = (kind, row_id)
        if self._is_ending:
            return  # its row stays due, and whoever sweeps next finds it
        if name in self._running:
            if rung:
                self._rung_again.add(name)
            return
        task = asyncio.create_task(self._work(kind, tenant_id, row_id))
        self._running[name] = task
        task.add_done_callback(lambda _: self._ended(kind, tenant_id, row_id))

    async def _work(self, kind: str, tenant_id: TenantId, row_id: str) -> None:
        async with self._delivering if kind == "deliver" else self._places:
            await perform(self._services, kind, tenant_id, row_id)

    def _ended(self, kind: str, tenant_id: TenantId, row_id: str) -> None:
        self._running.pop((kind, row_id), None)
        if (kind, row_id) in self._rung_again:
            self._rung_again.discard((kind, row_id))
            self.start(kind, tenant_id, row_id)
