"""Keep the list of an account's calendars true, and part from accounts and calendars that left."""

from datetime import datetime, timedelta

from meetbot_calendar.calendars.model import Calendar, ConnectionId, Grant
from meetbot_calendar.errors import CalendarGone, MeetbotError
from meetbot_calendar.journeys import grants
from meetbot_calendar.journeys.ringing import ring_calendars, ring_decide
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import (
    calendars,
    connections,
    erasure,
    event_marks,
    events,
    sealed_grants,
    watches,
)
from meetbot_calendar.storage.sealed_grants import GrantRow
from tenants.identity import TenantContext, TenantId
from tenants.storage.session import TenantSession

_EVERY = timedelta(hours=1)
_FAREWELL_AGAIN = timedelta(minutes=5)
_FAREWELL_AT_MOST = timedelta(days=1)
_GONE_AFTER = 3


def is_due(listed_at: datetime | None, now: datetime) -> bool:
    """Say whether an account's calendars were last listed too long ago."""
    return listed_at is None or listed_at <= now - _EVERY


async def refresh(services: Services, primary: Calendar, grant: Grant) -> None:
    """List an account's calendars again, hourly: new ones are synced, lost ones let go."""
    now = services.clock.now()
    async with services.database.tenant(primary.tenant_id) as session:
        if not await connections.claim_listing(session, primary.connection_id, now, _EVERY):
            return
    listed = await services.providers[primary.provider].calendars(grant)
    async with services.database.tenant(primary.tenant_id) as session:
        connection = await connections.get(session, primary.connection_id)
        if connection is None:
            return
        fresh = await calendars.save_listed(session, connection, listed, now)
        for lost in await calendars.unlisted(session, connection.id, listed):
            await _let_go(session, lost, services)
    await ring_calendars(services, primary.tenant_id, fresh)


async def _let_go(session: TenantSession, lost: Calendar, services: Services) -> None:
    await events.withdraw_calendar(session, lost.id, lost.user_id, services.clock.now())
    await calendars.retire(session, lost.id)


async def check_gone(services: Services, calendar: Calendar) -> None:
    """Let a calendar go that the provider has refused to show several times in a row.

    What failed for another reason before does not count for a first refusal.
    """
    if calendar.error_code != CalendarGone.code or calendar.failures + 1 < _GONE_AFTER:
        return
    async with services.database.tenant(calendar.tenant_id) as session:
        await _let_go(session, calendar, services)
    await ring_decide(services, calendar.tenant_id, calendar.user_id)


async def farewell(services: Services, tenant_id: TenantId, connection_id: ConnectionId) -> bool:
    """Part from a removed connection: stop its watches, give the grant back, forget it.

    True once it is done. Its events are decided first, so that its bots are gone. A provider that
    cannot be reached is tried again for a day.
    """
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        row = await sealed_grants.removed(session, connection_id)
        if row is None:
            return False
        again = now + services.clock.patience(60.0)
        await connections.postpone(session, connection_id, again)
        if await event_marks.awaits_decision(session, connection_id):
            await connections.postpone(session, connection_id, now + services.clock.patience(2.0))
            return False
    async with services.database.gate(sealed_grants.grant_name(row.connection)) as gate:
        shared = await sealed_grants.shares_grant(gate, connection_id)
    try:
        await _give_back(services, row, revoke=not shared)
    except MeetbotError:
        if now < row.connection.updated_at + _FAREWELL_AT_MOST:
            async with services.database.tenant(tenant_id) as session:
                await connections.postpone(session, connection_id, now + _FAREWELL_AGAIN)
            return False
    async with services.database.tenant(tenant_id) as session:
        if await connections.forget(session, connection_id):
            await events.blank(session, connection_id)
            await watches.drop_all(session, connection_id)
            await erasure.finish(session, row.connection.user_id)
    return True


async def _give_back(services: Services, row: GrantRow, *, revoke: bool) -> None:
    connection = row.connection
    context = TenantContext(tenant_id=connection.tenant_id)
    provider = services.providers[connection.provider]
    grant = await grants.unseal(services, row)
    async with services.database.tenant(context.tenant_id) as session:
        watched = [
            watch
            for calendar in await calendars.of_connection(session, connection.id)
            for watch in await watches.of_calendar(session, calendar.id)
        ]
    for watch in watched:
        if watch.receipt is not None:
            try:
                await provider.unwatch(grant, watch.receipt)
            except MeetbotError:
                continue  # it runs out by itself, and its address is about to be unknown
    if revoke:
        app = await grants.app_for(services, context, connection, grant)
        await provider.revoke(app, grant)
