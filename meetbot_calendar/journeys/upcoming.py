"""A person's bots that are still to leave, with the event each is for."""

import msgspec

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.calendars.model import StoredEvent
from meetbot_calendar.journeys import orders
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_lists, events
from tenants.identity import CalendarUserId, TenantContext


class Upcoming(msgspec.Struct, frozen=True, kw_only=True):
    """One bot, the person's own event that wants it, and its settings as they stand now."""

    bot: Bot
    event: StoredEvent
    settings: dict[str, object]


async def list_upcoming(
    services: Services, context: TenantContext, user_id: CalendarUserId, limit: int
) -> tuple[Upcoming, ...]:
    """List the bots that are to join in future, the next first."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        found = await bot_lists.upcoming(session, user_id, now, limit)
        scene = await orders.scene_of(services, session, found)
        wanted = {event_id for bot in found for event_id in bot.event_ids}
        rows = await events.of_meetings(session, wanted)
    own = {row.event.id: row.event for row in rows if row.event.user_id == user_id}
    return tuple(
        Upcoming(
            bot=bot,
            event=next(own[event_id] for event_id in bot.event_ids if event_id in own),
            settings=orders.settings_of(bot, scene),
        )
        for bot in found
    )
