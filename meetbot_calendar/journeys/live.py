"""Ask the providers themselves, now: what a person's accounts show, whatever we have stored."""

import asyncio

import msgspec

from meetbot_calendar.calendars.model import Connection, ConnectionId, ListedCalendar, Provider
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys import errands, grants
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.errands import Errand
from meetbot_calendar.journeys.scope import Scope
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars, connections
from tenants.identity import CalendarUserId, TenantContext

_AT_ONCE = 8


class LiveAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What one account shows now; ``error`` says why it could not be asked."""

    connection: Connection
    listed: tuple[ListedCalendar, ...] = ()
    error: str | None = None


class LiveCalendars(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's accounts show; ``unselected`` are calendars that are not synced."""

    accounts: tuple[LiveAccount, ...]
    unselected: frozenset[tuple[str, str]]

    def is_selected(self, account: LiveAccount, listed: ListedCalendar) -> bool:
        """Say whether a calendar is synced; one not seen before will be, if it shows details."""
        if (account.connection.id, listed.platform_id) in self.unselected:
            return False
        return listed.access_role != "free_busy_reader"


async def list_calendars(
    services: Services, context: TenantContext, user_id: CalendarUserId, scope: Scope
) -> LiveCalendars:
    """List the calendars of a person's accounts; one that fails does not disturb the others."""
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        accounts = [
            connection
            for connection in await connections.of_user(session, user_id)
            if scope.holds(connection.provider, connection.account_id)
        ]
        stored = await calendars.standing(session, user_id)
    gate = asyncio.Semaphore(_AT_ONCE)
    found = await asyncio.gather(*(_ask(services, context, each, gate) for each in accounts))
    return LiveCalendars(
        accounts=tuple(found),
        unselected=frozenset((c.connection_id, c.platform_id) for c in stored if not c.selected),
    )


class Account(msgspec.Struct, frozen=True):
    """Whose calendars are to be listed."""

    connection_id: ConnectionId
    provider: Provider


async def _list(
    services: Services, context: TenantContext, account: Account
) -> tuple[ListedCalendar, ...]:
    provider = services.providers[account.provider]
    return await grants.spend(services, context, account.connection_id, provider.calendars)


LISTING = Errand(kind="calendars", question=Account, answer=tuple[ListedCalendar, ...], do=_list)


async def _ask(
    services: Services, context: TenantContext, connection: Connection, gate: asyncio.Semaphore
) -> LiveAccount:
    account = Account(connection.id, connection.provider)
    async with gate:
        try:
            listed = await errands.run(services, context, LISTING, account)
        except MeetbotError as error:
            return LiveAccount(connection=connection, error=error.detail)
    return LiveAccount(connection=connection, listed=listed)
