"""A person has a series recorded: all of it up to a number, or an occurrence not yet in view."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from meetbot_calendar.bots.overrides import SeriesOverride, SeriesOverrideId
from meetbot_calendar.calendars.model import EventId, StoredEvent
from meetbot_calendar.calendars.recurrence import Series, occurrences
from meetbot_calendar.errors import Conflict, Refused
from meetbot_calendar.journeys import (
    by_hand,
    decide,
    following,
    masters,
    occurring,
    plan,
    scheduling,
)
from meetbot_calendar.journeys.by_hand import slot_of
from meetbot_calendar.journeys.judging import Judge, load_judge
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.scheduling import Scheduled
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import series, series_overrides
from meetbot_calendar.storage.events import EventRow
from tenants.identity import CalendarUserId, TenantContext, new_id
from tenants.storage.session import TenantSession

__all__ = ["Scheduled"]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded, with which settings.

    ``occurrence`` names another occurrence of the event's series, by a date or an instant (ISO
    8601); ``limit`` bounds ``all_occurrences``; ``follow`` has each be followed by the next.
    """

    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    occurrence: str | None = None
    all_occurrences: bool = False
    limit: int = 52
    follow: bool = False


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a series that is meant, from slot to slot; ``ahead`` are those not in view."""

    first: datetime
    last: datetime
    ahead: tuple[datetime, ...] = ()


async def schedule(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    event_id: EventId,
    wish: Wish,
) -> Scheduled:
    """Have a person's event recorded, another occurrence of its series, or all of them.

    Raises what ``scheduling.schedule`` raises, and ``Refused`` (``not_recurring``,
    ``no_such_occurrence``, ``no_next_occurrence``).
    """
    async with services.database.tenant(context.tenant_id) as session:
        row = await by_hand.own_event(session, context, user_id, event_id)
    by_hand.refuse_withdrawn(row)
    event = row.event
    if wish.occurrence is not None:
        found = await occurring.find(services, context, event, wish.occurrence)
        if not isinstance(found, EventRow):
            return await schedule_ahead(services, context, event, wish, found)
        event = found.event
    if wish.all_occurrences:
        return await _schedule_all(services, context, event, wish)
    return await scheduling.schedule(services, context, event, wish.bot_config, follow=wish.follow)


async def _schedule_all(
    services: Services, context: TenantContext, event: StoredEvent, wish: Wish
) -> Scheduled:
    """Have a series recorded from now on; occurrences that come into view later are covered."""
    now = services.clock.now()
    series_id = by_hand.in_series(event)
    async with services.database.tenant(context.tenant_id) as session:
        rows = await series.in_view(session, event.calendar_id, series_id, now)
        edge = await occurring.edge_of(services, session, event)
    master = (
        await masters.read(services, context, masters.named(event))
        if len(rows) < wish.limit
        else None
    )
    slots = [slot_of(row.event) for row in rows]
    meant = _stretch(slots, master, wish.limit, now=now, edge=edge)
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        judge = await load_judge(session, event.user_id, now)
        found = await series.in_view(session, event.calendar_id, series_id, now)
        rows = tuple(row for row in found if meant.first <= slot_of(row.event) <= meant.last)
        fresh = await _still_open(session, judge, rows)
        known = await by_hand.bots_of(session, fresh)
        at = await by_hand.after_all(session, fresh, known, now, of=event)
        await series_overrides.add(session, _said(event, wish, context, meant, at))
        if wish.follow:
            standing = rows[0].event if rows else event
            await following.follow_from(session, context, standing, wish.bot_config, now)
        settled = await decide.settle(services, session, judge, rows)
        booked = await scheduling.booked_of(session, fresh)
        await scheduling.note(session, context, event, booked, now)
    await ring_deliveries(services, context.tenant_id, settled.deliveries)
    return Scheduled(event=event, booked=booked, ahead=meant.ahead, bot_config=wish.bot_config)


async def _still_open(
    session: TenantSession, judge: Judge, rows: Sequence[EventRow]
) -> list[EventRow]:
    """Return the occurrences that can be scheduled and are not yet; refuse where none can."""
    possible = [row for row in rows if not row.withdrawn and by_hand.obstacle(judge, row) is None]
    if rows and not possible:
        scheduling.refuse_impossible(judge, rows[0])
    taken = await scheduling.asked_for(session, possible)
    if possible and len(taken) == len(possible):
        raise scheduling.already_scheduled(taken[possible[0].event.id])
    return [row for row in possible if row.event.id not in taken]


def _stretch(
    slots: Sequence[datetime],
    master: Series | None,
    limit: int,
    *,
    now: datetime,
    edge: datetime,
) -> Stretch:
    """Say which slots are meant: those in view, then as many as the rule tells beyond its edge.

    A slot before the edge whose occurrence is not in view was cancelled.
    """
    inside = tuple(slots[:limit])
    beyond: tuple[datetime, ...] = ()
    if master is not None and len(inside) < limit:
        frontier = max([edge, *inside])
        beyond = tuple(islice(occurrences(master, after=frontier), limit - len(inside)))
    meant = (*inside, *beyond)
    if not meant:
        raise Refused("The series has no occurrence any more.", code="no_next_occurrence")
    return Stretch(first=min(meant[0], now), last=meant[-1], ahead=beyond)


async def schedule_ahead(
    services: Services, context: TenantContext, event: StoredEvent, wish: Wish, slot: datetime
) -> Scheduled:
    """Have an occurrence recorded that is not in view yet: its bot is made once it is."""
    now = services.clock.now()
    meant = Stretch(first=slot, last=slot, ahead=(slot,))
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        judge = await load_judge(session, event.user_id, now)
        await _refuse_ahead(session, judge, event, slot)
        at = await by_hand.after_all(session, [], [], now, of=event)
        await series_overrides.add(session, _said(event, wish, context, meant, at))
        if wish.follow:
            await following.follow_from(session, context, event, wish.bot_config, now, slot=slot)
        await scheduling.note(session, context, event, (), now)
    return Scheduled(event=event, booked=(), ahead=meant.ahead, bot_config=wish.bot_config)


async def _refuse_ahead(
    session: TenantSession, judge: Judge, event: StoredEvent, slot: datetime
) -> None:
    """Refuse what is scheduled already, and a series that may not be recorded at all."""
    row = await by_hand.own_event(
        session, TenantContext(tenant_id=session.tenant_id), event.user_id, event.id
    )
    against = by_hand.obstacle(judge, row)
    if row.withdrawn or (against is not None and against.reason != "ended"):
        scheduling.refuse_impossible(judge, row)
    said = await series_overrides.of_slot(
        session, event.calendar_id, by_hand.in_series(event), slot
    )
    latest = max(said, key=lambda each: (each.created_at, each.id), default=None)
    if latest is not None and latest.action == "record":
        raise Conflict(
            "This occurrence is scheduled already: its bot is made once it is in view.",
            code="already_scheduled",
        )


def _said(
    event: StoredEvent, wish: Wish, context: TenantContext, meant: Stretch, at: datetime
) -> SeriesOverride:
    return SeriesOverride(
        id=SeriesOverrideId(new_id("sov", at)),
        user_id=event.user_id,
        calendar_id=event.calendar_id,
        series_id=by_hand.in_series(event),
        action="record",
        first_slot=meant.first,
        last_slot=meant.last,
        bot_config=wish.bot_config,
        actor=context.actor,
        created_at=at,
    )
