"""Start bots at their instant: held ahead, re-read as they leave, asked of the fleet at once.

Bots that leave at the same instant are read together and recorded as their answers come in, so
that the top of the hour costs a few statements and not a few for each bot.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.bots.model import Bot, BotId
from meetbot_calendar.deliveries.model import DeliveryId
from meetbot_calendar.errors import GiveUp, InstallationFault, OutcomeUnknown, TryLater
from meetbot_calendar.journeys import aftermath, finding, recall
from meetbot_calendar.journeys.aftermath import Answer
from meetbot_calendar.journeys.orders import Scene, order_of, scene_of
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_leases, bots, connections
from meetbot_calendar.storage.bot_leases import Held
from tenants.identity import TenantId, new_id
from tenants.storage.session import TenantSession

_HOLD = 2.0  # seconds past its instant after which another worker may take a held bot
_TALK = 20.0  # seconds a send may take before another worker asks what became of it
_MOMENT = 0.5  # seconds that a record waits for more answers to join it
_AGAIN = timedelta(seconds=10)
_ALARM = timedelta(seconds=60)
_GRACE = timedelta(hours=24)

Outcome = Literal["dispatched", "recalled", "dropped", "later", "failed", "missed", "cancelled"]


class Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one due bot. ``late`` is how long after its instant the order left."""

    bot_id: BotId
    outcome: Outcome
    late: timedelta | None = None


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """One bot that leaves now, and what it was held for."""

    bot: Bot
    order: Order
    held: Held


class Sorted(msgspec.Struct, frozen=True, kw_only=True):
    """Held bots by what is to be done with them."""

    leaving: tuple[Leaving, ...]
    recalled: tuple[Bot, ...]
    done: tuple[Dispatched, ...]
    told: tuple[DeliveryId, ...]


async def hold(
    services: Services, tenant_id: TenantId, bot_ids: Sequence[BotId], ahead: timedelta
) -> tuple[Held, ...]:
    """Take bots that are due within ``ahead``; each must be fired at its instant, or let go."""
    now = services.clock.now()
    until = now + ahead + services.clock.patience(_HOLD)
    async with services.database.tenant(tenant_id) as session:
        return await bot_leases.hold(
            session,
            bot_ids,
            lease_id=new_id("lea", now),
            now=now,
            until=until,
            horizon=now + ahead,
        )


async def fire(
    services: Services, tenant_id: TenantId, held: Sequence[Held]
) -> tuple[Dispatched, ...]:
    """Do what is due for held bots, reading the truth as it stands at this instant."""
    found = await _sort(services, tenant_id, held)
    await ring_deliveries(services, tenant_id, found.told)
    sent = await _send_all(services, tenant_id, found.leaving)
    back = [
        Dispatched(bot_id=bot.id, outcome=await recall.recall(services, bot))
        for bot in found.recalled
    ]
    return (*found.done, *sent, *back)


async def _sort(services: Services, tenant_id: TenantId, held: Sequence[Held]) -> Sorted:
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        known = await bots.get_many(session, [each.bot_id for each in held], lock=True)
        ours = await bot_leases.still_held(session, held)
        standing = [each for each in held if each.bot_id in ours]
        for each in held:
            if each not in standing:
                await bot_leases.release(session, each)
        ids = [each.bot_id for each in standing]
        lapsed = await connections.lapsed(session, ids, now - _GRACE)
        over = {
            bot_id: end for bot_id in ids if (end := _over(known[bot_id], bot_id in lapsed, now))
        }
        told = [
            delivery
            for bot_id, (status, reason) in over.items()
            for delivery in await aftermath.end(session, known[bot_id], now, status, reason)
        ]
        going = [each for each in standing if each.bot_id not in over]
        scene = await scene_of(services, session, known.values())
        leaving = tuple(
            _leaving(bot, each, scene)
            for each in going
            if (bot := known[each.bot_id]).status != "cancelled"
        )
        await _mark_leaving(services, session, leaving, now)
    dropped = [Dispatched(bot_id=e.bot_id, outcome="dropped") for e in held if e not in standing]
    ended = [Dispatched(bot_id=bot_id, outcome=end[0]) for bot_id, end in over.items()]
    return Sorted(
        leaving=leaving,
        recalled=tuple(b for e in going if (b := known[e.bot_id]).status == "cancelled"),
        done=(*dropped, *ended),
        told=tuple(told),
    )


def _over(
    bot: Bot, is_lapsed: bool, now: datetime
) -> tuple[Literal["missed", "cancelled"], str] | None:
    """Say how a bot ends without leaving: too late, fallen silent, or its people long gone."""
    if bot.status in ("dispatched", "joined"):
        return "missed", "no_report"
    if bot.status == "cancelled":
        return None
    if now >= bot.end:
        return "missed", "ended"
    return ("cancelled", "needs_reauth") if is_lapsed else None


def _leaving(bot: Bot, held: Held, scene: Scene) -> Leaving:
    """Write the order; one that may have left already is asked about exactly as it left."""
    asked = bot.content.order if bot.status == "dispatching" else None
    return Leaving(bot=bot, held=held, order=asked or order_of(bot, scene))


async def _mark_leaving(
    services: Services, session: TenantSession, leaving: Collection[Leaving], now: datetime
) -> None:
    until = now + services.clock.patience(_TALK)
    said = {
        each.bot.id: msgspec.structs.replace(each.bot.content, order=each.order) for each in leaving
    }
    await bot_leases.fire(session, said, now=now, until=until)


async def _send_all(
    services: Services, tenant_id: TenantId, leaving: Sequence[Leaving]
) -> list[Dispatched]:
    """Ask the fleet for all at once, and record the answers together.

    Who has not answered after a moment is recorded later; until all orders are out, nothing else
    shall take the processor from them.
    """
    asking = {asyncio.create_task(_ask(services, each)) for each in leaving}
    sent: list[Dispatched] = []
    try:
        while asking:
            answered, asking = await asyncio.wait(asking, timeout=_MOMENT)
            answers = [task.result() for task in answered]
            if answers:
                await aftermath.record(services, tenant_id, answers)
            sent += [
                Dispatched(bot_id=answer.bot.id, outcome=answer.outcome, late=answer.late)
                for answer in answers
            ]
    finally:
        for task in asking:
            task.cancel()
    return sent


async def _ask(services: Services, leaving: Leaving) -> Answer:
    """Talk to the fleet about one bot. A send of unknown outcome is asked about first."""
    bot, order = leaving.bot, leaving.order
    late = services.clock.now() - leaving.held.due_at
    asked = bot.status == "dispatching"
    try:
        known = await finding.find(services, order) if asked else None
    except (TryLater, InstallationFault) as trouble:  # it may be out there all the same
        return _later(bot, trouble, "dispatching")
    except GiveUp as refusal:
        return Answer(bot=bot, outcome="failed", status="failed", reason=refusal.code)
    return _out(bot, known, late) if known else await _send(services, leaving, late)


async def _send(services: Services, leaving: Leaving, late: timedelta) -> Answer:
    bot = leaving.bot
    try:
        return _out(bot, await services.fleet.send(leaving.order), late)
    except OutcomeUnknown as silence:
        return _later(bot, silence, "dispatching")
    except (TryLater, InstallationFault) as trouble:
        return _later(bot, trouble, "scheduled")
    except GiveUp as refusal:
        return Answer(bot=bot, outcome="failed", status="failed", reason=refusal.code)


def _out(bot: Bot, fleet_bot_id: str, late: timedelta) -> Answer:
    return Answer(
        bot=bot, outcome="dispatched", status="dispatched", fleet_bot_id=fleet_bot_id, late=late
    )


def _later(
    bot: Bot, trouble: TryLater | InstallationFault, status: Literal["dispatching", "scheduled"]
) -> Answer:
    """Say when to try again; a bot that stays ``dispatching`` is asked about before it is sent."""
    wait = _ALARM if isinstance(trouble, InstallationFault) else trouble.after
    return Answer(bot=bot, outcome="later", status=status, after=wait or _AGAIN)


__all__ = ["Dispatched", "Held", "fire", "hold"]
