"""``/v1/calendar/calendars``: what the accounts show now, live from the providers."""

import msgspec
from litestar import get

from meetbot_calendar.calendars.model import ConnectionStatus, ListedCalendar, Provider
from meetbot_calendar.journeys import live
from meetbot_calendar.journeys.live import LiveAccount, LiveCalendars
from meetbot_calendar.web.api.parts import Caller, Given
from meetbot_calendar.web.meetstream.callers import MineIfAny
from meetbot_calendar.web.meetstream.scopes import SCOPED, Scoped
from meetbot_calendar.web.meetstream.words import access_role, account_key

# Graph's calendars have no zone (its times are asked for in UTC), nor a colour until one is set.
_GRAPH_ZONE = "UTC"
_COLORS = {Provider.GOOGLE: "#4285f4", Provider.OUTLOOK: "#0078d4"}


class LiveCalendarRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A calendar as its provider shows it now."""

    id: str
    summary: str
    is_primary: bool
    access_role: str
    time_zone: str
    background_color: str
    selected: bool
    provider: Provider
    account_id: str = msgspec.field(name="account_id")


class LiveAccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account that was asked."""

    provider: Provider
    account_id: str
    status: ConnectionStatus
    calendars: int
    error: str | None


class LiveCalendarsView(msgspec.Struct, frozen=True, kw_only=True):
    """All calendars; `partial_errors` names accounts that could not be asked."""

    calendars: tuple[LiveCalendarRow, ...]
    total: int
    user_id: str | None
    connections: tuple[LiveAccountRow, ...]
    partial_errors: dict[str, str]


@get("/calendars", dependencies=SCOPED)
async def list_live_calendars(
    services: Given, context: Caller, mine_if_any: MineIfAny, accounts: Scoped
) -> LiveCalendarsView:
    """List the calendars of all connected accounts, or of one, as their providers show them now."""
    found = LiveCalendars(accounts=(), known={})
    if mine_if_any is not None:
        found = await live.list_calendars(services, context, mine_if_any, accounts)
    rows = tuple(
        _row(account, entry, selected=found.is_selected(account, entry))
        for account in found.accounts
        for entry in account.listed
    )
    return LiveCalendarsView(
        calendars=rows,
        total=len(rows),
        user_id=mine_if_any,
        connections=tuple(_account(account) for account in found.accounts),
        partial_errors={
            account_key(account.connection.provider, account.connection.account_id): account.error
            for account in found.accounts
            if account.error is not None
        },
    )


def _row(account: LiveAccount, listed: ListedCalendar, *, selected: bool) -> LiveCalendarRow:
    return LiveCalendarRow(
        id=listed.platform_id,
        summary=listed.name,
        is_primary=listed.is_primary,
        access_role=access_role(listed.access_role),
        time_zone=listed.timezone or _GRAPH_ZONE,
        background_color=listed.background_color or _COLORS[account.connection.provider],
        selected=selected,
        provider=account.connection.provider,
        account_id=account.connection.account_id,
    )


def _account(account: LiveAccount) -> LiveAccountRow:
    return LiveAccountRow(
        provider=account.connection.provider,
        account_id=account.connection.account_id,
        status=account.connection.status,
        calendars=len(account.listed),
        error=account.error,
    )
