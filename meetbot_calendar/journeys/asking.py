"""Talk to the fleet about one bot that leaves, or that may have left already."""

from datetime import timedelta
from typing import Literal

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.errors import GiveUp, InstallationFault, OutcomeUnknown, TryLater
from meetbot_calendar.journeys import finding
from meetbot_calendar.journeys.aftermath import Answer
from meetbot_calendar.journeys.holding import Leaving
from meetbot_calendar.journeys.services import Services

_AGAIN = timedelta(seconds=10)
_ALARM = timedelta(seconds=60)


async def ask(services: Services, leaving: Leaving) -> Answer:
    """Send one bot. A send of unknown outcome is asked about first."""
    bot, order = leaving.bot, leaving.order
    late = services.clock.now() - leaving.held.due_at
    asked = bot.status == "dispatching"
    try:
        known = await finding.find(services, order) if asked else None
    except (TryLater, InstallationFault) as trouble:  # it may be out there all the same
        return _later(bot, trouble, "dispatching")
    except GiveUp as refusal:
        return Answer(bot=bot, outcome="failed", status="failed", reason=refusal.code)
    return _out(bot, known, late) if known else await _send(services, leaving, late)


async def _send(services: Services, leaving: Leaving, late: timedelta) -> Answer:
    bot = leaving.bot
    try:
        return _out(bot, await services.fleet.send(leaving.order), late)
    except OutcomeUnknown as silence:
        return _later(bot, silence, "dispatching")
    except (TryLater, InstallationFault) as trouble:
        return _later(bot, trouble, "scheduled")
    except GiveUp as refusal:
        return Answer(bot=bot, outcome="failed", status="failed", reason=refusal.code)


def _out(bot: Bot, fleet_bot_id: str, late: timedelta) -> Answer:
    return Answer(
        bot=bot, outcome="dispatched", status="dispatched", fleet_bot_id=fleet_bot_id, late=late
    )


def _later(
    bot: Bot, trouble: TryLater | InstallationFault, status: Literal["dispatching", "scheduled"]
) -> Answer:
    """Say when to try again; a bot that stays ``dispatching`` is asked about before it is sent."""
    if isinstance(trouble, InstallationFault):
        return Answer(bot=bot, outcome="later", status=status, after=_ALARM, fault=trouble.detail)
    return Answer(bot=bot, outcome="later", status=status, after=trouble.after or _AGAIN)
