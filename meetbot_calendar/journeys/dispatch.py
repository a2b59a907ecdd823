"""Start a bot at its instant, follow it up, and call it back where it must not be."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.bots.model import Bot, BotId
from meetbot_calendar.deliveries import payloads
from meetbot_calendar.deliveries.model import DeliveryId
from meetbot_calendar.deliveries.payloads import BotMessage
from meetbot_calendar.errors import GiveUp, InstallationFault, OutcomeUnknown, TryLater
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots, connections, messages
from meetbot_calendar.storage.bots import Held
from tenants.identity import TenantId, new_id
from tenants.storage import directory, users
from tenants.storage.session import TenantSession

_HOLD = 30.0  # seconds a held bot stays ours before it leaves
_TALK = 25.0  # seconds a send may take before another worker asks what became of it
_AGAIN = timedelta(seconds=10)
_ALARM = timedelta(seconds=60)
_SILENT = timedelta(hours=1)
_GRACE = timedelta(hours=24)

Outcome = Literal["dispatched", "recalled", "dropped", "later", "failed", "missed", "asked"]


class Dispatched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one due bot. ``late`` is how long after its instant the order left."""

    bot_id: BotId
    outcome: Outcome
    late: timedelta | None = None


async def hold(
    services: Services, tenant_id: TenantId, bot_ids: list[BotId], ahead: timedelta
) -> tuple[Held, ...]:
    """Take bots that are due within ``ahead``; each must be fired at its instant, or let go."""
    now = services.clock.now()
    until = now + ahead + services.clock.patience(_HOLD)
    async with services.database.tenant(tenant_id) as session:
        return await bots.hold(
            session,
            bot_ids,
            lease_id=new_id("lea", now),
            now=now,
            until=until,
            horizon=now + ahead,
        )


async def fire(services: Services, tenant_id: TenantId, held: Held) -> Dispatched:
    """Do what is due for a held bot, reading the truth as it stands at this instant."""
    now = services.clock.now()
    order: Order | None = None
    told: tuple[DeliveryId, ...] = ()
    async with services.database.tenant(tenant_id) as session:
        bot = await bots.get(session, held.bot_id, lock=True)
        if bot is None or bot.generation != held.generation:
            await bots.release(session, held)
            return Dispatched(bot_id=held.bot_id, outcome="dropped")
        over = _over(bot, now)
        if over is not None:
            told = await _end(session, bot, now, "missed", over)
        elif bot.status != "cancelled" and await connections.all_lapsed(
            session, bot.id, now - _GRACE
        ):
            told = await _end(session, bot, now, "cancelled", "needs_reauth")
        else:
            order = await _order(services, session, bot)
            if bot.status != "cancelled":
                until = now + services.clock.patience(_TALK)
                await bots.fire(session, held, now=now, until=until)
    if order is None:
        return await _told(services, tenant_id, bot, told, "missed")
    if bot.status == "cancelled":
        return await _recall(services, tenant_id, bot, order)
    return await _send(services, tenant_id, bot, held, order)


def _over(bot: Bot, now: datetime) -> str | None:
    """Say why a bot is to be closed: it is too late to leave, or the fleet has fallen silent."""
    if bot.status in ("dispatched", "joined"):
        return "no_report"
    return "ended" if bot.status != "cancelled" and now >= bot.end else None


async def _told(
    services: Services,
    tenant_id: TenantId,
    bot: Bot,
    told: tuple[DeliveryId, ...],
    outcome: Outcome,
) -> Dispatched:
    await ring_deliveries(services, tenant_id, told)
    return Dispatched(bot_id=bot.id, outcome=outcome)


async def _end(
    session: TenantSession,
    bot: Bot,
    now: datetime,
    status: Literal["missed", "cancelled", "failed"],
    reason: str,
) -> tuple[DeliveryId, ...]:
    values = {"status": status, "reason": reason, "due_at": None}
    await bots.record(session, bot.id, values, now)
    after = msgspec.structs.replace(bot, status=status, reason=reason)
    told: dict[str, BotMessage] = {
        "missed": "bot.missed",
        "cancelled": "bot.cancelled",
        "failed": "bot.failed",
    }
    return await tell(session, told[status], after, now)


async def _order(services: Services, session: TenantSession, bot: Bot) -> Order:
    tenant = await directory.get(session)
    user = await users.get(session, bot.user_ids[0]) if bot.user_ids else None
    return Order(
        key=bot.id,
        bot_id=bot.id,
        tenant_id=bot.tenant_id,
        meeting_url=bot.content.meeting_url,
        platform=bot.platform,
        join_at=bot.join_at,
        bot_config=layered(
            tenant.policy.default_bot_config,
            user.bot_config if user else {},
            bot.content.bot_config,
            bot.content.hand_config,
        ),
        metadata={
            "event_id": next(iter(bot.event_ids), None),
            "ical_uid": bot.content.ical_uid,
            "title": bot.content.title,
            "meetbot_calendar_user_id": user.id if user else None,
            "customer_user_id": user.customer_user_id if user else None,
        },
        callback_url=f"{services.house.public_url}/v1/bots/{bot.id}/status",
    )


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay bot settings over one another; the later key wins."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
    return merged


async def _send(
    services: Services, tenant_id: TenantId, bot: Bot, held: Held, order: Order
) -> Dispatched:
    """Talk to the fleet and record what it said; a send of unknown outcome is asked about first."""
    late = services.clock.now() - held.due_at
    try:
        known = await services.fleet.find(order) if bot.status == "dispatching" else None
        fleet_bot_id = known or await services.fleet.send(order)
    except OutcomeUnknown:
        return await _again(services, tenant_id, bot, "dispatching", _AGAIN)
    except TryLater as busy:
        return await _again(services, tenant_id, bot, "scheduled", busy.after or _AGAIN)
    except InstallationFault:
        return await _again(services, tenant_id, bot, "scheduled", _ALARM)
    except GiveUp as refusal:
        return await _failed(services, tenant_id, bot, refusal)
    return await _accepted(services, tenant_id, bot, fleet_bot_id, late)


async def _accepted(
    services: Services, tenant_id: TenantId, bot: Bot, fleet_bot_id: str, late: timedelta
) -> Dispatched:
    """Record a bot that is on its way; one whose plan changed while we talked is called back."""
    now = services.clock.now()
    told: tuple[DeliveryId, ...] = ()
    async with services.database.tenant(tenant_id) as session:
        stands = await bots.get(session, bot.id, lock=True)
        if stands is None or stands.status in ("cancelled", "scheduled"):
            values: dict[str, Any] = {"recall_fleet_bot_id": fleet_bot_id, "due_at": now}
        elif stands.status == "dispatching":
            values = left(stands, now) | {"fleet_bot_id": fleet_bot_id}
            after = msgspec.structs.replace(stands, status="dispatched", dispatched_at=now)
            told = await tell(session, "bot.dispatched", after, now)
        else:  # the fleet's report overtook its answer
            values = {"fleet_bot_id": fleet_bot_id}
        await bots.record(session, bot.id, values, now)
    await ring_deliveries(services, tenant_id, told)
    return Dispatched(bot_id=bot.id, outcome="dispatched", late=late)


def left(bot: Bot, now: datetime) -> dict[str, Any]:
    """Say what is written of a bot that has left; it is looked at again if it falls silent."""
    return {"status": "dispatched", "dispatched_at": now, "due_at": bot.end + _SILENT}


async def _again(
    services: Services,
    tenant_id: TenantId,
    bot: Bot,
    status: Literal["scheduled", "dispatching"],
    after: timedelta,
) -> Dispatched:
    """Try again while the meeting lasts."""
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        stands = await bots.get(session, bot.id, lock=True)
        if stands is not None and stands.status == "dispatching":
            values: dict[str, Any] = {"status": status, "due_at": min(now + after, bot.end)}
            await bots.record(session, bot.id, values, now)
        elif stands is not None and stands.status == "cancelled":
            await bots.record(session, bot.id, _asked_later(status, now + after), now)
    return Dispatched(bot_id=bot.id, outcome="later")


def _asked_later(status: str, at: datetime) -> dict[str, Any]:
    """Say when to call back a bot that was given up meanwhile: never, if it did not leave."""
    return {"due_at": at if status == "dispatching" else None}


async def _failed(services: Services, tenant_id: TenantId, bot: Bot, refusal: GiveUp) -> Dispatched:
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        stands = await bots.get(session, bot.id, lock=True)
        if stands is None or stands.status != "dispatching":
            return Dispatched(bot_id=bot.id, outcome="dropped")
        told = await _end(session, stands, now, "failed", refusal.code)
    return await _told(services, tenant_id, bot, told, "failed")


async def _recall(services: Services, tenant_id: TenantId, bot: Bot, order: Order) -> Dispatched:
    """Call back a bot that left, or may have left, before its plan was given up."""
    async with services.database.tenant(tenant_id) as session:
        out = await bots.recall_of(session, bot.id) or bot.fleet_bot_id
    try:
        out = out or await services.fleet.find(order)
        if out is not None:
            await services.fleet.recall(out)
    except (TryLater, InstallationFault) as trouble:
        after = trouble.after if isinstance(trouble, TryLater) else None
        await _close(services, tenant_id, bot, again=after or _AGAIN)
        return Dispatched(bot_id=bot.id, outcome="later")
    except GiveUp:
        await _close(services, tenant_id, bot, again=None)
        return Dispatched(bot_id=bot.id, outcome="failed")
    await _close(services, tenant_id, bot, again=None)
    return Dispatched(bot_id=bot.id, outcome="recalled")


async def _close(
    services: Services, tenant_id: TenantId, bot: Bot, again: timedelta | None
) -> None:
    now = services.clock.now()
    due_at = None if again is None or now >= bot.end else now + again
    values: dict[str, Any] = {"due_at": due_at}
    if due_at is None:
        values["recall_fleet_bot_id"] = None
    async with services.database.tenant(tenant_id) as session:
        await bots.record(session, bot.id, values, now)


async def tell(
    session: TenantSession, kind: BotMessage, bot: Bot, now: datetime
) -> tuple[DeliveryId, ...]:
    """Write one message about a bot; returns the deliveries to ring for."""
    customer = await users.customer_id(session, bot.user_ids[0]) if bot.user_ids else None
    body = payloads.bot_payload(kind, bot, customer, now)
    return await messages.write(session, now, [messages.Draft(type=kind, body=body, bot_id=bot.id)])


__all__ = ["Dispatched", "Held", "fire", "hold", "layered", "left", "tell"]
