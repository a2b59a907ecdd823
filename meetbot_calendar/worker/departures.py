"""Holds bots that are about to leave, and fires each at its instant."""

import asyncio
import gc
from datetime import datetime, timedelta

import structlog

from meetbot_calendar import telemetry
from meetbot_calendar.bots.model import BotId
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys import dispatch, sweep
from meetbot_calendar.journeys.dispatch import Departing
from meetbot_calendar.journeys.outages import KEYS_AWAY, DatabaseDown
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.worker.endings import let_end, pause
from tenants.identity import TenantId

log = structlog.get_logger("departures")

_AHEAD = 10.0  # seconds that a bot is held before its instant
_WARM = 2.0  # seconds before its instant at which connections for it are opened
_EVERY = 0.5
_KEEP_EVERY = 1.0
_SOON = 0.05  # seconds until the next look where there was more to take
_LIMIT = 250  # bots of one look: so that several workers share an instant
_TENANTS_AT_ONCE = 4
_MOMENT = 1.0  # real seconds that letting go of bots may take
_PATIENCE = 4.0  # real seconds that one tenant, whose keys are slow to come, holds up others


class Departures:
    """Takes what leaves within seconds, so that neither queue nor sweep decides the instant."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._together: dict[datetime, list[Departing]] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._firing: set[asyncio.Task[None]] = set()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Look at once: a bot became due that was not a moment ago."""
        self._rung.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Hold and fire until told to stop; whoever waits then is left to another worker."""
        clock = self._services.clock
        gc.freeze()  # or the collector looks at all of the house again, for a tenth of a second
        keeping = asyncio.create_task(self._keep_on())
        while not stop.is_set():
            self._rung.clear()
            is_all = await self._look()
            rest = clock.patience(_EVERY if is_all else _SOON)
            await pause(self._services, clock.now() + rest, stop, self._rung)
        for task in {keeping, *self._waiting} - self._firing:
            task.cancel()
        await self._let_go()
        await let_end(self._waiting)

    async def _keep_on(self) -> None:
        """Say over and over that we live and hold those whose instant is not at hand."""
        clock = self._services.clock
        while True:
            soon = clock.now() + clock.patience(_KEEP_EVERY)
            await clock.sleep_until(soon)
            waiting = [e for due_at, held in self._together.items() if due_at > soon for e in held]
            try:
                await dispatch.keep(self._services, waiting)
            except DatabaseDown as down:
                log.warning("the database is away; departures wait", detail=str(down))

    async def _let_go(self) -> None:
        waiting = [each for together in self._together.values() for each in together]
        if not waiting:
            return
        try:
            async with asyncio.timeout(_MOMENT):
                await dispatch.let_go(self._services, waiting)
        except (DatabaseDown, TimeoutError):
            log.warning("held bots could not be let go; their leases end a second after they leave")

    async def _look(self) -> bool:
        """Take what leaves soon; False where there may be more."""
        ahead = self._services.clock.patience(_AHEAD)
        try:
            due = await sweep.departing(self._services, ahead, _LIMIT)
        except DatabaseDown as down:
            log.warning("the database is away; departures wait", detail=str(down))
            return True
        places = asyncio.Semaphore(_TENANTS_AT_ONCE)
        lease_id = dispatch.new_lease(self._services)

        async def hold(tenant_id: TenantId) -> None:
            ids = [bot.bot_id for bot in due[tenant_id]]
            async with places:
                await self._hold(tenant_id, ids, ahead, lease_id)

        await asyncio.gather(*(hold(tenant_id) for tenant_id in due))
        return sum(map(len, due.values())) < _LIMIT

    async def _hold(
        self, tenant_id: TenantId, bot_ids: list[BotId], ahead: timedelta, lease_id: str
    ) -> None:
        with structlog.contextvars.bound_contextvars(tenant_id=tenant_id):
            try:
                async with asyncio.timeout(_PATIENCE):
                    held = await dispatch.hold(self._services, tenant_id, bot_ids, ahead, lease_id)
            except (*KEYS_AWAY, TimeoutError):
                telemetry.KEYS_MISSED.labels("dispatch").inc()
            except (MeetbotError, DatabaseDown) as trouble:
                log.warning("bots could not be held; they stay due", detail=str(trouble))
            except Exception:
                telemetry.JOURNEYS_CRASHED.labels("hold").inc()
                log.exception("holding bots crashed; they stay due")
            else:
                for each in held:
                    self._wait_for(each)

    def _wait_for(self, departing: Departing) -> None:
        """Let bots of one instant wait together."""
        due_at = departing.held.due_at
        if (others := self._together.get(due_at)) is not None:
            others.append(departing)
            return
        self._together[due_at] = [departing]
        task = asyncio.create_task(self._depart(due_at))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        task.add_done_callback(self._firing.discard)

    async def _depart(self, due_at: datetime) -> None:
        clock = self._services.clock
        await clock.sleep_until(due_at - clock.patience(_WARM))
        many = len(self._together[due_at]) if clock.now() < due_at else 0
        warming = asyncio.ensure_future(self._services.warm(many))
        try:
            await clock.sleep_until(due_at)  # however many connections are open by then
            await self._fire(due_at)
        finally:
            warming.cancel()

    async def _fire(self, due_at: datetime) -> None:
        departing = self._together.pop(due_at)
        if (this := asyncio.current_task()) is not None:
            self._firing.add(this)
        try:
            gone = await dispatch.fire(self._services, departing)
        except (MeetbotError, DatabaseDown, *KEYS_AWAY) as trouble:
            log.warning("bots could not leave; they stay due", detail=str(trouble))
        except Exception:
            telemetry.JOURNEYS_CRASHED.labels("dispatch").inc()
            log.exception("a departure crashed; its bots stay due")
        else:
            self._say(gone)

    def _say(self, gone: tuple[dispatch.Dispatched, ...]) -> None:
        for left in gone:
            _count(left)
            log.info(
                "departure",
                tenant_id=left.tenant_id,
                bot_id=left.bot_id,
                outcome=left.outcome,
                late_ms=_ms(left.late),
            )
        for fault in {left.fault for left in gone if left.fault is not None}:
            log.error("installation fault: the operator must act", detail=fault)
        if any(left.outcome == "dropped" for left in gone):
            self.ring()  # its plan changed as it left: it may be due all the same


def _count(left: dispatch.Dispatched) -> None:
    telemetry.BOTS_DISPATCHED.labels(left.outcome).inc()
    if left.late is not None:
        telemetry.BOT_LATENESS.observe(left.late.total_seconds())


def _ms(late: timedelta | None) -> int | None:
    return None if late is None else round(late.total_seconds() * 1000)
