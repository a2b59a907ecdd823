"""A person has meetings not recorded: one event, a series, or a series from a date on."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.bots.overrides import Override, SeriesOverride, SeriesOverrideId
from meetbot_calendar.calendars.model import EventId, StoredEvent
from meetbot_calendar.journeys import by_hand, decide, following, plan
from meetbot_calendar.journeys.by_hand import slot_of
from meetbot_calendar.journeys.judging import load_judge
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots, decisions, series, series_overrides
from meetbot_calendar.storage.events import EventRow
from tenants.identity import CalendarUserId, TenantContext, new_id
from tenants.storage import audit
from tenants.storage.session import TenantSession

_TICK = timedelta(microseconds=1)


class Unwish(msgspec.Struct, frozen=True, kw_only=True):
    """What is not to be recorded: the event alone, all of its series, or that from a time on.

    From a time on means what is held then, whenever the series meant it to be.
    """

    all_occurrences: bool = False
    from_time: datetime | None = None


class _Meant(msgspec.Struct, frozen=True, kw_only=True):
    """What in view is meant; ``spared`` are slots after ``from_time`` that are held before it."""

    rows: Sequence[EventRow]
    spared: tuple[datetime, ...] = ()


class Unscheduled(msgspec.Struct, frozen=True, kw_only=True):
    """What was let go: ``left`` are the bots that these events no longer have.

    Of those, ``cancelled`` are not sent to anybody; the others serve other people's copies.
    """

    event: StoredEvent
    left: tuple[Bot, ...]
    cancelled: tuple[Bot, ...]


async def unschedule(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    event_id: EventId,
    wish: Unwish,
) -> Unscheduled:
    """Have a person's events not recorded, in any of the person's calendars, whatever rules say.

    A bot that another person's copy wants stays for that person. Doing it twice changes nothing.
    """
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        row = await by_hand.own_event(session, context, user_id, event_id)
        meant = await _meant(session, row, wish, now)
        mine = await by_hand.copies(session, meant.rows)
        known = await by_hand.bots_of(session, mine)
        at = await by_hand.after_all(session, mine, known, now, of=row.event)
        await _say_no_to_each(session, context, mine, at)
        if row.event.series_id is not None and (wish.all_occurrences or wish.from_time):
            await _say_no_ahead(session, context, row.event, wish, meant.spared, at)
        judge = await load_judge(session, user_id, now)
        settled = await decide.settle(services, session, judge, mine)
        ids = {each.event.id for each in mine}
        had = [bot.id for bot in by_hand.serving(known, ids)]
        after = await bots.get_many(session, had)
        done = _outcome(row.event, [after[bot_id] for bot_id in had], ids)
        await bots.stop(session, [bot.id for bot in done.cancelled])
        await _note(session, context, done, now)
    await ring_deliveries(services, context.tenant_id, settled.deliveries)
    return done


async def _meant(session: TenantSession, row: EventRow, wish: Unwish, now: datetime) -> _Meant:
    event, begin = row.event, wish.from_time
    if event.series_id is not None and (wish.all_occurrences or begin is not None):
        rows = await series.in_view(session, event.calendar_id, event.series_id, now)
        if begin is None:
            return _Meant(rows=rows)
        slots = (slot_of(each.event) for each in rows if _is_before(each.event, begin))
        return _Meant(
            rows=[each for each in rows if not _is_before(each.event, begin)],
            spared=tuple(slot for slot in slots if slot >= begin),
        )
    is_sooner = begin is not None and _is_before(event, begin)
    return _Meant(rows=[] if is_sooner else [row])


def _is_before(event: StoredEvent, begin: datetime) -> bool:
    return event.span is not None and event.span.start < begin


async def _say_no_to_each(
    session: TenantSession, context: TenantContext, mine: Sequence[EventRow], at: datetime
) -> None:
    """Remember the no of each event and copy in view."""
    for row in mine:
        no = Override(event_id=row.event.id, action="skip", actor=context.actor, created_at=at)
        await decisions.save_override(session, no)


async def _say_no_ahead(
    session: TenantSession,
    context: TenantContext,
    event: StoredEvent,
    wish: Unwish,
    spared: Iterable[datetime],
    at: datetime,
) -> None:
    """Remember the no of what of a series is to come."""
    for first, last in _stretches(wish.from_time or at, spared):
        said = SeriesOverride(
            id=SeriesOverrideId(new_id("sov", at)),
            user_id=event.user_id,
            calendar_id=event.calendar_id,
            series_id=event.series_id or "",
            action="skip",
            first_slot=first,
            last_slot=last,
            actor=context.actor,
            created_at=at,
        )
        await series_overrides.add(session, said)
    if wish.from_time is None:
        await following.stop(session, event, at)


def _stretches(
    first: datetime, spared: Iterable[datetime]
) -> Iterator[tuple[datetime, datetime | None]]:
    """Yield what lies from an instant on, around the slots that are spared."""
    for slot in sorted(spared):
        if first < slot:
            yield first, slot - _TICK
        first = slot + _TICK
    yield first, None


def _outcome(event: StoredEvent, had: Sequence[Bot], ids: set[EventId]) -> Unscheduled:
    cancelled = tuple(bot for bot in had if bot.status == "cancelled")
    left = tuple(bot for bot in had if bot in cancelled or ids.isdisjoint(bot.event_ids))
    return Unscheduled(event=event, left=left, cancelled=cancelled)


async def _note(
    session: TenantSession, context: TenantContext, done: Unscheduled, now: datetime
) -> None:
    await audit.write(
        session,
        now,
        by=context,
        action="event.unscheduled",
        target=done.event.id,
        details={"bots": [bot.id for bot in done.left]},
    )
