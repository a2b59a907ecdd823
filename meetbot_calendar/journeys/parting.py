"""Part from an account: hide it at once, and cancel its bots."""

import msgspec

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.calendars.model import Connection, ConnectionId
from meetbot_calendar.deliveries import payloads
from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys import decide
from meetbot_calendar.journeys.enrol import present
from meetbot_calendar.journeys.ringing import ring_decide, ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import (
    bot_lists,
    bots,
    calendars,
    connections,
    event_marks,
    events,
    messages,
    wishes,
)
from tenants.identity import TenantContext
from tenants.storage import audit, users


class Parted(msgspec.Struct, frozen=True, kw_only=True):
    """What went with a connection; ``is_deaf`` says that no push for it is heeded any more."""

    connection: Connection
    events_deleted: int
    bots_cancelled: tuple[BotId, ...]
    is_deaf: bool


async def disconnect(
    services: Services, context: TenantContext, connection_id: ConnectionId, *, purge_events: bool
) -> int:
    """Hide a connection at once, and leave its bots and the farewell to the worker.

    With its events goes what the person asked to have recorded of them.
    Returns how many events were deleted. Raises ``Missing`` where there is none any more.
    """
    now = services.clock.now()
    deleted = 0
    async with services.database.tenant(context.tenant_id) as session:
        connection = await present(session, connection_id)
        if not await connections.remove(session, connection_id, now):
            raise Missing("there is no such connection")
        customer_user_id = await users.customer_id(session, connection.user_id)
        await calendars.rest(session, connection_id)
        await event_marks.mark_connection(session, connection_id, now)
        if purge_events:
            deleted = await events.withdraw_connection(session, connection, now)
            await wishes.forget(session, connection_id)
            await calendars.forget_cursors(session, connection_id)
        action = "connection.removed"
        await audit.write(session, now, by=context, action=action, target=connection_id)
        body = payloads.calendar_payload("calendar.disconnected", connection, customer_user_id, now)
        draft = messages.Draft(type="calendar.disconnected", body=body)
        written = await messages.write(session, now, [draft])
    await ring_deliveries(services, context.tenant_id, written)
    await ring_decide(services, context.tenant_id, connection.user_id)
    return deleted


async def part(
    services: Services, context: TenantContext, connection: Connection, *, purge_events: bool
) -> Parted:
    """Disconnect and cancel the bots at once; the farewell to the provider is the worker's."""
    async with services.database.tenant(context.tenant_id) as session:
        waiting = await bot_lists.scheduled_for(session, connection.id)
    deleted = await disconnect(services, context, connection.id, purge_events=purge_events)
    await decide.decide(services, context.tenant_id, connection.user_id)
    async with services.database.tenant(context.tenant_id) as session:
        were = await bots.get_many(session, waiting)
        left = await calendars.of_connection(session, connection.id)
    return Parted(
        connection=connection,
        events_deleted=deleted,
        bots_cancelled=tuple(bot.id for bot in were.values() if bot.status == "cancelled"),
        is_deaf=all(calendar.push != "active" for calendar in left),
    )
