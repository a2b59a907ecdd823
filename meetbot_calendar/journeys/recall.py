"""Call back a bot that left, or may have left, before its plan was given up."""

from datetime import timedelta
from typing import Any, Literal

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.errors import GiveUp, InstallationFault, TryLater
from meetbot_calendar.journeys import finding
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots, orphans

_AGAIN = timedelta(seconds=10)
_ALARM = timedelta(seconds=60)
_LONG_ENOUGH = timedelta(hours=1)
_OVERRUN = timedelta(hours=12)  # nobody asks again for a bot whose people are gone: ask for longer


Returned = Literal["recalled", "later", "failed"]


async def recall(services: Services, bot: Bot) -> tuple[Returned, str | None]:
    """Ask the fleet for the bot's return; tried again until an hour after the meeting.

    One whose sending was never answered is asked about first, with the very order that left.
    Returns what came of it, and what only the operator can mend.
    """
    async with services.database.tenant(bot.tenant_id) as session:
        out = await bots.recall_of(session, bot.id) or bot.fleet_bot_id
    try:
        if out is None and bot.content.order is not None:
            out = await finding.find(services, bot.content.order)
        if out is not None:
            await services.fleet.recall(out)
    except InstallationFault as fault:
        await _close(services, bot, out, again=_ALARM)
        return "later", fault.detail
    except TryLater as trouble:
        await _close(services, bot, out, again=trouble.after or _AGAIN)
        return "later", None
    except GiveUp:
        await _close(services, bot, out, again=None)
        return "failed", None
    await _close(services, bot, out, again=None)
    return "recalled", None


async def _close(services: Services, bot: Bot, out: str | None, again: timedelta | None) -> None:
    """Say when to try again, or that it is done; unless another bot has been named meanwhile.

    A late answer, or a report, that names another has made that one due.
    """
    now = services.clock.now()
    last = bot.end + (_OVERRUN if bot.reason == orphans.ERASED else _LONG_ENOUGH)
    due_at = None if again is None or now >= last else now + again
    values: dict[str, Any] = {"due_at": due_at}
    if due_at is None:
        values["recall_fleet_bot_id"] = None
    async with services.database.tenant(bot.tenant_id) as session:
        await bots.get(session, bot.id, lock=True)
        if await bots.recall_of(session, bot.id) not in (None, out):
            return
        await bots.record(session, bot.id, values, now)
        if due_at is None:
            await orphans.bury(session, bot.id)
