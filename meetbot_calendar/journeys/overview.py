"""What the admin page shows: a tenant as a whole, and one of its people."""

from datetime import timedelta
from typing import Any

import msgspec

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.calendars.model import Connection
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.reading import CalendarState, calendar_state
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars, connections, event_lists, overview, rule_sets
from meetbot_calendar.storage.event_lists import EventFilter, ListedEvent
from meetbot_calendar.storage.overview import Failing
from tenants.identity import CalendarUser, CalendarUserId, Tenant, TenantContext
from tenants.storage import directory, users
from tenants.storage.paging import Keyset

_ROWS = 10
_EVENTS = 25
_BEHIND = timedelta(hours=1)


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant at a glance; ``names`` tells whose id is whose."""

    tenant: Tenant
    people: int
    health: dict[str, int]
    ailing: tuple[Connection, ...]
    coming: tuple[Bot, ...]
    failing: tuple[Failing, ...]
    names: dict[CalendarUserId, str]


class Portrait(msgspec.Struct, frozen=True, kw_only=True):
    """One person: accounts, calendars, the rules that stand, and what they made of each event."""

    user: CalendarUser
    connections: tuple[Connection, ...]
    calendars: tuple[CalendarState, ...]
    version: int
    rules: dict[str, Any] | None
    events: tuple[ListedEvent, ...]


async def picture(services: Services, context: TenantContext) -> Picture:
    """Return the tenant at a glance, in one transaction."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        ailing = await overview.ailing(session, _ROWS)
        coming = await overview.coming(session, now, _ROWS)
        shown = {each.user_id for each in ailing}
        shown |= {user_id for bot in coming for user_id in bot.user_ids}
        named = [await users.known(session, user_id) for user_id in sorted(shown)]
        return Picture(
            tenant=await directory.get(session),
            people=await overview.people(session),
            health=await overview.health(session),
            ailing=ailing,
            coming=coming,
            failing=await overview.failing(session, _ROWS),
            names={user.id: user.customer_user_id for user in named},
        )


async def portrait(services: Services, context: TenantContext, user_id: CalendarUserId) -> Portrait:
    """Return one person with the events from an hour ago on, each with its decision."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        user = await person(session, context, user_id)
        version, rules = await rule_sets.active(session, user_id)
        which = EventFilter(time_min=now - _BEHIND)
        page = await event_lists.by_time(session, user_id, which, Keyset(limit=_EVENTS))
        found = await calendars.of_user(session, user_id)
        return Portrait(
            user=user,
            connections=await connections.of_user(session, user_id),
            calendars=tuple(calendar_state(calendar, now) for calendar in found),
            version=version,
            rules=rules,
            events=await event_lists.listed(session, page.rows),
        )
