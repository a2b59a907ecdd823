"""What a person asked to have recorded of an account's meetings: gone with its events."""

from sqlalchemy import delete, select

from meetbot_calendar.calendars.model import ConnectionId
from meetbot_calendar.storage.tables import calendars, events, overrides, series, series_overrides
from tenants.storage.session import TenantSession


async def forget(session: TenantSession, connection_id: ConnectionId) -> None:
    """Forget every yes, and follow no series any more; a no is remembered."""
    theirs = select(calendars.c.id).where(calendars.c.connection_id == connection_id)
    its_events = select(events.c.id).where(events.c.connection_id == connection_id)
    await session.execute(
        delete(overrides).where(
            overrides.c.event_id.in_(its_events), overrides.c.action == "record"
        )
    )
    await session.execute(
        delete(series_overrides).where(
            series_overrides.c.calendar_id.in_(theirs), series_overrides.c.action == "record"
        )
    )
    await session.execute(delete(series).where(series.c.calendar_id.in_(theirs)))
