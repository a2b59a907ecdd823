"""Lets a fleet's bots live by the world's clock, and carries their signed reports."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import msgspec
from standardwebhooks import Webhook

from meetbot_calendar.sandbox.fleet_bots import (
    Bot,
    FleetConfig,
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

_FORGED_SECRET = "Zm9yZ2VkLWJ5LXNvbWVib2R5LWVsc2UtZW50aXJlbHk="
_AT_ONCE = 20
_FINE = 204


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One signed report on its way."""

    url: str
    headers: dict[str, str]
    body: bytes


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is to be written from; ``secret`` is what it is signed with."""

    bot: Bot
    report: Report
    config: FleetConfig
    now: datetime
    secret: str


class Make(msgspec.Struct, frozen=True, kw_only=True):
    """One make of fleet: its name in the world, and how it writes its reports.

    ``secret`` is in the form of its make; ``insists`` says whether it tries again.
    """

    name: str
    write: Callable[[Telling], list[Post]]
    secret: str = FleetConfig().callback_secret
    insists: bool = True

    @property
    def bots(self) -> str:
        """Return the target of trouble with orders."""
        return f"{self.name}.bots"

    @property
    def reports(self) -> str:
        """Return the target of trouble with reports."""
        return f"{self.name}.reports"


def standard_headers(telling: Telling, body: str, prefix: str = "webhook") -> dict[str, str]:
    """Sign as Standard Webhooks do."""
    now = telling.now
    return {
        "Content-Type": "application/json",
        f"{prefix}-id": telling.report.id,
        f"{prefix}-timestamp": str(int(now.timestamp())),
        f"{prefix}-signature": Webhook(telling.secret).sign(telling.report.id, now, body),
    }


def _native(telling: Telling) -> list[Post]:
    body = telling.report.body
    url = str(telling.bot.body["callback_url"])
    return [Post(url=url, headers=standard_headers(telling, body), body=body.encode())]


NATIVE = Make(name="fleet", write=_native)


class FleetRunner:
    """One per make. ``start`` on the application's start-up; ``expect`` with every order."""

    def __init__(self, world: World, make: Make = NATIVE) -> None:
        self.world = world
        self.make = make
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None
        self._waiting_for: datetime | None = None

    @property
    def state(self) -> FleetState:
        """Return the fleet's state, which lives in the world."""
        return state_of(self.world, self.make)

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
            and (fault := self.world.faults.take(self.make.reports, "fail"))
        ):
            bot.fails = str(fault.detail.get("reason", "removed_by_host"))
        advance(self.state, bot, now)
        if len(bot.reports) > before:
            _distort(self.world, self.make.reports, bot, bot.reports[before:])
        async with self._places:
            for report in due_reports(bot, now):
                await self._send(bot, report)
                if not report.done:
                    return

    async def _send(self, bot: Bot, report: Report) -> None:
        now = self.world.clock.now()
        if self.world.faults.take(self.make.reports, "drop"):
            report.done = True
            return
        config = self.state.config
        secret = _forged(config.callback_secret) if report.forged else config.callback_secret
        told = Telling(bot=bot, report=report, config=config, now=now, secret=secret)
        status = _FINE
        for post in self.make.write(told):
            answer = await self.world.courier.post(post.url, post.headers, post.body)
            status = answer.status_code if answer is not None else 0
            if not 200 <= status < 300:  # noqa: PLR2004 - 2xx
                break
        answered(report, status, now)
        report.done = report.done or report.forged or not self.make.insists


def state_of(world: World, make: Make) -> FleetState:
    """Return what a fleet remembers; at first it signs with the secret of its make."""
    fresh = FleetState(config=FleetConfig(callback_secret=make.secret))
    world.state.notes.setdefault(make.name, fresh)
    return note(world, make.name, FleetState)


def _forged(secret: str) -> str:
    """Return another secret of the same form."""
    return ("whsec_" if secret.startswith("whsec_") else "") + _FORGED_SECRET


def _distort(world: World, target: str, bot: Bot, fresh: list[Report]) -> None:
    """Spoil new reports as ordered: forged ahead, repeated, out of order, contradicted."""
    last = fresh[-1]
    if world.faults.take(target, "forged"):
        first = msgspec.structs.replace(last, id=f"{last.id}_forged", forged=True, answers=[])
        bot.reports.insert(bot.reports.index(last), first)
    if world.faults.take(target, "repeat"):
        bot.reports.append(msgspec.structs.replace(last, answers=[], stray=True))
    if bot.ended_at and world.faults.take(target, "out_of_order"):
        add_report(bot, "bot.joined", last.next_at, {}).stray = True
    if bot.ended_at and world.faults.take(target, "contradict"):
        reason = {"reason": "removed_by_host"}
        add_report(bot, "bot.failed", last.next_at, reason).stray = True
