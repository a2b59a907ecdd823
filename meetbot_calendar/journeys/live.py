"""Ask the providers themselves, now: what a person's accounts show, whatever we have stored."""

import asyncio
from collections.abc import Mapping

import msgspec

from meetbot_calendar.calendars.model import Connection, ConnectionId, ListedCalendar, Provider
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys import errands, grants, restraint
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
    """What a person's accounts show; ``known`` says which calendars are synced and which not."""

    accounts: tuple[LiveAccount, ...]
    known: Mapping[tuple[str, str], bool]

    def is_selected(self, account: LiveAccount, listed: ListedCalendar) -> bool:
        """Say whether a calendar is synced; of one not seen before, whether it will be."""
        name = (account.connection.id, listed.platform_id)
        return self.known.get(name, listed.is_synced_unasked)


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
        known={(c.connection_id, c.platform_id): c.selected for c in stored},
    )


class Account(msgspec.Struct, frozen=True):
    """Whose calendars are to be listed."""

    connection_id: ConnectionId
    provider: Provider


async def _list(
    services: Services, context: TenantContext, account: Account
) -> tuple[ListedCalendar, ...]:
    provider, connection_id = services.providers[account.provider], account.connection_id
    return await restraint.ask(
        services,
        context.tenant_id,
        connection_id,
        lambda: grants.spend(services, context, connection_id, provider.calendars),
    )


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
