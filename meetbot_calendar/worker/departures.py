"""Holds bots that are about to leave, and fires each at its instant."""

import asyncio
from datetime import datetime, timedelta

import structlog

from meetbot_calendar import telemetry
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys import dispatch, sweep
from meetbot_calendar.journeys.dispatch import Held
from meetbot_calendar.journeys.outages import DatabaseDown
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.worker.endings import let_end, pause
from tenants.identity import TenantId

log = structlog.get_logger("departures")

_AHEAD = 5.0  # seconds that a bot is held before its instant
_EVERY = 1.0
_LIMIT = 2000


class Departures:
    """Takes what leaves within seconds, so that neither queue nor sweep decides the instant."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: set[asyncio.Task[None]] = set()
        self._firing: set[asyncio.Task[None]] = set()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Look at once: a bot became due that was not a moment ago."""
        self._rung.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Hold and fire until told to stop; whoever waits then is let go by the lease's end."""
        clock = self._services.clock
        while not stop.is_set():
            self._rung.clear()
            await self._hold()
            await pause(self._services, clock.now() + clock.patience(_EVERY), stop, self._rung)
        for task in self._waiting - self._firing:
            task.cancel()
        await let_end(self._waiting)

    async def _hold(self) -> None:
        ahead = self._services.clock.patience(_AHEAD)
        try:
            for tenant_id, due in (await sweep.departing(self._services, ahead, _LIMIT)).items():
                ids = [bot.bot_id for bot in due]
                together: dict[datetime, list[Held]] = {}
                for held in await dispatch.hold(self._services, tenant_id, ids, ahead):
                    together.setdefault(held.due_at, []).append(held)
                for due_at, group in together.items():
                    self._wait_for(tenant_id, due_at, group)
        except DatabaseDown as down:
            log.warning("the database is away; departures wait", detail=str(down))

    def _wait_for(self, tenant_id: TenantId, due_at: datetime, held: list[Held]) -> None:
        task = asyncio.create_task(self._depart(tenant_id, due_at, held))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        task.add_done_callback(self._firing.discard)

    async def _depart(self, tenant_id: TenantId, due_at: datetime, held: list[Held]) -> None:
        await self._services.clock.sleep_until(due_at)
        if (this := asyncio.current_task()) is not None:
            self._firing.add(this)
        with structlog.contextvars.bound_contextvars(tenant_id=tenant_id):
            try:
                gone = await dispatch.fire(self._services, tenant_id, held)
            except (MeetbotError, DatabaseDown) as trouble:
                log.warning("bots could not leave; they stay due", detail=str(trouble))
            except Exception:
                telemetry.JOURNEYS_CRASHED.labels("dispatch").inc()
                log.exception("a departure crashed; its bots stay due")
            else:
                for left in gone:
                    _count(left)
                    log.info(
                        "departure",
                        bot_id=left.bot_id,
                        outcome=left.outcome,
                        late_ms=_ms(left.late),
                    )


def _count(left: dispatch.Dispatched) -> None:
    telemetry.BOTS_DISPATCHED.labels(left.outcome).inc()
    if left.late is not None:
        telemetry.BOT_LATENESS.observe(left.late.total_seconds())


def _ms(late: timedelta | None) -> int | None:
    return None if late is None else round(late.total_seconds() * 1000)
