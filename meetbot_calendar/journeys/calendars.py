"""Choose which calendars are synced."""

from datetime import datetime

from meetbot_calendar.calendars.model import Calendar, CalendarId
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys import rounds
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.reading import CalendarState, calendar_state
from meetbot_calendar.journeys.ringing import ring_calendars, ring_decide, ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars, selections
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import audit
from tenants.storage.session import TenantSession


async def select(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    calendar_id: CalendarId,
    *,
    selected: bool,
) -> CalendarState:
    """Have a calendar synced, or no more; what is no longer synced is no longer shown."""
    now = services.clock.now()
    told: tuple[EndpointId, ...] = ()
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        calendar = await calendars.get(session, calendar_id)
        if calendar is None or calendar.user_id != user_id:
            raise Missing("There is no such calendar.")
        if selected != calendar.selected:
            action = "calendar.selected" if selected else "calendar.deselected"
            await audit.write(session, now, by=context, action=action, target=calendar_id)
            told = await _turn(session, calendar, selected=selected, now=now)
        changed = await calendars.get(session, calendar_id)
    await ring_deliveries(services, context.tenant_id, told)
    if selected:
        await ring_calendars(services, context.tenant_id, [calendar_id])
    else:
        await ring_decide(services, context.tenant_id, user_id)
    return calendar_state(changed or calendar, now)


async def _turn(
    session: TenantSession, calendar: Calendar, *, selected: bool, now: datetime
) -> tuple[EndpointId, ...]:
    if selected:
        await selections.take_up(session, calendar.id, now)
        return ()
    await calendars.retire(session, calendar.id, now)
    return await rounds.withdraw(session, calendar, now)
