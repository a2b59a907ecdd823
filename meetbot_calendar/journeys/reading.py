"""Read what is stored of a person: events, bots, connections and calendars."""

from datetime import datetime

import msgspec

from meetbot_calendar.bots.model import Bot, BotId
from meetbot_calendar.calendars.model import Calendar, Connection, EventId, Provider
from meetbot_calendar.errors import Fault, Invalid, Missing
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.paging import (
    Count,
    Instant,
    Listing,
    PageWish,
    RowId,
    listing,
    place_of,
    seen_by,
    watermark,
)
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_lists, calendars, connections, event_lists
from meetbot_calendar.storage.bot_lists import BotFilter
from meetbot_calendar.storage.decisions import StoredDecision
from meetbot_calendar.storage.event_lists import NEVER, EventBot, EventFilter, ListedEvent
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import users
from tenants.storage.paging import Keyset

__all__ = ["BotFilter", "EventBot", "EventFilter", "ListedEvent", "StoredDecision"]


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events; a later ``since=watermark`` gives everything that changed after it."""

    listing: Listing[ListedEvent]
    watermark: str


class CalendarState(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar and how many seconds lie behind its last complete sync."""

    calendar: Calendar
    lag_seconds: float | None


async def list_events(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    which: EventFilter,
    wish: PageWish,
) -> EventPage:
    """List a person's events by time.

    The watermark is that of the first page, carried along: a change that comes while somebody
    turns pages is not missed.
    """
    place = place_of(wish, tuple[Instant, RowId], "events", user_id, which)
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        seq = place.carried
        if seq is None:
            seq = await users.event_seq(session, user_id) or 0
        page = await event_lists.by_time(session, user_id, which, place.keyset)
        found = await event_lists.listed(session, page.rows)
    edges = [(row.event.span.start if row.event.span else NEVER, row.event.id) for row in found]
    listed = listing(place, page, found, edges, carried=seq)
    return EventPage(listing=listed, watermark=watermark(user_id, seq))


async def list_changes(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    which: EventFilter,
    since: str,
    wish: PageWish,
) -> EventPage:
    """List what changed of a person's events after a watermark, deletions included."""
    if which.time_min is not None or which.time_max is not None:
        raise _both()
    place = place_of(wish, tuple[Count, RowId], "changes", user_id, which, since)
    keyset = place.keyset
    if keyset.edge is None:
        keyset = Keyset(limit=wish.limit, edge=seen_by(user_id, since))
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        seq = await users.event_seq(session, user_id) or 0
        page = await event_lists.by_change(session, user_id, which, keyset)
        found = await event_lists.listed(session, page.rows)
    listed = listing(place, page, found, [(row.change_seq, row.event.id) for row in found])
    mark = watermark(user_id, seq)
    if page.has_next and found:
        mark = watermark(user_id, found[-1].change_seq, found[-1].event.id)
    return EventPage(listing=msgspec.structs.replace(listed, previous=None), watermark=mark)


def _both() -> Invalid:
    detail = "A change may have moved an event out of the window: with since, leave it out."
    fault = Fault("/query/since", detail)
    return Invalid(
        "since does not go with time_min or time_max.", (fault,), code="invalid_parameter"
    )


async def read_event(
    services: Services, context: TenantContext, user_id: CalendarUserId, event_id: EventId
) -> ListedEvent:
    """Return one event of a person's."""
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        found = await event_lists.one(session, user_id, event_id)
    if found is None:
        raise Missing("There is no such event.")
    return found


async def list_bots(
    services: Services, context: TenantContext, which: BotFilter, wish: PageWish
) -> Listing[Bot]:
    """List bots that the caller may see, the last to join first.

    A caller who is one person sees of each that person's events alone, whoever else it is for.
    """
    place = place_of(wish, tuple[Instant, RowId], "bots", context.user_id, which)
    async with services.database.tenant(context.tenant_id) as session:
        page = await bot_lists.page(session, which, place.keyset)
        found = await bot_lists.listed(session, page.rows, context.user_id)
    return listing(place, page, found, [(bot.join_at, bot.id) for bot in found])


async def read_bot(services: Services, context: TenantContext, bot_id: BotId) -> Bot:
    """Return one bot as the caller may see it."""
    async with services.database.tenant(context.tenant_id) as session:
        bot = await bot_lists.one(session, bot_id, context.user_id)
    if bot is None:
        raise Missing("There is no such bot.")
    return bot


async def list_connections(
    services: Services, context: TenantContext, user_id: CalendarUserId
) -> tuple[Connection, ...]:
    """List a person's connections with their health."""
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        return await connections.of_user(session, user_id)


async def read_connection(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    provider: Provider,
    account_id: str,
) -> Connection:
    """Return a person's connection of one account."""
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        found = await connections.of_account(session, user_id, provider, account_id)
    if found is None:
        raise Missing(f"The {provider} account {account_id} is not connected.")
    return found


async def list_calendars(
    services: Services, context: TenantContext, user_id: CalendarUserId
) -> tuple[CalendarState, ...]:
    """List a person's calendars, and how far behind each is."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        found = await calendars.standing(session, user_id)
    return tuple(calendar_state(calendar, now) for calendar in found)


def calendar_state(calendar: Calendar, now: datetime) -> CalendarState:
    """Say how far behind a calendar is."""
    last = calendar.last_complete_sync_at
    lag = None if last is None else max(0.0, (now - last).total_seconds())
    return CalendarState(calendar=calendar, lag_seconds=lag)
