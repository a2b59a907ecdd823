"""Bring a calendar up to date: claim it, read what changed, record rows and cursor together."""

from datetime import datetime, timedelta
from functools import partial

import msgspec

from meetbot_calendar.calendars import freshness
from meetbot_calendar.calendars.freshness import SyncOutcome
from meetbot_calendar.calendars.model import Calendar, CalendarId, Grant, Provider, Window
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import (
    AccessExpired,
    CalendarGone,
    CursorExpired,
    InstallationFault,
    MeetbotError,
    ReconnectNeeded,
    TryLater,
)
from meetbot_calendar.journeys import grants, heartbeat, listing, quotas, restraint, rounds
from meetbot_calendar.journeys.outages import KEYS_AWAY
from meetbot_calendar.journeys.ringing import ring_decide, ring_deliveries
from meetbot_calendar.journeys.rounds import Round
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.watching import reference
from meetbot_calendar.storage import calendar_leases, calendars, connections
from meetbot_calendar.storage.calendar_leases import Lease, Progress, Setback
from tenants.identity import TenantContext, TenantId
from tenants.storage.session import TenantSession

_ENDLESS = "endless_round"  # a place from which the provider's pages never end is as good as lost
_TURN = 2.0  # seconds until a calendar whose mailbox is being read is tried again
_DAY = timedelta(days=1)


class _Overtaken(Exception):
    """The lease was lost: somebody else reads this calendar now, and what we read is dropped."""


class SyncedCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did to one calendar; ``error`` says why it could not, ``code`` in one word.

    ``full`` says that it was listed whole; ``gap_seconds`` how old our picture of it had become;
    ``is_ours`` that the error is the installation's, which its operator alone can mend.
    """

    calendar_id: CalendarId
    name: str
    provider: Provider
    account_id: str
    full: bool = False
    gap_seconds: float | None = None
    created: int = 0
    updated: int = 0
    deleted: int = 0
    code: str | None = None
    error: str | None = None
    is_ours: bool = False

    def __repr__(self) -> str:
        counts = f"+{self.created} ~{self.updated} -{self.deleted}"
        return f"SyncedCalendar({self.calendar_id}, {counts}, {self.code or 'ok'})"


async def sync(
    services: Services, tenant_id: TenantId, calendar_id: CalendarId
) -> SyncedCalendar | None:
    """Sync one calendar; None where somebody else is at it, or it is not to be synced.

    A failure is recorded with the calendar, and with when to try again; it is not raised.
    """
    now = services.clock.now()
    until = now + heartbeat.lasts(services)
    async with services.database.tenant(tenant_id) as session:
        lease = await calendar_leases.claim(session, calendar_id, now=now, until=until)
        if lease is None:
            await calendars.rest_unreadable(session, calendar_id)
            again = now + services.clock.patience(_TURN)
            await calendars.wait_for_another(session, calendar_id, now, again)
            return None
    requests = 2 if listing.is_due(services, lease, now) else 1
    wait = await quotas.wait_for_turn(services, lease, now, requests=requests)
    if wait is not None:
        phase = freshness.phase_of(lease.calendar.user_id)
        look = min(freshness.looks_ahead(lease.departures, now, phase), default=now + wait)
        due_at = min(look, now + wait)
        async with services.database.tenant(tenant_id) as session:
            await calendar_leases.put_off(session, lease, due_at, is_urgent=due_at < now + wait)
        return None
    try:
        async with heartbeat.kept(services, partial(_prolong, services, lease)):
            return await _work(services, lease, now)
    except MeetbotError as error:
        await _set_back(services, tenant_id, lease, error)
        return msgspec.structs.replace(
            nothing_new(lease.calendar),
            code=error.code,
            error=error.detail,
            is_ours=isinstance(error, InstallationFault),
        )
    except KEYS_AWAY:
        async with services.database.bare(tenant_id) as bare:
            await calendar_leases.let_go(bare, lease)
        raise  # it stays due, and nothing is held against it


async def _prolong(services: Services, lease: Lease, until: datetime) -> None:
    async with services.database.bare(lease.calendar.tenant_id) as session:
        await calendar_leases.prolong(session, lease, until)


async def _work(services: Services, lease: Lease, now: datetime) -> SyncedCalendar:
    calendar = lease.calendar
    context = TenantContext(tenant_id=calendar.tenant_id)
    at_hand = grants.at_hand(
        services, calendar.tenant_id, calendar.connection_id, lease.sealed_grant
    )
    grant = at_hand or await grants.fresh(services, context, calendar.connection_id)
    try:
        return await _read_and_record(services, lease, grant, now)
    except AccessExpired:
        grant = await grants.fresh(services, context, calendar.connection_id, refused=grant)
        return await _read_and_record(services, lease, grant, now)
    except ReconnectNeeded as refusal:
        await grants.needs_reauth(services, context, calendar.connection_id, refusal, refused=grant)
        raise


async def _read_and_record(
    services: Services, lease: Lease, grant: Grant, now: datetime
) -> SyncedCalendar:
    calendar = lease.calendar
    listed = listing.is_due(services, lease, now) and await listing.refresh(services, lease, grant)
    window, full = _window(services, calendar, now)
    try:
        taken = await _read(services, calendar, grant, window, full=full)
    except (CursorExpired, TryLater) as lost:
        if full or not (isinstance(lost, CursorExpired) or lost.code == _ENDLESS):
            raise
        window = _new_window(services, now)
        taken = await _read(services, calendar, grant, window, full=True)
    return await _record(services, lease, taken, window, listed_at=now if listed else None)


def _window(services: Services, calendar: Calendar, now: datetime) -> tuple[Window, bool]:
    """Return the window to read, and whether to list it whole: it is new, or we have no cursor."""
    house, window = services.house, calendar.window
    rolls = freshness.must_roll(
        window, now, past_days=house.past / _DAY, future_days=house.future / _DAY
    )
    if window is None or rolls:
        return _new_window(services, now), True
    return window, calendar.cursor is None


def _new_window(services: Services, now: datetime) -> Window:
    house = services.house
    return freshness.new_window(now, past_days=house.past / _DAY, future_days=house.future / _DAY)


def _next_due(
    services: Services, calendar: Calendar, outcome: SyncOutcome, now: datetime
) -> datetime | None:
    return freshness.next_sync(
        outcome,
        now=now,
        interval=services.house.poll_interval,
        phase=freshness.phase_of(calendar.user_id),
    )


async def _read(
    services: Services, calendar: Calendar, grant: Grant, window: Window, *, full: bool
) -> Round:
    pages = services.providers[calendar.provider].changes(
        grant,
        reference(calendar),
        cursor=None if full else calendar.cursor,
        window=window,
    )
    return Round(pages=tuple([page async for page in pages]), full=full)


async def _record(
    services: Services, lease: Lease, taken: Round, window: Window, *, listed_at: datetime | None
) -> SyncedCalendar:
    """Write rows, cursor and message in one transaction, if the calendar is still ours."""
    calendar, now = lease.calendar, services.clock.now()
    before = calendar.last_complete_sync_at
    turn = _next_due(services, calendar, SyncOutcome(), now)
    due_at = _next_due(services, calendar, SyncOutcome(departures=lease.departures), now)
    progress = Progress(
        cursor=taken.cursor,
        window=window,
        complete_at=now,
        due_at=due_at or now,
        is_urgent=due_at != turn,
        listed_at=listed_at,
    )
    written: tuple[EndpointId, ...] = ()
    try:
        async with services.database.tenant(calendar.tenant_id) as session:
            counts, written = await rounds.write(session, calendar, taken, window, now)
            progress = msgspec.structs.replace(
                progress, created=counts.created, updated=counts.updated, deleted=counts.deleted
            )
            await _finish(session, lease, progress)
    except _Overtaken:
        return nothing_new(calendar)
    await ring_deliveries(services, calendar.tenant_id, written)
    if counts.changed:
        await ring_decide(services, calendar.tenant_id, calendar.user_id)
    return SyncedCalendar(
        calendar_id=calendar.id,
        name=calendar.name,
        provider=calendar.provider,
        account_id=calendar.account_id,
        full=taken.full,
        gap_seconds=None if before is None else (now - before).total_seconds(),
        created=counts.created,
        updated=counts.updated,
        deleted=counts.deleted,
    )


async def _finish(session: TenantSession, lease: Lease, progress: Progress) -> None:
    if not await calendar_leases.finish(session, lease, progress):
        raise _Overtaken


async def _set_back(
    services: Services, tenant_id: TenantId, lease: Lease, error: MeetbotError
) -> None:
    now = services.clock.now()
    calendar = lease.calendar
    async with services.database.tenant(tenant_id) as session:
        connection = await connections.get(session, calendar.connection_id)
        outcome = SyncOutcome(
            status="needs_reauth" if connection is None else connection.status,
            failures=calendar.failures + 1,
            retry_after=error.after if isinstance(error, TryLater) else None,
            will_pass=isinstance(error, (TryLater, InstallationFault)),
        )
        due_at = _next_due(services, calendar, outcome, now)
        setback = Setback(code=error.code, detail=error.detail, due_at=due_at)
        await calendar_leases.fail(session, lease, setback, now)
        if not isinstance(error, InstallationFault):  # the operator's to mend, nobody's connection
            await connections.mark_unread(
                session, calendar.connection_id, now, error.code, error.detail
            )
    if isinstance(error, TryLater):
        await restraint.hold(services, tenant_id, calendar.connection_id, error)
    if isinstance(error, CalendarGone):
        await listing.check_gone(services, calendar)


def nothing_new(calendar: Calendar) -> SyncedCalendar:
    """Say of a calendar that a round changed nothing."""
    return SyncedCalendar(
        calendar_id=calendar.id,
        name=calendar.name,
        provider=calendar.provider,
        account_id=calendar.account_id,
    )
