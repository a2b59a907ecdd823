"""``/v1/calendar/users/{id}`` connections, calendars and sync: how the reading goes."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Router, get, patch, post
from litestar.params import FromPath, JSONBody

from meetbot_calendar.calendars.model import (
    AccessRole,
    CalendarId,
    Connection,
    ConnectionStatus,
    Provider,
    PushState,
)
from meetbot_calendar.journeys import asked_sync, calendars, decide, reading, users
from meetbot_calendar.journeys.reading import CalendarState
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    Given,
    PageOf,
    Wish,
    page_among,
    utc,
    utc_or_none,
)
from meetbot_calendar.web.auth import PERSON
from rules.facts import json_schema
from rules.presets import presets
from tenants.identity import CalendarUserId


class TroubleView(msgspec.Struct, frozen=True, kw_only=True):
    """What last went wrong: a stable code and a sentence."""

    code: str
    detail: str | None


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True):
    """One provider account of a calendar user."""

    id: str
    provider: Provider
    account_id: str
    name: str | None
    status: ConnectionStatus
    scopes: tuple[str, ...]
    last_sync_at: datetime | None
    error: TroubleView | None
    created_at: datetime
    updated_at: datetime


class CalendarView(msgspec.Struct, frozen=True, kw_only=True):
    """One calendar of a connection, and how its syncing goes."""

    id: str
    provider: Provider
    account_id: str
    connection_id: str
    platform_id: str
    name: str
    is_primary: bool
    is_shared: bool
    access_role: AccessRole
    timezone: str | None
    background_color: str | None
    selected: bool
    last_complete_sync_at: datetime | None
    lag_seconds: float | None
    push: PushState
    error: TroubleView | None


class SelectionPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the calendar is synced."""

    selected: bool


class SyncedView(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync found in one calendar, or why it could not."""

    calendar_id: str
    name: str
    account_id: str
    created: int
    updated: int
    deleted: int
    error: str | None


class SyncView(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync found, per calendar."""

    calendars: tuple[SyncedView, ...]


def connection_view(connection: Connection) -> ConnectionView:
    """Write a connection; nothing of its grant."""
    return ConnectionView(
        id=connection.id,
        provider=connection.provider,
        account_id=connection.account_id,
        name=connection.name,
        status=connection.status,
        scopes=connection.scopes,
        last_sync_at=utc_or_none(connection.last_sync_at),
        error=trouble_view(connection.error_code, connection.error_detail),
        created_at=utc(connection.created_at),
        updated_at=utc(connection.updated_at),
    )


def calendar_view(state: CalendarState) -> CalendarView:
    """Write a calendar."""
    calendar = state.calendar
    return CalendarView(
        id=calendar.id,
        provider=calendar.provider,
        account_id=calendar.account_id,
        connection_id=calendar.connection_id,
        platform_id=calendar.platform_id,
        name=calendar.name,
        is_primary=calendar.is_primary,
        is_shared=calendar.is_shared,
        access_role=calendar.access_role,
        timezone=calendar.timezone,
        background_color=calendar.background_color,
        selected=calendar.selected,
        last_complete_sync_at=utc_or_none(calendar.last_complete_sync_at),
        lag_seconds=state.lag_seconds,
        push=calendar.push,
        error=trouble_view(calendar.error_code, calendar.error_detail),
    )


def trouble_view(code: str | None, detail: str | None) -> TroubleView | None:
    """Write what went wrong, where anything did."""
    return None if code is None else TroubleView(code=code, detail=detail)


@get("/users/{user_id:str}/connections", tags=["Calendars"])
async def list_connections(
    services: Given, context: Caller, wish: Wish, user_id: FromPath[CalendarUserId]
) -> PageOf[ConnectionView]:
    """List a calendar user's connections with their health, oldest first."""
    found = await reading.list_connections(services, context, user_id)
    rows: dict[str, ConnectionView] = {
        connection.id: connection_view(connection) for connection in found
    }
    return page_among(wish, rows, "connections", user_id)


@get("/users/{user_id:str}/calendars", tags=["Calendars"])
async def list_calendars(
    services: Given, context: Caller, wish: Wish, user_id: FromPath[CalendarUserId]
) -> PageOf[CalendarView]:
    """List a calendar user's calendars, and how far behind each is, oldest first."""
    found = await reading.list_calendars(services, context, user_id)
    rows: dict[str, CalendarView] = {s.calendar.id: calendar_view(s) for s in found}
    return page_among(wish, rows, "calendars", user_id)


@patch("/users/{user_id:str}/calendars/{calendar_id:str}", tags=["Calendars"])
async def select_calendar(
    services: Given,
    context: Caller,
    user_id: FromPath[CalendarUserId],
    calendar_id: FromPath[CalendarId],
    data: JSONBody[SelectionPatch],
) -> CalendarView:
    """Have a calendar synced, or no more: then its events are no longer shown, its bots go."""
    state = await calendars.select(services, context, user_id, calendar_id, selected=data.selected)
    return calendar_view(state)


@post("/users/{user_id:str}/sync", status_code=200, tags=["Calendars"])
async def sync_now(services: Given, context: Caller, user_id: FromPath[CalendarUserId]) -> SyncView:
    """Sync all selected calendars now; answers when done, and what was found is decided."""
    await users.read_user(services, context, user_id)
    rows = await asked_sync.sync_user(services, context, user_id)
    await decide.decide(services, context.tenant_id, user_id)
    return SyncView(
        calendars=tuple(
            SyncedView(
                calendar_id=row.calendar_id,
                name=row.name,
                account_id=row.account_id,
                created=row.created,
                updated=row.updated,
                deleted=row.deleted,
                error=row.error,
            )
            for row in rows
        )
    )


@get("/event-schema", tags=["Rules"])
async def read_event_schema(context: Caller) -> dict[str, Any]:
    """Return the JSON Schema of the event document that rules see."""
    _ = context
    return json_schema()


class PresetView(msgspec.Struct, frozen=True, kw_only=True):
    """A ready-made rule, to insert and to edit."""

    name: str
    title: str
    sentence: str
    rule: dict[str, Any]


@get("/rule-presets", tags=["Rules"])
async def list_rule_presets(context: Caller, wish: Wish) -> PageOf[PresetView]:
    """List ready-made rules: plain JsonLogic, with a sentence each."""
    _ = context
    rows = {f"{n:03}": PresetView(**preset) for n, preset in enumerate(presets())}
    return page_among(wish, rows, "rule-presets")


router = Router(
    "/v1/calendar",
    route_handlers=[
        list_connections,
        list_calendars,
        select_calendar,
        sync_now,
        read_event_schema,
        list_rule_presets,
    ],
    dependencies=PAGED,
    opt=PERSON,
)
