"""A bot's state and what happened give its next state, or nothing.

scheduled → dispatching → dispatched → joined → completed, or failed, cancelled, missed. What ends
a bot is final. Fleets repeat themselves, and their reports overtake each other and our own
records; whatever comes twice, late or out of order changes nothing.
"""

from typing import Literal

from meetbot_calendar.bots.model import FINAL, BotStatus

BotEvent = Literal[
    "claimed",  # a dispatcher took it
    "released",  # it could not be sent just now
    "accepted",  # the fleet took it
    "refused",  # the fleet will never take it
    "joined",  # the fleet reports
    "completed",
    "failed",
    "recalled",  # it is not wanted any more
    "missed",  # its meeting is over and it was never sent
]

_NEXT: dict[BotStatus, dict[BotEvent, BotStatus]] = {
    "scheduled": {"claimed": "dispatching", "recalled": "cancelled", "missed": "missed"},
    # A report may come before the answer to the request that sent the bot, or in its stead.
    "dispatching": {
        "released": "scheduled",
        "accepted": "dispatched",
        "refused": "failed",
        "joined": "joined",
        "completed": "completed",
        "failed": "failed",
        "recalled": "cancelled",
        "missed": "missed",
    },
    "dispatched": {
        "joined": "joined",
        "completed": "completed",
        "failed": "failed",
        "recalled": "cancelled",
    },
    "joined": {"completed": "completed", "failed": "failed", "recalled": "cancelled"},
}


def next_state(
    status: BotStatus, stopped_by: Literal["person", "host"] | None, event: BotEvent
) -> BotStatus | None:
    """Return the state that the event leads to; None where nothing changes.

    A bot that a person has stopped is only waited for: that it gets in after all is no news, and
    that it fails is no failure.
    """
    if status in FINAL:
        return None
    if stopped_by == "person":
        if event in {"claimed", "accepted", "joined"}:
            return None
        if event in {"released", "refused", "failed"}:
            return "cancelled"
    return _NEXT[status].get(event)
