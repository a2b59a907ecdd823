"""Leave an account alone for as long as its provider asks: whoever rings, nobody undercuts it."""

from meetbot_calendar.calendars import freshness
from meetbot_calendar.calendars.model import Calendar
from meetbot_calendar.errors import TryLater
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars

# Google says of a usage limit neither whose it is nor for how long (providers.md 4): only what
# met it rests, for as long as we guess.
_GUESSED = "quota_exceeded"


def binds(busy: TryLater) -> bool:
    """Say whether the account as a whole is to be left alone for as long as was said."""
    return busy.after is not None and busy.code != _GUESSED


async def hold(services: Services, calendar: Calendar, busy: TryLater) -> None:
    """Ask nothing of the calendar's account before the provider wants to be asked again."""
    if busy.after is None or not binds(busy):
        return
    until = services.clock.now() + freshness.obeyed(busy.after)
    async with services.database.tenant(calendar.tenant_id) as session:
        await calendars.hold(session, calendar.connection_id, until)
