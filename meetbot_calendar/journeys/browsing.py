"""Show a person's events as they are now: synced where that is due, then read, bots named."""

from datetime import timedelta
from typing import Literal

import msgspec

from meetbot_calendar.bots.model import Bot, BotId
from meetbot_calendar.calendars.model import CalendarId, Provider
from meetbot_calendar.journeys import asked_sync, decide, orders, reading
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.paging import Listing, PageWish
from meetbot_calendar.journeys.reading import EventFilter
from meetbot_calendar.journeys.scope import Scope
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_lists, calendars
from meetbot_calendar.storage.event_lists import ListedEvent
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage.session import TenantSession

_STALE = timedelta(minutes=1)

Syncing = Literal["always", "stale", "never"]
"""Whether the providers are asked first: ``stale`` where the last sync is over a minute old."""


class NamedBot(msgspec.Struct, frozen=True, kw_only=True):
    """A bot, and what it is called in the meeting by its settings as they stand now."""

    bot: Bot
    settings: dict[str, object]


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """An account that could not be read, and why."""

    provider: Provider
    account_id: str
    error: str


class Browsed(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, the bots they wanted, and how their providers name their calendars.

    ``which`` is what was listed, with the times that stood in for those not asked for.
    """

    which: EventFilter
    listing: Listing[ListedEvent]
    bots: dict[BotId, NamedBot]
    platform_ids: dict[CalendarId, str]
    troubles: tuple[Trouble, ...] = ()


async def browse(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    which: EventFilter,
    wish: PageWish,
    *,
    syncing: Syncing,
) -> Browsed:
    """List a person's events by time, by default those that are synced.

    An account that cannot be synced is shown as it was.
    """
    which = _bounded(services, which)
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
    troubles: tuple[Trouble, ...] = ()
    if syncing != "never":
        older_than = _STALE if syncing == "stale" else timedelta(0)
        troubles = await _sync(services, context, user_id, which, older_than)
    page = await reading.list_events(services, context, user_id, which, wish)
    wanted = [bot.id for listed in page.listing.results for bot in listed.bots]
    async with services.database.tenant(context.tenant_id) as session:
        known = await calendars.of_user(session, user_id)
        named = await _named(services, session, user_id, wanted)
    return Browsed(
        which=which,
        listing=page.listing,
        bots=named,
        platform_ids={calendar.id: calendar.platform_id for calendar in known},
        troubles=troubles,
    )


def _bounded(services: Services, which: EventFilter) -> EventFilter:
    now, house = services.clock.now(), services.house
    return msgspec.structs.replace(
        which,
        time_min=which.time_min or now - house.past,
        time_max=which.time_max or now + house.future,
    )


async def _sync(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    which: EventFilter,
    older_than: timedelta,
) -> tuple[Trouble, ...]:
    """Sync what is asked for, and decide what changed, so that its bots are seen at once."""
    scope = Scope(
        provider=which.provider,
        account_id=which.account_id,
        platform_id=which.platform_calendar_id,
    )
    synced = await asked_sync.sync_user(services, context, user_id, scope, older_than=older_than)
    if any(row.created or row.updated or row.deleted for row in synced):
        await decide.decide(services, context.tenant_id, user_id)
    return tuple(
        Trouble(provider=row.provider, account_id=row.account_id, error=row.error)
        for row in synced
        if row.error is not None
    )


async def _named(
    services: Services, session: TenantSession, user_id: CalendarUserId, wanted: list[BotId]
) -> dict[BotId, NamedBot]:
    if not wanted:
        return {}
    found = await bot_lists.some(session, wanted, user_id)
    scene = await orders.scene_of(services, session, found)
    return {bot.id: NamedBot(bot=bot, settings=orders.settings_of(bot, scene)) for bot in found}
