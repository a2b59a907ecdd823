"""After the commit: ring for what became due."""

from collections.abc import Iterable

from meetbot_calendar.calendars.model import CalendarId
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.journeys.services import Services
from tenants.identity import CalendarUserId, TenantId


async def ring_deliveries(
    services: Services, tenant_id: TenantId, endpoints: Iterable[EndpointId]
) -> None:
    """Ring for the endpoints to which deliveries were written."""
    for endpoint_id in dict.fromkeys(endpoints):
        await services.wakeups.ring("deliver", tenant_id, endpoint_id)


async def ring_syncs(
    services: Services, tenant_id: TenantId, calendars: Iterable[CalendarId]
) -> None:
    """Ring for calendars that are to be synced."""
    for calendar_id in calendars:
        await services.wakeups.ring("sync", tenant_id, calendar_id)


async def ring_calendars(
    services: Services, tenant_id: TenantId, calendars: Iterable[CalendarId]
) -> None:
    """Ring for calendars that are to be synced, and watched."""
    for calendar_id in calendars:
        await services.wakeups.ring("sync", tenant_id, calendar_id)
        await services.wakeups.ring("watch", tenant_id, calendar_id)


async def ring_decide(services: Services, tenant_id: TenantId, user_id: CalendarUserId) -> None:
    """Ring for a person's events that are to be decided."""
    await services.wakeups.ring("decide", tenant_id, user_id)
