"""Lets the fleet's bots live by the world's clock, and carries their signed reports."""

import asyncio
from datetime import datetime

import msgspec
from standardwebhooks import Webhook

from meetbot_calendar.sandbox.fleet_bots import (
    Bot,
    FleetState,
    Report,
    add_report,
    advance,
    answered,
    due_reports,
    is_due,
    next_due,
)
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.world import World

REPORTS = "fleet.reports"
_FORGED_SECRET = "whsec_Zm9yZ2VkLWJ5LXNvbWVib2R5LWVsc2UtZW50aXJlbHk="
_AT_ONCE = 20


class FleetRunner:
    """One per world. ``start`` on the application's start-up; ``expect`` with every order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None
        self._waiting_for: datetime | None = None

    @property
    def state(self) -> FleetState:
        """Return the fleet's state, which lives in the world."""
        return note(self.world, "fleet", FleetState)

    def start(self) -> None:
        """Begin to let bots live, those that are remembered from before included."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._live())

    def expect(self, when: datetime | None) -> None:
        """Be awake at ``when``: costs nothing if something earlier is awaited anyway."""
        self.start()
        if when and (self._waiting_for is None or when < self._waiting_for):
            self._changed.set()

    async def stop(self) -> None:
        """Stop; what is under way is dropped, and taken up again by the next start."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def run_due(self) -> None:
        """Do everything that is due now: steps of lives, and reports."""
        async with self._turn:
            now = self.world.clock.now()
            found = [bot for bot in self.state.bots.values() if is_due(bot, now)]
            await asyncio.gather(*(self._bring_up(bot) for bot in found))

    async def _live(self) -> None:
        while True:
            self._changed.clear()
            await self.run_due()
            self._waiting_for = next_due(self.state)
            await self._wait_for(self._waiting_for)

    async def _wait_for(self, when: datetime | None) -> None:
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._changed.wait())]
        if when is not None:
            waits.append(asyncio.ensure_future(self.world.clock.sleep_until(when)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _bring_up(self, bot: Bot) -> None:
        before = len(bot.reports)
        now = self.world.clock.now()
        if (
            bot.step_at
            and bot.step_at <= now
            and (fault := self.world.faults.take(REPORTS, "fail"))
        ):
            bot.fails = str(fault.detail.get("reason", "removed_by_host"))
        advance(self.state, bot, now)
        if len(bot.reports) > before:
            _distort(self.world, bot, bot.reports[before:])
        async with self._places:
            for report in due_reports(bot, now):
                await self._send(bot, report)
                if not report.done:
                    return

    async def _send(self, bot: Bot, report: Report) -> None:
        now = self.world.clock.now()
        if self.world.faults.take(REPORTS, "drop"):
            report.done = True
            return
        secret = _FORGED_SECRET if report.forged else self.state.config.callback_secret
        headers = {
            "Content-Type": "application/json",
            "webhook-id": report.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(report.id, now, report.body),
        }
        url = str(bot.body["callback_url"])
        answer = await self.world.courier.post(url, headers, report.body.encode())
        answered(report, answer.status_code if answer is not None else 0, now)


def _distort(world: World, bot: Bot, fresh: list[Report]) -> None:
    """Spoil new reports as ordered: forged ahead, repeated, out of order, contradicted."""
    last = fresh[-1]
    if world.faults.take(REPORTS, "forged"):
        first = msgspec.structs.replace(last, id=f"{last.id}_forged", forged=True, answers=[])
        bot.reports.insert(bot.reports.index(last), first)
    if world.faults.take(REPORTS, "repeat"):
        bot.reports.append(msgspec.structs.replace(last, answers=[]))
    if bot.ended_at and world.faults.take(REPORTS, "out_of_order"):
        add_report(bot, "bot.joined", last.next_at, {})
    if bot.ended_at and world.faults.take(REPORTS, "contradict"):
        add_report(bot, "bot.failed", last.next_at, {"reason": "removed_by_host"})
