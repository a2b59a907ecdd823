"""Go on with a followed series: the occurrence it stands at is over, the next one gets a bot."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from meetbot_calendar.bots.overrides import Override
from meetbot_calendar.calendars.recurrence import next_after
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import MeetbotError
from meetbot_calendar.journeys import by_hand, decide, masters, plan, scheduling
from meetbot_calendar.journeys.by_hand import slot_of
from meetbot_calendar.journeys.judging import load_judge
from meetbot_calendar.journeys.masters import Named
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars, connections, decisions, series, series_overrides
from meetbot_calendar.storage.events import EventRow
from meetbot_calendar.storage.series import SeriesId, StoredSeries
from tenants.identity import TenantContext, TenantId
from tenants.storage.session import TenantSession

__all__ = ["FollowedUp", "SeriesId", "follow_up"]

_AGAIN = timedelta(days=1)
_TALK = 60.0  # seconds before another worker may ask for the same master
_FORGOTTEN = timedelta(days=400)

Outcome = Literal["idle", "standing", "scheduled", "passed", "waiting", "ended"]


class FollowedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a followed series.

    ``standing``: its occurrence is not over; ``passed``: the next one cannot be recorded;
    ``waiting``: none is in view yet.
    """

    outcome: Outcome
    told: tuple[EndpointId, ...] = ()


async def follow_up(services: Services, tenant_id: TenantId, series_id: SeriesId) -> FollowedUp:
    """Do what is due for a followed series. Killed anywhere, it is done by the next sweep."""
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        await plan.take_turn(session)
        standing = await series.get(session, series_id)
        if standing is None or standing.due_at is None or standing.due_at > now:
            return FollowedUp(outcome="idle")
        done = await _go_on(services, session, standing, now)
        if done is None:
            due_at = now + services.clock.patience(_TALK)
            standing = msgspec.structs.replace(standing, due_at=due_at)
            await series.save(session, standing)
    if done is None:
        return await _look_beyond(services, tenant_id, standing)
    await ring_deliveries(services, tenant_id, done.told)
    return done


async def _go_on(
    services: Services, session: TenantSession, standing: StoredSeries, now: datetime
) -> FollowedUp | None:
    """Take the next step that is in view; None where the provider must be asked for one."""
    if not standing.follows or await _is_gone(session, standing):
        return await _stop(session, standing, now)
    rows = await series.in_view(session, standing.calendar_id, standing.platform_id, now)
    later = await _wanted(session, standing, rows)
    here = next((row for row in rows if slot_of(row.event) == standing.slot), None)
    if here is not None and here.event.span is not None:
        told = await _record(services, session, standing, _overtaking(here, later), now)
        await _save(session, standing, now, due_at=here.event.span.end)
        return FollowedUp(outcome="standing", told=told)
    if not later:
        return None
    return await _move_on(services, session, standing, later, now)


async def _is_gone(session: TenantSession, standing: StoredSeries) -> bool:
    calendar = await calendars.get(session, standing.calendar_id)
    return calendar is None or await connections.get(session, calendar.connection_id) is None


async def _wanted(
    session: TenantSession, standing: StoredSeries, rows: Sequence[EventRow]
) -> list[EventRow]:
    """Return the occurrences to come that no person has said no to, in the order of the series."""
    later = [r for r in rows if standing.slot is None or slot_of(r.event) > standing.slot]
    said = await decisions.overrides_of(session, [row.event.id for row in later])
    words = [(row, said.get(row.event.id)) for row in later]
    return [row for row, word in words if word is None or word.action == "record"]


def _overtaking(row: EventRow, later: Sequence[EventRow]) -> list[EventRow]:
    """Return which of the later ones are held before it: one of them, or it, was moved."""
    span = row.event.span
    return [r for r in later if span and r.event.span and r.event.span.start < span.start]


async def _move_on(
    services: Services,
    session: TenantSession,
    standing: StoredSeries,
    later: Sequence[EventRow],
    now: datetime,
) -> FollowedUp:
    """Have the next occurrence recorded as the one before it, and stand there."""
    row, event = later[0], later[0].event
    standing = await _as_it_was(session, standing)
    told = await _record(services, session, standing, [row, *_overtaking(row, later)], now)
    end = event.span.end if event.span else now
    await _save(session, standing, now, slot=slot_of(event), due_at=end)
    booked = await scheduling.booked_of(session, [row])
    return FollowedUp(outcome="scheduled" if booked else "passed", told=told)


async def _as_it_was(session: TenantSession, standing: StoredSeries) -> StoredSeries:
    """Take over the settings of the bot of the occurrence that is over, with what was set on it."""
    place = (standing.calendar_id, standing.platform_id)
    row = None if standing.slot is None else await series.at_slot(session, *place, standing.slot)
    known = await by_hand.bots_of(session, [row] if row else [])
    served = [b for b in known if row and row.event.id in b.event_ids and b.status != "cancelled"]
    if not served:
        return standing
    bot = max(served, key=lambda each: each.id).content
    settings = (standing.content.bot_config or bot.bot_config) | bot.hand_config
    content = msgspec.structs.replace(standing.content, bot_config=settings)
    return msgspec.structs.replace(standing, content=content)


async def _record(
    services: Services,
    session: TenantSession,
    standing: StoredSeries,
    rows: Sequence[EventRow],
    now: datetime,
) -> tuple[EndpointId, ...]:
    """Have occurrences recorded with the settings of their series, where nobody spoke of them."""
    if not rows:
        return ()
    said = await decisions.overrides_of(session, [row.event.id for row in rows])
    for row in rows:
        if row.event.id not in said:
            yes = Override(
                event_id=row.event.id,
                action="record",
                bot_config=standing.content.bot_config,
                actor=standing.actor,
                created_at=now,
            )
            await decisions.save_override(session, yes)
    judge = await load_judge(session, standing.user_id, now)
    settled = await decide.settle(services, session, judge, rows)
    return settled.deliveries


async def _save(
    session: TenantSession,
    standing: StoredSeries,
    now: datetime,
    *,
    due_at: datetime,
    slot: datetime | None = None,
) -> None:
    after = msgspec.structs.replace(
        standing, slot=slot or standing.slot, due_at=due_at, updated_at=now
    )
    await series.save(session, after)


async def _stop(session: TenantSession, standing: StoredSeries, now: datetime) -> FollowedUp:
    after = msgspec.structs.replace(standing, follows=False, slot=None, due_at=None, updated_at=now)
    await series.save(session, after)
    return FollowedUp(outcome="ended")


async def _look_beyond(
    services: Services, tenant_id: TenantId, standing: StoredSeries
) -> FollowedUp:
    """Ask whether the series goes on beyond what is in view; wait for it, or let it end."""
    context = TenantContext(tenant_id=tenant_id, actor=standing.actor)
    goes_on = await _goes_on(services, context, standing)
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        await plan.take_turn(session)
        found = await series.get(session, standing.id)
        if found is None or found.due_at != standing.due_at:
            return FollowedUp(outcome="idle")  # it was stirred while we talked
        if not goes_on:
            return await _stop(session, found, now)
        await _save(session, found, now, due_at=now + _AGAIN)
    return FollowedUp(outcome="waiting")


async def _goes_on(services: Services, context: TenantContext, standing: StoredSeries) -> bool:
    which = Named(
        user_id=standing.user_id,
        calendar_id=standing.calendar_id,
        series_id=standing.platform_id,
    )
    now = services.clock.now()
    try:
        master = await masters.read(services, context, which)
        upcoming = None if master is None else next_after(master, now)
    except MeetbotError:
        return True  # asked again tomorrow
    if master is None:  # gone, or of a pattern that we cannot read: its rows would tell
        return standing.slot is not None and standing.slot > now - _FORGOTTEN
    if upcoming is None:
        return False
    async with services.database.tenant(context.tenant_id) as session:
        said = await series_overrides.of_slot(
            session, standing.calendar_id, standing.platform_id, upcoming
        )
    latest = max(said, key=lambda each: (each.created_at, each.id), default=None)
    return latest is None or latest.action == "record" or latest.last_slot is not None
