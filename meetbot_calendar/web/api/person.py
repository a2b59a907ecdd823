"""``/v1/calendar/users/{id}/export``: everything that is stored of a person."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Router, get
from litestar.params import FromPath

from meetbot_calendar.journeys import export
from meetbot_calendar.journeys.export import Export
from meetbot_calendar.journeys.reading import calendar_state
from meetbot_calendar.web.api.bots import BotView, bot_view
from meetbot_calendar.web.api.calendars import (
    CalendarView,
    ConnectionView,
    calendar_view,
    connection_view,
)
from meetbot_calendar.web.api.events import EventView, event_view
from meetbot_calendar.web.api.outbox import MessageView, message_view
from meetbot_calendar.web.api.parts import CALLER, Caller, Given, utc
from meetbot_calendar.web.api.rules import VersionView, version_view
from meetbot_calendar.web.api.users import UserView, user_view
from meetbot_calendar.web.auth import PERSON
from tenants.identity import CalendarUserId


class StoredEventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is shown, and all that is stored of what it says."""

    event: EventView
    content: dict[str, Any]


class OverrideView(msgspec.Struct, frozen=True, kw_only=True):
    """A person's own yes or no for one event."""

    event_id: str
    action: str
    bot_config: dict[str, Any]
    actor: str
    created_at: datetime


class ExportView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is stored of a person."""

    exported_at: datetime
    calendar_user: UserView
    rules: tuple[VersionView, ...]
    connections: tuple[ConnectionView, ...]
    calendars: tuple[CalendarView, ...]
    events: tuple[StoredEventView, ...]
    overrides: tuple[OverrideView, ...]
    bots: tuple[BotView, ...]
    messages: tuple[MessageView, ...]


def _export(found: Export) -> ExportView:
    return ExportView(
        exported_at=utc(found.exported_at),
        calendar_user=user_view(found.user),
        rules=tuple(version_view(saved) for saved in found.rules),
        connections=tuple(connection_view(connection) for connection in found.connections),
        calendars=tuple(
            calendar_view(calendar_state(calendar, found.exported_at))
            for calendar in found.calendars
        ),
        events=tuple(
            StoredEventView(
                event=event_view(listed), content=msgspec.to_builtins(listed.event.content)
            )
            for listed in found.events
        ),
        overrides=tuple(
            OverrideView(
                event_id=override.event_id,
                action=override.action,
                bot_config=override.bot_config,
                actor=override.actor,
                created_at=utc(override.created_at),
            )
            for override in found.overrides
        ),
        bots=tuple(bot_view(bot) for bot in found.bots),
        messages=tuple(message_view(message) for message in found.messages),
    )


@get("/export")
async def export_calendar_user(
    services: Given, context: Caller, user_id: FromPath[CalendarUserId]
) -> ExportView:
    """Return everything that is stored of a person; their grants are not told to anybody."""
    return _export(await export.export_user(services, context, user_id))


router = Router(
    "/v1/calendar/users/{user_id:str}",
    route_handlers=[export_calendar_user],
    dependencies=CALLER,
    opt=PERSON,
    tags=["Calendar users"],
)
