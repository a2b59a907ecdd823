"""``/v1/calendar/users/{id}/export``: everything that is stored of a person."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Router, get
from litestar.params import FromPath

from meetbot_calendar.bots.overrides import SeriesOverride
from meetbot_calendar.calendars.recurrence import rule_of
from meetbot_calendar.journeys import export
from meetbot_calendar.journeys.export import Export, StoredSeries
from meetbot_calendar.journeys.reading import calendar_state
from meetbot_calendar.web.api.accounts import AuditView, audit_view
from meetbot_calendar.web.api.bots import BotView, bot_view
from meetbot_calendar.web.api.calendars import (
    CalendarView,
    ConnectionView,
    calendar_view,
    connection_view,
)
from meetbot_calendar.web.api.events import DecisionView, EventView, decision_view, event_view
from meetbot_calendar.web.api.keys import KeyView, key_view
from meetbot_calendar.web.api.outbox import (
    DeliveryView,
    MessageView,
    delivery_view,
    message_view,
)
from meetbot_calendar.web.api.parts import CALLER, Caller, Given, utc, utc_or_none
from meetbot_calendar.web.api.rules import VersionView, version_view
from meetbot_calendar.web.api.users import UserView, user_view
from meetbot_calendar.web.auth import PERSON
from tenants.identity import CalendarUserId


class StoredEventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is shown, and all that is stored of what it says."""

    event: EventView
    content: dict[str, Any]


class PastDecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of an event; later ones replaced all but the last."""

    event_id: str
    decision: DecisionView


class OverrideView(msgspec.Struct, frozen=True, kw_only=True):
    """A person's own yes or no for one event."""

    event_id: str
    action: str
    bot_config: dict[str, Any]
    actor: str
    created_at: datetime


class SeriesOverrideView(msgspec.Struct, frozen=True, kw_only=True):
    """A yes or no for the occurrences of a series from `first_slot` to `last_slot`."""

    id: str
    calendar_id: str
    series_id: str
    action: str
    first_slot: datetime
    last_slot: datetime | None
    bot_config: dict[str, Any]
    actor: str
    created_at: datetime


class SeriesView(msgspec.Struct, frozen=True, kw_only=True):
    """A series that was asked about, and whether its bots follow one another."""

    calendar_id: str
    series_id: str
    recurring_enabled: bool
    recurrence_rule: str | None
    bot_config: dict[str, Any]
    updated_at: datetime


class ExportView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is stored of a person."""

    exported_at: datetime
    calendar_user: UserView
    rules: tuple[VersionView, ...]
    connections: tuple[ConnectionView, ...]
    calendars: tuple[CalendarView, ...]
    events: tuple[StoredEventView, ...]
    decisions: tuple[PastDecisionView, ...]
    overrides: tuple[OverrideView, ...]
    series: tuple[SeriesView, ...]
    series_overrides: tuple[SeriesOverrideView, ...]
    bots: tuple[BotView, ...]
    messages: tuple[MessageView, ...]
    deliveries: tuple[DeliveryView, ...]
    api_keys: tuple[KeyView, ...]
    audit_entries: tuple[AuditView, ...]


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
        decisions=tuple(
            PastDecisionView(event_id=decided.event_id, decision=decision_view(decided))
            for decided in found.decisions
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
        series=tuple(_series(each) for each in found.series),
        series_overrides=tuple(_series_override(each) for each in found.series_overrides),
        bots=tuple(bot_view(bot) for bot in found.bots),
        messages=tuple(message_view(message) for message in found.messages),
        deliveries=tuple(delivery_view(row.delivery, row.attempts) for row in found.deliveries),
        api_keys=tuple(key_view(key) for key in found.api_keys),
        audit_entries=tuple(audit_view(entry) for entry in found.audit_entries),
    )


def _series(found: StoredSeries) -> SeriesView:
    master = found.content.master
    return SeriesView(
        calendar_id=found.calendar_id,
        series_id=found.platform_id,
        recurring_enabled=found.follows,
        recurrence_rule=rule_of(master) if master else None,
        bot_config=found.content.bot_config,
        updated_at=utc(found.updated_at),
    )


def _series_override(said: SeriesOverride) -> SeriesOverrideView:
    return SeriesOverrideView(
        id=said.id,
        calendar_id=said.calendar_id,
        series_id=said.series_id,
        action=said.action,
        first_slot=utc(said.first_slot),
        last_slot=utc_or_none(said.last_slot),
        bot_config=said.bot_config,
        actor=said.actor,
        created_at=utc(said.created_at),
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
