"""Take bots seconds before they leave, and write their orders then: at the instant none is read."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.bots.model import Bot, BotContent, BotId
from meetbot_calendar.journeys.orders import order_of, scene_of
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_leases, bots, connections
from meetbot_calendar.storage.bot_leases import Held
from tenants.identity import TenantId, new_id
from tenants.storage.session import TenantSession

GRACE = timedelta(hours=24)  # how long bots of who must reconnect go on leaving
_SPARE = 1.0  # seconds past its instant after which another worker may take a held bot
_UNKEPT = 2.5  # seconds after which it may where the holder no longer says that it lives


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """One bot and what the fleet is asked for."""

    bot: Bot
    order: Order
    held: Held


class Departing(msgspec.Struct, frozen=True, kw_only=True):
    """One bot in our hands. Without ``leaving`` it must be read in full when its instant comes."""

    held: Held
    leaving: Leaving | None = None


async def hold(
    services: Services,
    tenant_id: TenantId,
    bot_ids: Sequence[BotId],
    ahead: timedelta,
    lease_id: str | None = None,
) -> tuple[Departing, ...]:
    """Take bots that are due within ``ahead``; each must be fired at its instant, or let go.

    What is taken at one time, of several tenants, may be under one lease.
    """
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        held = await bot_leases.hold(
            session,
            bot_ids,
            lease_id=lease_id or new_lease(services),
            now=now,
            grace=services.clock.patience(_SPARE),
            until=now + services.clock.patience(_UNKEPT),
            horizon=now + ahead,
        )
        ready = await _prepare(services, session, held, now)
    return tuple(Departing(held=each, leaving=ready.get(each.bot_id)) for each in held)


async def keep(services: Services, departing: Sequence[Departing]) -> None:
    """Say that we live and go on holding bots: else another worker takes them before they leave."""
    held = [each.held for each in departing]
    if not held:
        return
    now, clock = services.clock.now(), services.clock
    async with services.database.holder({each.lease_id for each in held}) as session:
        await bot_leases.keep(
            session,
            held,
            now=now,
            grace=clock.patience(_SPARE),
            until=now + clock.patience(_UNKEPT),
        )


async def let_go(services: Services, departing: Sequence[Departing]) -> None:
    """Give back bots that we hold and shall not fire: another worker may take them at once."""
    held = [each.held for each in departing]
    async with services.database.holder({each.lease_id for each in held}) as session:
        await bot_leases.prolong(session, held, services.clock.now())


def new_lease(services: Services) -> str:
    """Name a lease that nobody else can guess."""
    return new_id("lea", services.clock.now())


async def _prepare(
    services: Services, session: TenantSession, held: Sequence[Held], now: datetime
) -> dict[BotId, Leaving]:
    """Write the orders of those that only have to leave, and keep them with their bots.

    Whatever changes a plan, or what an order is written from, takes the bot out of our hands.
    """
    known = await bots.get_many(session, [each.bot_id for each in held])
    lapsed = await connections.lapsed(session, list(known), now - GRACE)
    going = [
        each
        for each in held
        if known[each.bot_id].status == "scheduled" and each.bot_id not in lapsed
    ]
    if not going:
        return {}
    scene = await scene_of(services, session, known.values())
    ready = {
        each.bot_id: Leaving(
            bot=known[each.bot_id], order=order_of(known[each.bot_id], scene), held=each
        )
        for each in going
    }
    await bot_leases.write_orders(session, {b: with_order(each) for b, each in ready.items()})
    return ready


def with_order(leaving: Leaving) -> BotContent:
    """Return what is kept of a bot that leaves: asked about again, its order must be the same."""
    return msgspec.structs.replace(leaving.bot.content, order=leaving.order)
