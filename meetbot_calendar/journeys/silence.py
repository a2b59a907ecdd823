"""Ask about a bot that has not reported its meeting's end: the fleet may know, or it is missed."""

from datetime import timedelta
from typing import Literal

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.errors import GiveUp, InstallationFault, Missing, TryLater
from meetbot_calendar.journeys import aftermath, complete
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots

_AGAIN = timedelta(hours=1)
_OVERRUN = timedelta(hours=12)


Asked = Literal["heard", "later", "missed"]


async def ask_about(services: Services, bot: Bot) -> tuple[Asked, str | None]:
    """Take the fleet's word for what became of a bot.

    One that is in its meeting, or about which the fleet cannot be asked, is asked about every hour
    for half a day, for meetings overrun; any other of which nothing is known is missed.
    Returns what came of it, and what only the operator can mend.
    """
    alarm: str | None = None
    try:
        report = None
        if bot.fleet_bot_id is not None:
            report = await services.fleet.ask(bot.fleet_bot_id)
    except InstallationFault as fault:
        is_out, alarm = True, fault.detail
    except (TryLater, GiveUp):
        is_out = True
    except Missing:  # the fleet cannot be asked
        is_out = bot.status == "joined"
    else:
        if report and await complete.record(services, bot.tenant_id, bot.id, report):
            return "heard", None
        is_out = bot.status == "joined"
    return await _close(services, bot, is_out=is_out), alarm


async def _close(services: Services, bot: Bot, *, is_out: bool) -> Literal["later", "missed"]:
    now = services.clock.now()
    async with services.database.tenant(bot.tenant_id) as session:
        standing = await bots.get(session, bot.id, lock=True)
        if standing is None or standing.status != bot.status:
            return "later"  # a report came meanwhile
        if is_out and now < standing.end + _OVERRUN:
            await bots.record(session, bot.id, {"due_at": now + _AGAIN}, now)
            return "later"
        told = await aftermath.end(session, standing, now, "missed", "no_report")
    await ring_deliveries(services, bot.tenant_id, told)
    return "missed"
