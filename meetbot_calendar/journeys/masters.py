"""Ask the provider for the master of a series; what it said last time stands in when it cannot."""

from datetime import datetime

import msgspec

from meetbot_calendar.calendars.model import CalendarId, StoredEvent
from meetbot_calendar.calendars.recurrence import Series
from meetbot_calendar.errors import AccessExpired, MeetbotError
from meetbot_calendar.journeys import errands, grants, plan
from meetbot_calendar.journeys.by_hand import in_series
from meetbot_calendar.journeys.errands import Errand
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.watching import reference
from meetbot_calendar.storage import calendars, series
from meetbot_calendar.storage.series import SeriesId, StoredSeries
from tenants.identity import CalendarUserId, TenantContext, new_id
from tenants.storage.session import TenantSession


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Which series of whose calendar."""

    user_id: CalendarUserId
    calendar_id: CalendarId
    series_id: str


def named(event: StoredEvent) -> Named:
    """Name the series of an event. Raises ``Refused`` (``not_recurring``)."""
    return Named(user_id=event.user_id, calendar_id=event.calendar_id, series_id=in_series(event))


async def read(services: Services, context: TenantContext, which: Named) -> Series | None:
    """Return a series as its master describes it now, or did when it was last read.

    None where there is none any more. Raises what the provider's refusal means where it was never
    read before.
    """
    try:
        found = await errands.run(services, context, MASTER, which)
    except MeetbotError:
        async with services.database.tenant(context.tenant_id) as session:
            known = await series.find(session, which.calendar_id, which.series_id)
        if known is None or known.content.master is None:
            raise
        return known.content.master
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        standing = await standing_of(session, context, which, services.clock.now())
        content = msgspec.structs.replace(standing.content, master=found)
        await series.save(session, msgspec.structs.replace(standing, content=content))
    return found


async def _ask(services: Services, context: TenantContext, which: Named) -> Series | None:
    async with services.database.tenant(context.tenant_id) as session:
        calendar = await calendars.get(session, which.calendar_id)
    if calendar is None:
        return None
    provider, place = services.providers[calendar.provider], reference(calendar)
    grant = await grants.fresh(services, context, calendar.connection_id)
    try:
        return await provider.series(grant, place, which.series_id)
    except AccessExpired:
        grant = await grants.fresh(services, context, calendar.connection_id, refused=grant)
        return await provider.series(grant, place, which.series_id)


MASTER: Errand[Named, Series | None] = Errand(
    kind="series",
    question=Named,
    answer=Series | None,  # type: ignore[arg-type]
    do=_ask,
)


async def standing_of(
    session: TenantSession, context: TenantContext, which: Named, now: datetime
) -> StoredSeries:
    """Return what stands of a series; a first row of it, unwritten, where nothing does."""
    found = await series.find(session, which.calendar_id, which.series_id)
    return found or StoredSeries(
        id=SeriesId(new_id("ser", now)),
        user_id=which.user_id,
        calendar_id=which.calendar_id,
        platform_id=which.series_id,
        actor=context.actor,
        created_at=now,
        updated_at=now,
    )
