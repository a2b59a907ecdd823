"""``/v1/bots``: what was sent, is to be sent, or was not."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, delete, get, patch
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation

from meetbot_calendar.bots.model import Bot, BotId, BotSource, BotStatus
from meetbot_calendar.calendars.model import Platform
from meetbot_calendar.journeys import accounts, acting, reading, steer
from meetbot_calendar.journeys.reading import BotFilter
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    CustomerHeader,
    FromText,
    Given,
    LaterInstant,
    PageOf,
    ToText,
    UserIdQuery,
    Wish,
    instant_of,
    page_of,
    utc,
    utc_or_none,
)
from meetbot_calendar.web.auth import PERSON
from tenants.identity import CalendarUserId


class BotPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a scheduled bot; both stay through syncs."""

    join_at: LaterInstant | None = None
    bot_config: dict[str, Any] | None = None


class BotView(msgspec.Struct, frozen=True, kw_only=True):
    """The intent to send one bot to one meeting at one time."""

    id: str
    status: BotStatus
    source: BotSource
    rule: str | None
    reason: str
    meeting_url: str
    platform: Platform | None
    title: str | None
    start_time: datetime
    end_time: datetime
    join_at: datetime
    event_ids: tuple[str, ...]
    meetbot_calendar_user_ids: tuple[str, ...]
    bot_config: dict[str, Any]
    dispatched_at: datetime | None
    joined_at: datetime | None
    completed_at: datetime | None
    recording_url: str | None
    transcript_url: str | None
    duration_seconds: float | None
    created_at: datetime
    updated_at: datetime


def bot_view(bot: Bot) -> BotView:
    """Write a bot."""
    said = bot.content
    return BotView(
        id=bot.id,
        status=bot.status,
        source=bot.source,
        rule=said.rule,
        reason=bot.reason,
        meeting_url=said.meeting_url,
        platform=bot.platform,
        title=said.title,
        start_time=utc(bot.start),
        end_time=utc(bot.end),
        join_at=utc(bot.join_at),
        event_ids=bot.event_ids,
        meetbot_calendar_user_ids=bot.user_ids,
        bot_config=said.bot_config | said.hand_config,
        dispatched_at=utc_or_none(bot.dispatched_at),
        joined_at=utc_or_none(bot.joined_at),
        completed_at=utc_or_none(bot.completed_at),
        recording_url=said.recording_url,
        transcript_url=said.transcript_url,
        duration_seconds=bot.duration_seconds,
        created_at=utc(bot.created_at),
        updated_at=utc(bot.updated_at),
    )


def bot_filter(
    status: Annotated[BotStatus | None, QueryParameter()] = None,
    begin: FromText = None,
    end: ToText = None,
) -> BotFilter:
    """Read which bots are asked for."""
    return BotFilter(status=status, begin=instant_of("from", begin), end=instant_of("to", end))


async def named_user(
    services: Given,
    context: Caller,
    user_query: UserIdQuery = None,
    customer_user_id: CustomerHeader = None,
) -> CalendarUserId | None:
    """Say which person the request names, or its key is bound to."""
    user_id = None if user_query is None else CalendarUserId(user_query)
    return await acting.named(services, context, user_id, customer_user_id)


@get(
    dependencies={
        "which": Provide(bot_filter, sync_to_thread=False),
        "named": Provide(named_user),
    }
)
async def list_bots(
    services: Given,
    context: Caller,
    wish: Wish,
    which: NamedDependency[SkipValidation[BotFilter]],
    named: NamedDependency[SkipValidation[CalendarUserId | None]],
) -> PageOf[BotView]:
    """List bots, past ones too, the last to join first; `from` and `to` bound `join_at`."""
    which = msgspec.structs.replace(which, user_id=named)
    listed = await reading.list_bots(services, context, which, wish)
    return page_of(listed, tuple(bot_view(bot) for bot in listed.results))


@get("/{bot_id:str}")
async def read_bot(services: Given, context: Caller, bot_id: FromPath[BotId]) -> BotView:
    """Return one bot."""
    return bot_view(await reading.read_bot(services, context, bot_id))


@patch("/{bot_id:str}")
async def change_bot(
    services: Given, context: Caller, bot_id: FromPath[BotId], data: JSONBody[BotPatch]
) -> BotView:
    """Change when a scheduled bot joins, or its settings."""
    change = steer.BotPatch(join_at=data.join_at, bot_config=data.bot_config)
    bot = await steer.patch_bot(services, context, bot_id, change)
    await accounts.note(services, context, "bot.changed", bot_id)
    return bot_view(bot)


@delete("/{bot_id:str}", status_code=200, dependencies={"named": Provide(named_user)})
async def cancel_bot(
    services: Given,
    context: Caller,
    bot_id: FromPath[BotId],
    named: NamedDependency[SkipValidation[CalendarUserId | None]],
) -> BotView:
    """Cancel a bot for good; one that is out already is called back.

    For a person whom the request names, or its key is bound to: what others want of it stays.
    """
    bound = msgspec.structs.replace(context, user_id=named)
    bot = await steer.cancel_bot(services, bound, bot_id)
    await accounts.note(services, context, "bot.cancelled", bot_id)
    return bot_view(bot)


router = Router(
    "/v1/bots",
    route_handlers=[list_bots, read_bot, change_bot, cancel_bot],
    dependencies=PAGED,
    opt=PERSON,
    tags=["Bots"],
)
