"""A person takes the wheel: bots cancelled and changed by hand, which no rule or sync undoes."""

from datetime import datetime
from typing import Any

import msgspec

from meetbot_calendar.bots.model import FINAL, OUT, Bot, BotId
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import Conflict, Fault, Invalid, Missing
from meetbot_calendar.journeys import aftermath
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots, decisions
from tenants.identity import TenantContext
from tenants.storage.session import TenantSession


class BotPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a person changes of a scheduled bot; None leaves a field as it is.

    ``bot_config`` takes the place of what was set by hand before, ``settings`` is laid over it.
    """

    join_at: datetime | None = None
    bot_config: dict[str, Any] | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


async def cancel_bot(services: Services, context: TenantContext, bot_id: BotId) -> Bot:
    """Cancel a bot for good: a person's no for every event that wanted it; one that is out returns.

    Cancelling a cancelled bot changes nothing. Raises ``Conflict`` for one that has ended.
    """
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        bot = await _mine(session, context, bot_id)
        if bot.status == "cancelled":
            return bot
        if bot.status in FINAL:
            raise Conflict(f"the bot is {bot.status} already", code="bot_ended")
        after = msgspec.structs.replace(
            bot,
            status="cancelled",
            reason="manual",
            stopped_by="person",
            generation=bot.generation + 1,
            updated_at=now,
        )
        await bots.replan(session, {bot.id: (after, now if bot.status in OUT else None)})
        for event_id in bot.event_ids:
            no = decisions.Override(
                event_id=event_id, action="skip", actor=context.actor, created_at=now
            )
            await decisions.save_override(session, no)
        told = await aftermath.tell(session, [("bot.cancelled", after)], now)
    await ring_deliveries(services, context.tenant_id, told)
    if bot.status in OUT:
        await services.wakeups.ring("dispatch", context.tenant_id, bot.id)
    return after


async def patch_bot(
    services: Services, context: TenantContext, bot_id: BotId, patch: BotPatch
) -> Bot:
    """Change when a scheduled bot joins, or its settings; both stay through syncs."""
    now = services.clock.now()
    told: tuple[EndpointId, ...] = ()
    async with services.database.tenant(context.tenant_id) as session:
        bot = await _mine(session, context, bot_id)
        if bot.status != "scheduled":
            raise Conflict(
                f"the bot is {bot.status}: only a scheduled one can be changed",
                code="bot_not_scheduled",
            )
        after = _patched(bot, patch, now)
        await bots.replan(session, {bot.id: (after, after.join_at)})
        if after.join_at != bot.join_at:
            told = await aftermath.tell(session, [("bot.rescheduled", after)], now)
    await ring_deliveries(services, context.tenant_id, told)
    return after


def _patched(bot: Bot, patch: BotPatch, now: datetime) -> Bot:
    content = bot.content
    join_at = bot.join_at
    if patch.bot_config is not None:
        content = msgspec.structs.replace(content, hand_config=patch.bot_config)
    if patch.settings:
        settings = content.hand_config | patch.settings
        content = msgspec.structs.replace(content, hand_config=settings)
    if patch.join_at is not None:
        _check_join_at(patch.join_at, bot, now)
        join_at = patch.join_at
        lead = (bot.start - join_at).total_seconds()
        content = msgspec.structs.replace(content, hand_lead_seconds=lead)
    return msgspec.structs.replace(
        bot,
        content=content,
        join_at=join_at,
        generation=bot.generation + (join_at != bot.join_at),
        updated_at=now,
    )


def _check_join_at(join_at: datetime, bot: Bot, now: datetime) -> None:
    if now < join_at < bot.end:
        return
    when = "lies in the past" if join_at <= now else "is not before the meeting's end"
    raise Invalid(
        f"join_at {when}: choose an instant after now and before the meeting's end",
        (Fault("/join_at", when),),
        code="join_at_out_of_range",
    )


async def _mine(session: TenantSession, context: TenantContext, bot_id: BotId) -> Bot:
    bot = await bots.get(session, bot_id, lock=True)
    if bot is None or (context.user_id is not None and context.user_id not in bot.user_ids):
        raise Missing("there is no such bot")
    return bot
