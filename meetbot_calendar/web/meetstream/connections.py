"""``/v1/calendar/connections``: which accounts a person has connected; never a token."""

from datetime import datetime

import msgspec
from litestar import get
from litestar.params import FromPath

from meetbot_calendar.calendars.model import Connection, ConnectionStatus, Provider
from meetbot_calendar.journeys import reading
from meetbot_calendar.web.api.calendars import TroubleView, trouble_view
from meetbot_calendar.web.api.connect import ProviderName, provider_of
from meetbot_calendar.web.api.parts import Caller, Given, utc, utc_or_none
from meetbot_calendar.web.meetstream.callers import Mine, MineIfAny
from meetbot_calendar.web.meetstream.words import CALENDAR_PLATFORMS


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """One connected account."""

    provider: Provider
    account_id: str
    platform: str
    user_email: str
    user_name: str | None
    status: ConnectionStatus
    scopes: tuple[str, ...]
    last_sync_at: datetime | None
    error: TroubleView | None
    created_at: datetime
    updated_at: datetime


class AccountsView(msgspec.Struct, frozen=True, kw_only=True):
    """All connected accounts, by provider."""

    connections: dict[Provider, tuple[AccountView, ...]]
    total: int
    user_id: str | None


def account_view(connection: Connection) -> AccountView:
    """Write an account."""
    return AccountView(
        provider=connection.provider,
        account_id=connection.account_id,
        platform=CALENDAR_PLATFORMS[connection.provider],
        user_email=connection.account_id,
        user_name=connection.name,
        status=connection.status,
        scopes=connection.scopes,
        last_sync_at=utc_or_none(connection.last_sync_at),
        error=trouble_view(connection.error_code, connection.error_detail),
        created_at=utc(connection.created_at),
        updated_at=utc(connection.updated_at),
    )


@get("/connections")
async def list_accounts(services: Given, context: Caller, mine_if_any: MineIfAny) -> AccountsView:
    """List the accounts that the caller has connected, grouped by provider."""
    found: tuple[Connection, ...] = ()
    if mine_if_any is not None:
        found = await reading.list_connections(services, context, mine_if_any)
    return AccountsView(
        connections={
            provider: tuple(account_view(row) for row in found if row.provider is provider)
            for provider in Provider
        },
        total=len(found),
        user_id=mine_if_any,
    )


@get("/connections/{provider:str}/{account_id:str}")
async def read_account(
    services: Given,
    context: Caller,
    mine: Mine,
    provider: FromPath[ProviderName],
    account_id: FromPath[str],
) -> AccountView:
    """Return one connected account, by its email, URL-encoded."""
    found = await reading.read_connection(
        services, context, mine, provider_of(provider), account_id.lower()
    )
    return account_view(found)


HANDLERS = (list_accounts, read_account)
