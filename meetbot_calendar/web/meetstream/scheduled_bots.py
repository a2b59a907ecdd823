"""``/v1/calendar/scheduled_bots``: the bots that are still to leave, changed and deleted."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import delete, get, patch
from litestar.params import FromPath, JSONBody, QueryParameter

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.errors import Invalid, Refused
from meetbot_calendar.journeys import accounts, steer, upcoming
from meetbot_calendar.journeys.upcoming import Upcoming
from meetbot_calendar.web.api.parts import Caller, Given, Name, utc
from meetbot_calendar.web.meetstream.callers import Mine, MineIfAny
from meetbot_calendar.web.meetstream.scheduling import Moment
from meetbot_calendar.web.meetstream.words import (
    bot_status,
    bot_username,
    instant_of,
    join_time,
    meeting_platform,
)

_Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many bots at most.")]
_ATTRIBUTES = "custom_attributes"


class ScheduledBotRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that is to join in future."""

    bot_id: str
    platform: str | None
    status: str
    scheduled_join_time: str
    bot_username: str
    meeting_link: str
    custom_attributes: dict[str, Any]
    is_scheduled: bool
    created_at: datetime


class ScheduledBotsView(msgspec.Struct, frozen=True, kw_only=True):
    """The next bots to leave, soonest first."""

    scheduled_bots: tuple[ScheduledBotRow, ...]


class BotChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a scheduled bot."""

    scheduled_join_time: Moment | None = None
    bot_username: Name | None = None
    custom_attributes: dict[str, Any] | None = None


class BotChangedView(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed; `schedule_updated` says whether it leaves at another time."""

    message: str
    bot_id: str
    updated_fields: tuple[str, ...]
    schedule_updated: bool


class BotDeletedView(msgspec.Struct, frozen=True, kw_only=True):
    """The bot that was deleted."""

    message: str
    bot_id: str


def _row(found: Upcoming) -> ScheduledBotRow:
    bot, event = found.bot, found.event
    own = {
        "source": "calendar_integration",
        "event_id": event.platform_id,
        "event_summary": event.content.title,
    }
    told = found.settings.get(_ATTRIBUTES)
    return ScheduledBotRow(
        bot_id=bot.id,
        platform=meeting_platform(bot.platform),
        status=bot_status(bot.status),
        scheduled_join_time=join_time(bot.join_at),
        bot_username=bot_username(found.settings),
        meeting_link=bot.content.meeting_url,
        custom_attributes=own | (told if isinstance(told, dict) else {}),
        is_scheduled=bot.status == "scheduled",
        created_at=utc(bot.created_at),
    )


@get("/scheduled_bots")
async def list_scheduled_bots(
    services: Given, context: Caller, mine_if_any: MineIfAny, limit: _Limit = 100
) -> ScheduledBotsView:
    """List the caller's bots that are to join in future, the next first."""
    found: tuple[Upcoming, ...] = ()
    if mine_if_any is not None:
        found = await upcoming.list_upcoming(services, context, mine_if_any, limit)
    return ScheduledBotsView(scheduled_bots=tuple(_row(each) for each in found))


@patch("/scheduled_bots/{bot_id:str}")
async def change_scheduled_bot(
    services: Given,
    context: Caller,
    mine: Mine,
    bot_id: FromPath[BotId],
    data: JSONBody[BotChanges],
) -> BotChangedView:
    """Change when a bot joins, its name or its attributes; all stay through syncs.

    A meeting that moves takes its bot along: as long before the start as it was set.
    """
    join_at = instant_of("/scheduled_join_time", data.scheduled_join_time)
    settings: dict[str, Any] = {}
    if data.bot_username is not None:
        settings["bot_name"] = data.bot_username
    if data.custom_attributes is not None:
        settings[_ATTRIBUTES] = data.custom_attributes
    bound = msgspec.structs.replace(context, user_id=mine)
    try:
        await steer.patch_bot(
            services, bound, bot_id, steer.BotPatch(join_at=join_at, settings=settings)
        )
    except Invalid as error:  # its clients expect a 400
        why = error.faults[0].detail
        raise Refused(f"The scheduled_join_time {why}.", code=error.code) from error
    await accounts.note(services, context, "bot.changed", bot_id)
    given = msgspec.structs.asdict(data)
    return BotChangedView(
        message="Scheduled bot updated successfully",
        bot_id=bot_id,
        updated_fields=tuple(name for name, value in given.items() if value is not None),
        schedule_updated=join_at is not None,
    )


@delete("/scheduled_bots/{bot_id:str}", status_code=200)
async def delete_scheduled_bot(
    services: Given, context: Caller, mine: Mine, bot_id: FromPath[BotId]
) -> BotDeletedView:
    """Delete a bot for good: no sync and no rule makes it again."""
    bound = msgspec.structs.replace(context, user_id=mine)
    await steer.cancel_bot(services, bound, bot_id)
    await accounts.note(services, context, "bot.cancelled", bot_id)
    return BotDeletedView(message="Scheduled bot deleted successfully", bot_id=bot_id)


HANDLERS = (list_scheduled_bots, change_scheduled_bot, delete_scheduled_bot)
