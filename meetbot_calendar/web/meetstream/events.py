"""``/v1/calendar/events`` and ``get_events``: meetings of all accounts, with their bots."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import browsing
from meetbot_calendar.journeys.browsing import Browsed, NamedBot, Syncing
from meetbot_calendar.journeys.reading import ListedEvent
from meetbot_calendar.web.api.parts import Caller, Given, utc, utc_or_none
from meetbot_calendar.web.meetstream.callers import MineIfAny
from meetbot_calendar.web.meetstream.event_pages import PAGED, Page, Wanted, cursor_of
from meetbot_calendar.web.meetstream.words import (
    CALENDAR_PLATFORMS,
    account_key,
    bot_status,
    bot_username,
    join_time,
    meeting_platform,
)

Sync = Annotated[
    bool | None,
    QueryParameter(
        description="Ask the providers first: always, never, or (not said) where the last sync is"
        " over a minute old."
    ),
]


class BotRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bot of an event."""

    id: str
    status: str
    scheduled_join_time: str
    bot_username: str
    platform: str | None
    is_scheduled: bool


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event; `raw` is what its provider said of it."""

    id: str
    start_time: datetime | None
    end_time: datetime | None
    calendar_id: str
    platform: str
    platform_id: str
    ical_uid: str | None
    meeting_platform: str | None
    meeting_url: str | None
    is_deleted: bool
    created_at: datetime
    updated_at: datetime
    raw: dict[str, Any]
    bots: tuple[BotRow, ...]
    provider: Provider
    account_id: str


class EventsView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of events; `partial_errors` names accounts that could not be synced."""

    next: str | None
    previous: str | None
    results: tuple[EventRow, ...]
    has_more: bool
    partial_errors: dict[str, str]


def _view(found: Browsed, limit: int) -> EventsView:
    listing, which = found.listing, found.which
    return EventsView(
        next=cursor_of(which, limit, listing.next),
        previous=cursor_of(which, limit, listing.previous),
        results=tuple(_row(listed, found) for listed in listing.results),
        has_more=listing.next is not None,
        partial_errors={
            account_key(trouble.provider, trouble.account_id): trouble.error
            for trouble in found.troubles
        },
    )


def _row(listed: ListedEvent, found: Browsed) -> EventRow:
    event, span = listed.event, listed.event.span
    return EventRow(
        id=event.id,
        start_time=utc_or_none(span.start if span else None),
        end_time=utc_or_none(span.end if span else None),
        calendar_id=found.platform_ids.get(event.calendar_id, event.calendar_id),
        platform=CALENDAR_PLATFORMS[event.provider],
        platform_id=event.platform_id,
        ical_uid=event.ical_uid,
        meeting_platform=meeting_platform(event.platform),
        meeting_url=event.content.meeting_url,
        is_deleted=event.is_deleted,
        created_at=utc(event.created_at),
        updated_at=utc(event.updated_at),
        raw=event.content.raw,
        bots=tuple(_bot(found.bots[bot.id]) for bot in listed.bots if bot.id in found.bots),
        provider=event.provider,
        account_id=event.account_id,
    )


def _bot(named: NamedBot) -> BotRow:
    bot = named.bot
    return BotRow(
        id=bot.id,
        status=bot_status(bot.status),
        scheduled_join_time=join_time(bot.join_at),
        bot_username=bot_username(named.settings),
        platform=meeting_platform(bot.platform),
        is_scheduled=bot.status == "scheduled",
    )


_NOTHING = EventsView(next=None, previous=None, results=(), has_more=False, partial_errors={})


@get("/events", dependencies=PAGED)
async def sync_and_list_events(
    services: Given, context: Caller, mine_if_any: MineIfAny, page: Page, sync: Sync = None
) -> EventsView:
    """Sync the accounts that are asked for, then list their events, soonest first.

    Without `time_min` and `time_max`: from a day ago to 28 days ahead.
    """
    syncing: Syncing = "never" if sync is False or page.is_later_page else "stale"
    return await _browse(services, context, mine_if_any, page, "always" if sync else syncing)


@get("/get_events", dependencies=PAGED)
async def list_stored_events(
    services: Given, context: Caller, mine_if_any: MineIfAny, page: Page
) -> EventsView:
    """List events as they were last synced: the providers are not asked."""
    return await _browse(services, context, mine_if_any, page, "never")


async def _browse(
    services: Given, context: Caller, user_id: MineIfAny, page: Wanted, syncing: Syncing
) -> EventsView:
    if user_id is None:
        return _NOTHING
    found = await browsing.browse(
        services, context, user_id, page.which, page.wish, syncing=syncing
    )
    return _view(found, page.wish.limit)


HANDLERS = (sync_and_list_events, list_stored_events)
