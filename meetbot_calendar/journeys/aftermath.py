"""Record what the fleet answered: on its way, try again, failed; and tell the tenant."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from meetbot_calendar.bots.model import Bot, BotId
from meetbot_calendar.deliveries import payloads
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.deliveries.payloads import BotMessage
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots, messages
from meetbot_calendar.storage.messages import Draft
from tenants.identity import TenantId
from tenants.storage import users
from tenants.storage.session import TenantSession

_SILENT = timedelta(hours=1)
_TOLD: dict[str, BotMessage] = {
    "dispatched": "bot.dispatched",
    "missed": "bot.missed",
    "cancelled": "bot.cancelled",
    "failed": "bot.failed",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet said of one bot, and the state that it leads to."""

    bot: Bot
    outcome: Literal["dispatched", "later", "failed"]
    status: Literal["dispatched", "dispatching", "scheduled", "failed"]
    after: timedelta = timedelta(0)
    fleet_bot_id: str | None = None
    reason: str | None = None
    late: timedelta | None = None
    fault: str | None = None


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row to write, and the bot as it stands then if the tenant is to be told."""

    values: dict[str, Any]
    told: Bot | None = None


async def record(services: Services, tenant_id: TenantId, answers: Sequence[Answer]) -> None:
    """Write what the fleet answered, all of it in one transaction, and ring."""
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        standing = await bots.get_many(session, [answer.bot.id for answer in answers], lock=True)
        alike: dict[tuple[str, ...], dict[BotId, dict[str, Any]]] = {}
        changed: list[Bot] = []
        for answer in answers:
            change = _change(answer, standing.get(answer.bot.id), now)
            alike.setdefault(tuple(change.values), {})[answer.bot.id] = change.values
            changed += [change.told] if change.told is not None else []
        for values in alike.values():
            await bots.record_many(session, values, now)
        told = await tell(session, [(_TOLD[bot.status], bot) for bot in changed], now)
    await ring_deliveries(services, tenant_id, told)


def _change(answer: Answer, stands: Bot | None, now: datetime) -> _Change:
    """Say what an answer changes of a bot as it stands now: much may have happened meanwhile."""
    if stands is None or stands.status == "cancelled":
        return _Change(values=_given_up(answer, now))
    if stands.status != "dispatching":  # the fleet's report overtook its answer
        return _Change(values={"fleet_bot_id": answer.fleet_bot_id or stands.fleet_bot_id})
    if answer.status == "dispatched":
        after = msgspec.structs.replace(stands, status="dispatched", dispatched_at=now)
        return _Change(values=left(stands, now) | {"fleet_bot_id": answer.fleet_bot_id}, told=after)
    if answer.status == "failed":
        reason = answer.reason or "failed"
        after = msgspec.structs.replace(stands, status="failed", reason=reason)
        return _Change(values={"status": "failed", "reason": reason, "due_at": None}, told=after)
    again = min(now + answer.after, stands.end)
    return _Change(values={"status": answer.status, "due_at": again})


def _given_up(answer: Answer, now: datetime) -> dict[str, Any]:
    """Call back a bot that was given up while we talked: at once, or once it can be asked about."""
    if answer.fleet_bot_id is not None:
        return {"recall_fleet_bot_id": answer.fleet_bot_id, "due_at": now}
    return {"due_at": now + answer.after if answer.status == "dispatching" else None}


def left(bot: Bot, now: datetime) -> dict[str, Any]:
    """Say what is written of a bot that has left; it is looked at again if it falls silent."""
    due_at = asked_about_at(bot.end)
    return {"status": "dispatched", "dispatched_at": now, "due_at": due_at}


def asked_about_at(end: datetime) -> datetime:
    """Say when a bot is asked about that has not reported the end of its meeting."""
    return end + _SILENT


async def end(
    session: TenantSession,
    bot: Bot,
    now: datetime,
    status: Literal["missed", "cancelled"],
    reason: str,
    *,
    due_at: datetime | None = None,
) -> tuple[EndpointId, ...]:
    """Close a bot that never left, or fell silent; ``due_at``: when it must be called back."""
    values = {"status": status, "reason": reason, "due_at": due_at}
    await bots.record(session, bot.id, values, now)
    after = msgspec.structs.replace(bot, status=status, reason=reason)
    return await tell(session, [(_TOLD[status], after)], now)


async def tell(
    session: TenantSession, news: Sequence[tuple[BotMessage, Bot]], now: datetime
) -> tuple[EndpointId, ...]:
    """Write messages about bots; returns the deliveries to ring for. Call it last."""
    if not news:
        return ()
    people = await users.some(session, {bot.user_ids[0] for _, bot in news if bot.user_ids})
    drafts = []
    for kind, bot in news:
        user = people.get(bot.user_ids[0]) if bot.user_ids else None
        customer = user.customer_user_id if user else None
        body = payloads.bot_payload(kind, bot, customer, now)
        drafts.append(Draft(type=kind, body=body, bot_id=bot.id))
    return await messages.write(session, now, drafts)
