"""What MeetStream's clients call things: platforms, states, times."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from meetbot_calendar.bots.model import BotStatus
from meetbot_calendar.calendars.model import AccessRole, Platform, Provider
from meetbot_calendar.errors import Fault, Invalid

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


def schedule_group(platform: Platform | None) -> str | None:
    """Name the group of schedules that a meeting's is in: by where it is held."""
    return None if platform is None else _MEETING_PLATFORMS[platform].lower()


def schedule_id(bot_id: str, user_id: str) -> str:
    """Name a bot's schedule: we keep none beside the bot, so it is the bot's name in full."""
    return f"bot-{user_id[-8:]}-{bot_id}"


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


def instant_of(pointer: str, text: str | None) -> datetime | None:
    """Read an ISO 8601 instant as its clients write them: without a zone it is UTC.

    A plus sign that was not escaped in a query arrives as a blank. Raises ``Invalid``.
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        fault = Fault(pointer, "It is no ISO 8601 instant.")
        raise Invalid("An instant cannot be read.", (fault,), code="invalid_parameter") from error


def zulu(instant: datetime) -> str:
    """Write an instant in UTC, to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def access_role(role: AccessRole) -> str:
    """Name what an account may do with a calendar, as Google does."""
    return "freeBusyReader" if role == "free_busy_reader" else role


def account_key(provider: Provider, account_id: str) -> str:
    """Name an account in ``partial_errors``."""
    return f"{provider}::{account_id}"
