"""The next occurrence of a series gets a bot: when one is over, or when somebody asks for it."""

from datetime import datetime
from typing import Any

import msgspec

from meetbot_calendar.calendars import timezones
from meetbot_calendar.calendars.model import EventId, StoredEvent
from meetbot_calendar.calendars.recurrence import Series, check, next_after, rule_of
from meetbot_calendar.errors import MeetbotError, Refused
from meetbot_calendar.journeys import (
    by_hand,
    following,
    masters,
    occurring,
    plan,
    scheduling,
    scheduling_series,
)
from meetbot_calendar.journeys.scheduling import Scheduled
from meetbot_calendar.journeys.scheduling_series import Wish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import decisions, series
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import audit


class Toggled(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an event's series is followed now, and by which rule it goes on."""

    event: StoredEvent
    follows: bool
    rule: str | None


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """After which instant the next occurrence is asked for, and how it is recorded.

    ``rule`` stands in for the series' own where that cannot be read.
    """

    after: datetime
    rule: str | None = None
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)


async def toggle(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    event_id: EventId,
    *,
    follow: bool,
) -> Toggled:
    """Follow an event's series, or no longer.

    Raises ``Refused`` (``not_recurring``, ``calendar_disconnected``).
    """
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        row = await by_hand.own_event(session, context, user_id, event_id)
    event = row.event
    by_hand.in_series(event)
    if follow:
        by_hand.refuse_withdrawn(row)
    master = await _master(services, context, event)
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        if follow:
            said = (await decisions.overrides_of(session, [event.id])).get(event.id)
            wanted = said.bot_config if said is not None and said.action == "record" else None
            await following.follow_from(session, context, event, wanted, now)
        else:
            await following.stop(session, event, now)
        action = "series.followed" if follow else "series.unfollowed"
        await audit.write(session, now, by=context, action=action, target=event.id)
    return Toggled(event=event, follows=follow, rule=rule_of(master) if master else None)


async def _master(services: Services, context: TenantContext, event: StoredEvent) -> Series | None:
    """Return the master where it can be read: what is in view needs none."""
    try:
        return await masters.read(services, context, masters.named(event))
    except MeetbotError:
        return None


async def schedule_next(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    event_id: EventId,
    wish: Next,
) -> Scheduled:
    """Have the occurrence after an instant recorded, in view or once it is.

    Raises ``Refused`` (``not_recurring``, ``bad_recurrence``, ``no_next_occurrence``), and what
    ``scheduling.schedule`` raises.
    """
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        row = await by_hand.own_event(session, context, user_id, event_id)
        by_hand.refuse_withdrawn(row)
        event = row.event
        series_id = by_hand.in_series(event)
        rows = await series.in_view(session, event.calendar_id, series_id, now)
        edge = await occurring.edge_of(services, session, event)
    given = None if wish.rule is None else _as_told(event, wish)
    begun = max(now, wish.after)
    later = {s.start: row.event for row in rows if (s := row.event.span) and s.start > begun}
    if later:
        upcoming = later[min(later)]
        return await scheduling.schedule(services, context, upcoming, wish.bot_config)
    master = await _master(services, context, event) or given
    frontier = max(edge, wish.after)
    slot = next_after(master, frontier) if master is not None else None
    if slot is None:
        raise Refused("The series has no occurrence after that.", code="no_next_occurrence")
    wanted = Wish(bot_config=wish.bot_config)
    return await scheduling_series.schedule_ahead(services, context, event, wanted, slot)


def _as_told(event: StoredEvent, wish: Next) -> Series:
    """Return the series as the caller describes it. Raises ``Refused`` (``bad_recurrence``)."""
    zone = event.span.zone if event.span else "UTC"
    rule = (wish.rule or "").strip()
    told = Series(
        platform_id=event.series_id or "",
        start=timezones.to_local(wish.after, zone).replace(tzinfo=None),
        zone=zone,
        is_all_day=bool(event.span and event.span.is_all_day),
        lines=(f"RRULE:{rule.upper().removeprefix('RRULE:')}",),
    )
    check(told)
    return told
