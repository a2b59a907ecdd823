"""Which calendars a person has chosen to have synced."""

from datetime import datetime

from sqlalchemy import update

from meetbot_calendar.calendars.model import CalendarId
from meetbot_calendar.storage.tables import calendars
from tenants.storage.session import TenantSession


async def take_up(session: TenantSession, calendar_id: CalendarId, now: datetime) -> None:
    """Let a calendar be synced from now on, beginning with all of it."""
    await session.execute(
        update(calendars)
        .where(calendars.c.id == calendar_id)
        .values(
            selected=True,
            out_of_sight=False,
            cursor=None,
            failures=0,
            error_code=None,
            error_detail=None,
            due_at=now,
            is_urgent=True,
            push_due_at=now,
            updated_at=now,
        )
    )
