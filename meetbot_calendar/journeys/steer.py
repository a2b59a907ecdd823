"""A person takes the wheel: bots cancelled and changed by hand, which no rule or sync undoes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from meetbot_calendar.bots.model import FINAL, OUT, Bot, BotId
from meetbot_calendar.bots.planning import served_until
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.deliveries.payloads import BotMessage
from meetbot_calendar.errors import Conflict, Fault, Invalid, Missing
from meetbot_calendar.journeys import aftermath, by_hand, decide, plan
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_lists, bots, decisions, events
from meetbot_calendar.storage.events import EventRow
from tenants.identity import TenantContext
from tenants.storage.session import TenantSession

_LATEST = timedelta(days=28)


class BotPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a person changes of a scheduled bot; None leaves a field as it is.

    ``bot_config`` takes the place of what was set by hand before, ``settings`` is laid over it.
    """

    join_at: datetime | None = None
    bot_config: dict[str, Any] | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


async def cancel_bot(services: Services, context: TenantContext, bot_id: BotId) -> Bot:
    """Cancel a bot for good: a person's no for every event that wanted it; one that is out returns.

    Where the caller is one person, it is a no for that person's events alone: a bot that others
    want stays for them. Cancelling a cancelled bot changes nothing. Returns the bot as it then
    stands for the caller. Raises ``Conflict`` for one that has ended.
    """
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        seen = await _seen(session, context, bot_id)
        bot, mine = await _locked(session, seen)
        if bot.status == "cancelled":
            return seen
        if bot.status in FINAL:
            raise Conflict(f"the bot is {bot.status} already", code="bot_ended")
        told = await _let_go(services, session, context, bot, mine)
        after = await bot_lists.one(session, bot_id, context.user_id)
    await ring_deliveries(services, context.tenant_id, told)
    if bot.status in OUT:
        await services.wakeups.ring("dispatch", context.tenant_id, bot.id)
    return after or msgspec.structs.replace(seen, status="cancelled", reason="manual")


async def _seen(session: TenantSession, context: TenantContext, bot_id: BotId) -> Bot:
    """Return a bot as the caller sees it. Raises ``Missing``."""
    bot = await bot_lists.one(session, bot_id, context.user_id)
    if bot is None:
        raise Missing("there is no such bot")
    return bot


async def _locked(session: TenantSession, seen: Bot) -> tuple[Bot, tuple[EventRow, ...]]:
    """Lock a bot that a caller sees; return all of it, and the caller's events in its meeting.

    The meeting's other bots are locked with it, in order, as by everybody who locks several.
    """
    mine = await by_hand.copies(session, await events.of_meetings(session, seen.event_ids))
    await by_hand.bots_of(session, mine)
    return await bots.get(session, seen.id, lock=True) or seen, mine


async def _let_go(
    services: Services,
    session: TenantSession,
    context: TenantContext,
    bot: Bot,
    mine: Sequence[EventRow],
) -> tuple[EndpointId, ...]:
    """Say no for the caller's events; where nobody else wants the bot, it is stopped for good."""
    now = services.clock.now()
    is_alone = {row.event.id for row in mine} >= set(bot.event_ids)
    news = [await _stop(session, bot, now)] if is_alone else []
    told = await _say_no(services, session, context, mine, now)
    await bots.stop(session, await _cancelled(session, bot.id))
    return told + await aftermath.tell(session, news, now)


async def _stop(session: TenantSession, bot: Bot, now: datetime) -> tuple[BotMessage, Bot]:
    after = msgspec.structs.replace(
        bot,
        status="cancelled",
        reason="manual",
        stopped_by="person",
        generation=bot.generation + 1,
        updated_at=now,
    )
    await bots.replan(session, {bot.id: (after, now if bot.status in OUT else None)})
    return "bot.cancelled", after


async def _say_no(
    services: Services,
    session: TenantSession,
    context: TenantContext,
    mine: Sequence[EventRow],
    now: datetime,
) -> tuple[EndpointId, ...]:
    """Remember a no for each of these events, and decide them by it."""
    at = await by_hand.after_all(session, mine, [], now)
    for row in mine:
        no = decisions.Override(
            event_id=row.event.id, action="skip", actor=context.actor, created_at=at
        )
        await decisions.save_override(session, no)
    return await decide.settle_all(services, session, mine, now)


async def _cancelled(session: TenantSession, bot_id: BotId) -> list[BotId]:
    """Name the bot where it is not sent to anybody now: others may have ceased to want it too."""
    bot = await bots.get(session, bot_id)
    return [bot_id] if bot is not None and bot.status == "cancelled" else []


async def patch_bot(
    services: Services, context: TenantContext, bot_id: BotId, patch: BotPatch
) -> Bot:
    """Change when a scheduled bot joins, or its settings; both stay through syncs."""
    now = services.clock.now()
    told: tuple[EndpointId, ...] = ()
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        seen = await _seen(session, context, bot_id)
        bot = await bots.get(session, bot_id, lock=True) or seen
        if bot.status != "scheduled":
            raise Conflict(
                f"the bot is {bot.status}: only a scheduled one can be changed",
                code="bot_not_scheduled",
            )
        after = _patched(bot, patch, now)
        await bots.replan(session, {bot.id: (after, after.join_at)})
        if after.join_at != bot.join_at:
            told = await aftermath.tell(session, [("bot.rescheduled", after)], now)
        seen = await _seen(session, context, bot_id)
    await ring_deliveries(services, context.tenant_id, told)
    return seen


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
        end=served_until(bot.end, join_at),
        generation=bot.generation + (join_at != bot.join_at),
        updated_at=now,
    )


def _check_join_at(join_at: datetime, bot: Bot, now: datetime) -> None:
    latest = bot.start + _LATEST
    if now < join_at < latest:
        return
    when = "lies in the past" if join_at <= now else f"is not before {latest:%Y-%m-%dT%H:%M:%SZ}"
    raise Invalid(
        f"join_at {when}: choose an instant after now and near the meeting",
        (Fault("/join_at", when),),
        code="join_at_out_of_range",
    )
