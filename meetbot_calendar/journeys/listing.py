"""Keep the list of an account's calendars true, and part from accounts and calendars that left."""

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.calendars import freshness
from meetbot_calendar.calendars.model import (
    Calendar,
    ConnectionId,
    Grant,
    ListedCalendar,
    WatchReceipt,
)
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import CalendarGone, GiveUp, MeetbotError, TryLater
from meetbot_calendar.journeys import grants, restraint, rounds, sharing
from meetbot_calendar.journeys.ringing import ring_calendars, ring_decide, ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import (
    calendar_lists,
    calendars,
    connections,
    erasure,
    event_marks,
    events,
    sealed_grants,
    watches,
)
from meetbot_calendar.storage.calendar_leases import Lease
from meetbot_calendar.storage.sealed_grants import GrantRow
from tenants.identity import TenantContext, TenantId

_FAREWELL_AGAIN = timedelta(minutes=5)
_FAREWELL_AT_MOST = timedelta(days=1)
_GONE_AFTER = 3


def is_due(services: Services, lease: Lease, now: datetime) -> bool:
    """Say whether it is for this reader to list the account's calendars again.

    They are listed once in every turn, by whichever round is the first: were it counted from the
    last time, a turn soon after an urgent round would leave the list to the next one.
    """
    phase = freshness.phase_of(lease.calendar.user_id)
    turn = freshness.next_turn(now, services.house.poll_interval, phase)
    begun = turn - services.house.poll_interval
    return lease.lists and (lease.listed_at is None or lease.listed_at < begun)


async def refresh(services: Services, lease: Lease, grant: Grant) -> bool:
    """List an account's calendars again: new ones are synced, lost ones let go.

    False where the list cannot be had: that disturbs nobody, and it is asked for again; but what
    is wrong with the grant is raised, and so is that the account is to be left alone for a while.
    """
    of = lease.calendar
    try:
        listed = await services.providers[of.provider].calendars(grant)
    except TryLater as busy:
        if restraint.binds(busy):
            raise
        return False
    except (CalendarGone, GiveUp):
        return False
    digest = _digest(listed)
    if digest != lease.digest:
        await _take_over(services, of, listed, digest)
    return True


def _digest(listed: tuple[ListedCalendar, ...]) -> str:
    told = msgspec.json.encode(sorted(listed, key=lambda entry: entry.platform_id))
    return hashlib.sha256(told).hexdigest()


async def _take_over(
    services: Services, of: Calendar, listed: tuple[ListedCalendar, ...], digest: str
) -> None:
    now = services.clock.now()
    told: list[EndpointId] = []
    async with services.database.tenant(of.tenant_id) as session:
        connection = await connections.get(session, of.connection_id)
        if connection is None:
            return
        await connections.remember_listing(session, connection.id, digest, now)
        gone = await calendar_lists.out_of_sight(session, connection.id, listed)
        fresh = await calendar_lists.save_listed(session, connection, listed, now)
        for lost in gone:
            await calendars.retire(session, lost.id, now, out_of_sight=True)
            told += await rounds.withdraw(session, lost, now)
    await ring_calendars(services, of.tenant_id, fresh)
    await ring_deliveries(services, of.tenant_id, told)


async def check_gone(services: Services, calendar: Calendar) -> None:
    """Show no more of a calendar that the provider has refused to show several times in a row.

    It stays selected, and is asked for now and then: should it be shown again, all of it is read.
    What failed for another reason before does not count for a first refusal.
    """
    if calendar.error_code != CalendarGone.code or calendar.failures + 1 < _GONE_AFTER:
        return
    async with services.database.tenant(calendar.tenant_id) as session:
        now = services.clock.now()
        await calendars.forget_cursor(session, calendar.id)
        told = await rounds.withdraw(session, calendar, now)
    await ring_deliveries(services, calendar.tenant_id, told)
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
    watched = await _watched(services, row)
    try:
        await _give_back(services, row, watched, revoke=not shared)
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
    for watch in watched:
        await sharing.tell_lost(services, watch)
    return True


async def _watched(services: Services, row: GrantRow) -> tuple[WatchReceipt, ...]:
    """Return the provider's watches of a connection's calendars."""
    async with services.database.tenant(row.connection.tenant_id) as session:
        found = [
            watch.receipt
            for calendar in await calendars.of_connection(session, row.connection.id)
            for watch in await watches.of_calendar(session, calendar.id)
        ]
    return tuple(receipt for receipt in found if receipt is not None)


async def _give_back(
    services: Services, row: GrantRow, watched: tuple[WatchReceipt, ...], *, revoke: bool
) -> None:
    connection = row.connection
    context = TenantContext(tenant_id=connection.tenant_id)
    provider = services.providers[connection.provider]
    grant = await grants.unseal(services, row)
    for watch in watched:
        with suppress(MeetbotError):  # it runs out by itself, and its address will be unknown
            await provider.unwatch(grant, watch)
    if revoke:
        app = await grants.app_for(services, context, connection, grant)
        await provider.revoke(app, grant)
