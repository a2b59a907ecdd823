"""What MeetStream's clients call things: platforms, states, times."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from meetbot_calendar.bots.model import BotStatus
from meetbot_calendar.calendars.model import AccessRole, Platform, Provider

CALENDAR_PLATFORMS = {Provider.GOOGLE: "google_calendar", Provider.OUTLOOK: "outlook_calendar"}
_MEETING_PLATFORMS: dict[Platform, str] = {
    "google_meet": "GMeet",
    "zoom": "Zoom",
    "teams": "Teams",
    "webex": "Webex",
    "gotomeeting": "GoToMeeting",
    "bluejeans": "BlueJeans",
    "whereby": "Whereby",
}
_NAMELESS = "Meetbot"


def meeting_platform(platform: Platform | None) -> str | None:
    """Name where a meeting is held."""
    return None if platform is None else _MEETING_PLATFORMS[platform]


def bot_status(status: BotStatus) -> str:
    """Name a bot's state: ours, with a capital."""
    return status.capitalize()


def bot_username(bot_config: Mapping[str, Any]) -> str:
    """Return the name a bot shows in the meeting, of all its layers of settings together."""
    name = bot_config.get("bot_name")
    return name if isinstance(name, str) and name else _NAMELESS


def join_time(instant: datetime) -> str:
    """Write when a bot joins: with ``+00:00``, as its clients parse it, where ours write ``Z``."""
    return instant.astimezone(UTC).isoformat(timespec="seconds")


def zulu(instant: datetime) -> str:
    """Write an instant in UTC, to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def access_role(role: AccessRole) -> str:
    """Name what an account may do with a calendar, as Google does."""
    return "freeBusyReader" if role == "free_busy_reader" else role
