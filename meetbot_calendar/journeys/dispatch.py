"""Start bots at their instant: held ahead, re-read as they leave, asked of the fleet at once.

Bots that leave at the same instant, whosever they are, are marked in one statement and recorded as
their answers come in, so that the top of the hour costs a few statements and not a few for each.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, TypeVar

import msgspec

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.bots.model import FINAL, Bot, BotId
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.journeys import aftermath, heartbeat, recall, silence
from meetbot_calendar.journeys.aftermath import Answer
from meetbot_calendar.journeys.asking import ask
from meetbot_calendar.journeys.holding import (
    GRACE,
    Departing,
    Leaving,
    hold,
    keep,
    let_go,
    new_lease,
    with_order,
)
from meetbot_calendar.journeys.orders import Scene, order_of, scene_of
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_leases, bots, connections
from meetbot_calendar.storage.bot_leases import Held
from tenants.identity import TenantId
from tenants.storage.session import DatabaseDown, TenantSession

_MARKED_TOGETHER = 500
_MOMENT = 0.5  # seconds that a record waits for more answers to join it
_TENANTS_AT_ONCE = 4
_SENT = ("dispatched", "joined")

Outcome = Literal[
    "dispatched", "recalled", "dropped", "later", "failed", "missed", "cancelled", "heard"
]
T = TypeVar("T")


class Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one due bot. ``late`` is how long after its instant the order left.

    ``fault`` is a sentence for the operator, who alone can mend it.
    """

    tenant_id: TenantId
    bot_id: BotId
    outcome: Outcome
    late: timedelta | None = None
    fault: str | None = None


class Sorted(msgspec.Struct, frozen=True, kw_only=True):
    """Held bots by what is to be done with them."""

    leaving: tuple[Leaving, ...]
    recalled: tuple[Bot, ...]
    silent: tuple[Bot, ...]
    done: tuple[Dispatched, ...]
    told: tuple[EndpointId, ...]


async def fire(services: Services, departing: Sequence[Departing]) -> tuple[Dispatched, ...]:
    """Do what is due for held bots of any tenants, whose truth is read as it stands now.

    One tenant's trouble does not touch the others'; the first is raised when all is done. Of a bot
    that was taken twice, for its plan changed in between, the last hold is the one that stands.
    """
    last = {each.held.bot_id: each for each in departing}
    held = [each.held for each in last.values()]
    async with heartbeat.kept(services, partial(_prolong, services, held), heartbeat.QUICK):
        return await _fire(services, tuple(last.values()))


async def _prolong(services: Services, held: Sequence[Held], until: datetime) -> None:
    async with services.database.holder({each.lease_id for each in held}) as session:
        await bot_leases.prolong(session, held, until)


async def _fire(services: Services, departing: Sequence[Departing]) -> tuple[Dispatched, ...]:
    ready = [each.leaving for each in departing if each.leaving is not None]
    asking, lost = await _leave(services, ready)
    others: dict[TenantId, list[Held]] = defaultdict(list)
    for each in departing:
        if each.held.bot_id not in asking and each.held.bot_id not in lost:
            others[each.held.tenant_id].append(each.held)
    places = asyncio.Semaphore(_TENANTS_AT_ONCE)
    done = await _all_of(
        _record_answers(services, set(asking.values())),
        *(_settle(services, tenant_id, held, places) for tenant_id, held in others.items()),
    )
    if lost:
        raise DatabaseDown("it went away as bots left; those not marked stay due")
    return tuple(each for some in done for each in some)


async def _leave(
    services: Services, ready: Sequence[Leaving]
) -> tuple[dict[BotId, asyncio.Task[Answer]], set[BotId]]:
    """Mark as leaving those whose plan stands as their order was written, and ask for them.

    While the fleet is asked for some, the next are marked. Returns who is asked for, and who could
    not be marked because the database is away.
    """
    asking: dict[BotId, asyncio.Task[Answer]] = {}
    batches = [
        ready[begin : begin + _MARKED_TOGETHER] for begin in range(0, len(ready), _MARKED_TOGETHER)
    ]
    marking = asyncio.create_task(_mark(services, batches[0])) if batches else None
    for number, batch in enumerate(batches, 1):
        try:
            marked = await marking if marking else frozenset()
        except DatabaseDown:
            return asking, {each.bot.id for rest in batches[number - 1 :] for each in rest}
        coming = batches[number : number + 1]
        marking = asyncio.create_task(_mark(services, coming[0])) if coming else None
        for each in batch:
            if each.bot.id in marked:
                asking[each.bot.id] = asyncio.create_task(ask(services, each))
    return asking, set()


async def _mark(services: Services, ready: Sequence[Leaving]) -> frozenset[BotId]:
    held = [each.held for each in ready]
    now = services.clock.now()
    until = now + heartbeat.lasts(services, heartbeat.QUICK)
    async with services.database.holder({each.lease_id for each in held}) as session:
        return await bot_leases.leave(session, held, now=now, until=until)


async def _settle(
    services: Services, tenant_id: TenantId, held: Sequence[Held], places: asyncio.Semaphore
) -> list[Dispatched]:
    """Read bots in full: those to be asked about, called back or given up, and changed ones."""
    async with places:
        found = await _sort(services, tenant_id, held)
    await ring_deliveries(services, tenant_id, found.told)
    asking = {asyncio.create_task(ask(services, each)) for each in found.leaving}
    sent = await _record_answers(services, asking)
    back: list[tuple[Bot, tuple[Outcome, str | None]]] = [
        (bot, await recall.recall(services, bot)) for bot in found.recalled
    ]
    back += [(bot, await silence.ask_about(services, bot)) for bot in found.silent]
    seen = [
        Dispatched(tenant_id=tenant_id, bot_id=bot.id, outcome=outcome, fault=fault)
        for bot, (outcome, fault) in back
    ]
    return [*found.done, *sent, *seen]


async def _sort(services: Services, tenant_id: TenantId, held: Sequence[Held]) -> Sorted:
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        known = await bots.get_many(session, [each.bot_id for each in held], lock=True)
        ours = await bot_leases.still_held(session, held)
        dropped = [each for each in held if each.bot_id not in ours]
        await bot_leases.release(session, dropped)
        lapsed = await connections.lapsed(session, sorted(ours), now - GRACE)
        over = {
            bot_id: end for bot_id in ours if (end := _over(known[bot_id], bot_id in lapsed, now))
        }
        told = await _end_all(session, known, over, now)
        going = [each for each in held if each.bot_id in ours and each.bot_id not in over]
        leaving = await _write_orders(services, session, known, going)
        until = now + heartbeat.lasts(services, heartbeat.QUICK)
        await bot_leases.fire(session, [each.bot.id for each in leaving], now=now, until=until)
    ended: dict[BotId, Outcome] = {each.bot_id: "dropped" for each in dropped}
    ended |= {bot_id: end[0] for bot_id, end in over.items()}
    standing = [known[bot_id] for bot_id in sorted(ours)]
    return Sorted(
        leaving=leaving,
        recalled=tuple(bot for bot in standing if _may_be_out(bot, bot.id in over)),
        silent=tuple(bot for bot in standing if bot.status in _SENT),
        done=tuple(
            Dispatched(tenant_id=tenant_id, bot_id=bot_id, outcome=outcome)
            for bot_id, outcome in ended.items()
        ),
        told=told,
    )


def _may_be_out(bot: Bot, is_over: bool) -> bool:
    """Say whether a bot must be called back: given up after it left, or after it may have left."""
    return bot.status in FINAL or (is_over and bot.status == "dispatching")


End = tuple[Literal["missed", "cancelled"], str]


def _over(bot: Bot, is_lapsed: bool, now: datetime) -> End | None:
    """Say how a bot ends that has not left, or may not have: too late, or its people long gone."""
    if bot.status in _SENT or bot.status in FINAL:
        return None
    if now >= bot.end:
        return "missed", "ended"
    return ("cancelled", "needs_reauth") if is_lapsed else None


async def _end_all(
    session: TenantSession, known: Mapping[BotId, Bot], over: Mapping[BotId, End], now: datetime
) -> tuple[EndpointId, ...]:
    told: list[EndpointId] = []
    for bot_id, (status, reason) in over.items():
        bot = known[bot_id]
        recall_at = now if _may_be_out(bot, is_over=True) else None
        told += await aftermath.end(session, bot, now, status, reason, due_at=recall_at)
    return tuple(told)


async def _write_orders(
    services: Services,
    session: TenantSession,
    known: Mapping[BotId, Bot],
    going: Sequence[Held],
) -> tuple[Leaving, ...]:
    """Write orders; of one that may have left already, keep to that which left."""
    scene = await scene_of(services, session, known.values())
    leaving = tuple(
        Leaving(bot=bot, held=each, order=_order(bot, scene))
        for each in going
        if (bot := known[each.bot_id]).status in ("scheduled", "dispatching")
    )
    await bot_leases.write_orders(session, {each.bot.id: with_order(each) for each in leaving})
    return leaving


def _order(bot: Bot, scene: Scene) -> Order:
    asked = bot.content.order if bot.status == "dispatching" else None
    return asked or order_of(bot, scene)


async def _record_answers(
    services: Services, asking: set[asyncio.Task[Answer]]
) -> list[Dispatched]:
    """Record what the fleet answers, together.

    Who has not answered after a moment is recorded later; until all orders are out, nothing else
    shall take the processor from them.
    """
    sent: list[Dispatched] = []
    trouble: list[BaseException] = []
    try:
        while asking:
            answered, asking = await asyncio.wait(asking, timeout=_MOMENT)
            trouble += [error for task in answered if (error := task.exception())]
            answers = [task.result() for task in answered if task.exception() is None]
            trouble += await _record_all(services, answers)
            sent += [_dispatched(answer) for answer in answers]
    finally:
        for task in asking:
            task.cancel()
    if trouble:
        raise trouble[0]
    return sent


async def _record_all(services: Services, answers: Sequence[Answer]) -> list[BaseException]:
    """Record answers, each tenant's in one transaction; returns what went wrong."""
    by_tenant: dict[TenantId, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_tenant[answer.bot.tenant_id].append(answer)
    places = asyncio.Semaphore(_TENANTS_AT_ONCE)

    async def record(tenant_id: TenantId, theirs: Sequence[Answer]) -> None:
        async with places:
            await aftermath.record(services, tenant_id, theirs)

    writing = [record(tenant_id, theirs) for tenant_id, theirs in by_tenant.items()]
    found = await asyncio.gather(*writing, return_exceptions=True)
    return [error for error in found if error is not None]


def _dispatched(answer: Answer) -> Dispatched:
    return Dispatched(
        tenant_id=answer.bot.tenant_id,
        bot_id=answer.bot.id,
        outcome=answer.outcome,
        late=answer.late,
        fault=answer.fault,
    )


async def _all_of(*work: Awaitable[list[T]]) -> list[list[T]]:
    """Run all of it to its end; then raise the first trouble, or return what each returned."""
    found = await asyncio.gather(*work, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if not isinstance(each, BaseException)]


__all__ = ["Departing", "Dispatched", "Held", "fire", "hold", "keep", "let_go", "new_lease"]
