"""Keep a push subscription on every calendar that can have one: made, renewed, made again."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from meetbot_calendar.calendars import freshness
from meetbot_calendar.calendars.model import (
    Calendar,
    CalendarId,
    Grant,
    Provider,
    WatchId,
    WatchReceipt,
)
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.errors import (
    MeetbotError,
    Missing,
    PushUnsupported,
    ReconnectNeeded,
    TryLater,
    WatchStands,
)
from meetbot_calendar.journeys import grants, restraint, sharing
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.sharing import hash_of
from meetbot_calendar.storage import calendars, watches
from meetbot_calendar.storage.watches import Watch
from tenants.identity import TenantContext, TenantId, new_id

_LIFE = timedelta(days=6)
_AGAIN = timedelta(hours=6)
_SOON = timedelta(minutes=5)
_PATIENCE = 60.0  # seconds before another worker may try the same calendar

Outcome = Literal["active", "renewed", "unsupported", "lost", "stopped", "idle"]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The one watch that a calendar is left with, and the name that its provider gave it."""

    id: WatchId
    platform_watch_id: str
    expires_at: datetime


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """How looking after a calendar's watch went: ``kept`` is it, or ``error`` says why not."""

    calendar: Calendar
    outcome: Outcome
    kept: Kept | None = None
    error: str | None = None


async def watch(services: Services, tenant_id: TenantId, calendar_id: CalendarId) -> Outcome:
    """Make or renew a calendar's watch where it is time to; stop it where it is not synced.

    A provider that refuses for good is remembered as ``unsupported``; any other refusal leaves the
    push ``lost``, is tried again later, and takes nothing from polling.
    """
    context = TenantContext(tenant_id=tenant_id)
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        calendar = await calendars.get(session, calendar_id)
        due = await calendars.claim_push(
            session, calendar_id, now, now + services.clock.patience(_PATIENCE)
        )
        if not due:
            await calendars.rest_unreadable(session, calendar_id)
        known = await watches.of_calendar(session, calendar_id)
    if calendar is None or not due:
        return "idle"
    work = _look_after(services, context, calendar, known)
    return (await _attended(services, calendar, now, work)).outcome


async def watch_with(
    services: Services, calendar: Calendar, grant: Grant, *, keep: bool = False
) -> Watched:
    """Make or renew a calendar's watch at once, under a grant that is at hand.

    The caller has seen to it that the worker does not do the same meanwhile. ``keep`` says that the
    grant is of the client that made the watch: one that stands and cannot be prolonged is kept.
    """
    now = services.clock.now()
    async with services.database.tenant(calendar.tenant_id) as session:
        known = await watches.of_calendar(session, calendar.id)
    return await _attended(
        services, calendar, now, _renew_or_make(services, calendar, grant, known, keep=keep)
    )


async def _attended(
    services: Services,
    calendar: Calendar,
    now: datetime,
    work: Awaitable[tuple[Outcome, Kept | None]],
) -> Watched:
    """Do the work, or settle what its refusal means for the calendar."""
    push: Literal["unsupported", "lost"] = "lost"
    due_at: datetime | None = None
    try:
        outcome, kept = await work
    except PushUnsupported as refusal:
        push, error = "unsupported", refusal.detail
    except (ReconnectNeeded, Missing) as refusal:
        error = refusal.detail
    except TryLater as busy:
        await restraint.hold(services, calendar.tenant_id, calendar.connection_id, busy)
        due_at, error = now + (busy.after or _SOON), busy.detail
    except MeetbotError as fault:
        due_at, error = now + _AGAIN, fault.detail
    else:
        return Watched(calendar=calendar, outcome=outcome, kept=kept)
    await _settle(services, calendar, push, due_at)
    return Watched(calendar=calendar, outcome=push, error=error)


async def _look_after(
    services: Services, context: TenantContext, calendar: Calendar, known: tuple[Watch, ...]
) -> tuple[Outcome, Kept | None]:
    work = _renew_or_make if calendar.selected else _give_up
    return await grants.spend(
        services,
        context,
        calendar.connection_id,
        lambda grant: work(services, calendar, grant, known),
    )


async def _give_up(
    services: Services, calendar: Calendar, grant: Grant, known: tuple[Watch, ...]
) -> tuple[Outcome, None]:
    for each in known:
        await _stop(services, calendar, grant, each)
    await _settle(services, calendar, "lost", None)
    return "stopped", None


async def _settle(
    services: Services,
    calendar: Calendar,
    push: Literal["active", "unsupported", "lost"],
    due_at: datetime | None,
) -> None:
    async with services.database.tenant(calendar.tenant_id) as session:
        await calendars.set_push(session, calendar, push, due_at)


async def _renew_or_make(
    services: Services,
    calendar: Calendar,
    grant: Grant,
    known: tuple[Watch, ...],
    *,
    keep: bool = False,
) -> tuple[Outcome, Kept | None]:
    """Leave the calendar with one watch; until then it stays due, should we die on the way."""
    newest = next((watch for watch in known if watch.receipt is not None), None)
    kept = await _renewed(services, calendar, grant, newest) if newest else None
    if kept is None and newest is not None and keep:
        kept = _standing(services, calendar, newest)
    outcome: Outcome = "active" if kept is None else "renewed"
    if kept is None:
        kept = await _make(services, calendar, grant)
        await _look_again(services, calendar)
    for old in known:
        if old.id != kept.id:
            with suppress(MeetbotError):  # its notices still find their calendar until it runs out
                await _stop(services, calendar, grant, old, kept.platform_watch_id)
    renew_at = freshness.renew_watch_at(services.clock.now(), kept.expires_at)
    await _settle(services, calendar, "active", renew_at)
    return outcome, kept


async def _look_again(services: Services, calendar: Calendar) -> None:
    """Have a calendar read: what changed while nobody watched it is told by no notice."""
    async with services.database.tenant(calendar.tenant_id) as session:
        await calendars.ring(session, calendar.id, services.clock.now())
    await services.wakeups.ring("sync", calendar.tenant_id, calendar.id)


async def _renewed(
    services: Services, calendar: Calendar, grant: Grant, watch: Watch
) -> Kept | None:
    """Prolong a watch that is not lost; None where the provider cannot."""
    if watch.receipt is None or calendar.push != "active":
        return None
    receipt = await services.providers[calendar.provider].renew(
        grant, watch.receipt, expires_at=services.clock.now() + _LIFE
    )
    return None if receipt is None else await _kept(services, calendar, watch.id, receipt)


def _standing(services: Services, calendar: Calendar, watch: Watch) -> Kept | None:
    """Return a channel of Google's that rings yet: of others, not to be prolonged is to be lost."""
    receipt, is_heard = watch.receipt, calendar.push == "active"
    if calendar.provider is not Provider.GOOGLE or receipt is None or not is_heard:
        return None
    return None if receipt.expires_at <= services.clock.now() else _kept_as(watch.id, receipt)


async def _make(services: Services, calendar: Calendar, grant: Grant) -> Kept:
    """Write the row, then ask: the provider's first notice may come before its answer."""
    now = services.clock.now()
    token, secret = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    watch_id = WatchId(new_id("wch", now))
    pending = Watch(
        id=watch_id,
        calendar_id=calendar.id,
        secret_hash=hash_of(secret),
        receipt=None,
        created_at=now,
    )
    async with services.database.tenant(calendar.tenant_id) as session:
        await watches.begin(session, pending, token_hash=hash_of(token), expires_at=now + _LIFE)
    provider = services.providers[calendar.provider]

    async def ask() -> WatchReceipt:
        return await provider.watch(
            grant,
            reference(calendar),
            address=f"{sharing.notices_at(services, calendar)}/{token}",
            secret=secret,
            watch_id=watch_id,
            expires_at=now + _LIFE,
        )

    try:
        receipt = await _beside_others(services, calendar, grant, watch_id, ask)
    except MeetbotError:
        async with services.database.tenant(calendar.tenant_id) as session:
            await watches.drop(session, watch_id)
        raise
    return await _kept(services, calendar, watch_id, receipt)


async def _beside_others(
    services: Services,
    calendar: Calendar,
    grant: Grant,
    watch_id: WatchId,
    ask: Callable[[], Awaitable[WatchReceipt]],
) -> WatchReceipt:
    """Ask for a watch. One that stands already is shared, if it is another calendar's of ours.

    Any other, whose secret nobody knows any more, gives way.
    """
    try:
        return await ask()
    except WatchStands as standing:
        found = WatchReceipt(
            platform_watch_id=standing.platform_watch_id,
            resource_id=None,
            expires_at=services.clock.now() + _LIFE,
        )
        provider = services.providers[calendar.provider]
        if await sharing.is_anothers(services, calendar, standing):
            renewed = await provider.renew(grant, found, expires_at=found.expires_at)
            if renewed is not None:
                return renewed
        else:
            await provider.unwatch(grant, found)
            await sharing.tell_lost(services, found, watch_id)
    return await ask()


async def _kept(
    services: Services, calendar: Calendar, watch_id: WatchId, receipt: WatchReceipt
) -> Kept:
    async with services.database.tenant(calendar.tenant_id) as session:
        await watches.establish(session, watch_id, receipt, hash_of(receipt.platform_watch_id))
    return _kept_as(watch_id, receipt)


def _kept_as(watch_id: WatchId, receipt: WatchReceipt) -> Kept:
    return Kept(
        id=watch_id,
        platform_watch_id=receipt.platform_watch_id,
        expires_at=receipt.expires_at,
    )


async def _stop(
    services: Services, calendar: Calendar, grant: Grant, old: Watch, kept: str | None = None
) -> None:
    """Stop a watch, unless its successor lives on it, and forget it.

    One that cannot be stopped runs out by itself.
    """
    if old.receipt is not None and old.receipt.platform_watch_id != kept:
        await services.providers[calendar.provider].unwatch(grant, old.receipt)
        await sharing.tell_lost(services, old.receipt, old.id)
    async with services.database.tenant(calendar.tenant_id) as session:
        await watches.drop(session, old.id)


def reference(calendar: Calendar) -> CalendarRef:
    """Name a calendar to its provider."""
    return CalendarRef(
        platform_id=calendar.platform_id,
        account_id=calendar.account_id,
        is_primary=calendar.is_primary,
        is_shared=calendar.is_shared,
    )
