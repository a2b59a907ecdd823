"""``/v1/calendar/schedule/{event_id}``: a bot for a meeting, by hand, or none any more."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import delete, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from meetbot_calendar.calendars.model import EventId
from meetbot_calendar.journeys import scheduling_series, unscheduling
from meetbot_calendar.journeys.scheduling import Booked, Scheduled
from meetbot_calendar.journeys.scheduling_series import Wish
from meetbot_calendar.journeys.unscheduling import Unscheduled, Unwish
from meetbot_calendar.web.api.parts import Caller, Given, utc
from meetbot_calendar.web.meetstream.callers import Mine
from meetbot_calendar.web.meetstream.words import instant_of, schedule_group, schedule_id, zulu

Moment = Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[^\x00]*$")]
_Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class ScheduleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a meeting is recorded; of a recurring one, which occurrences.

    `occurrence_date` names another occurrence, by its start or its day. `recurring_event` has each
    occurrence that is over be followed by the next.
    """

    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    occurrence_date: Moment | None = None
    schedule_all_occurrences: bool = False
    occurrence_limit: _Limit = 52
    recurring_event: bool = False


class OccurrenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of several occurrences that were scheduled."""

    event_id: str
    bot_id: str
    schedule_id: str
    scheduled_time: str
    start_time: datetime


class ScheduledView(msgspec.Struct, frozen=True, kw_only=True):
    """The bot that a meeting now has; of several occurrences, that of the next.

    `occurrences_ahead` lists those that are not in view yet: their bots are made once they are,
    and where there is no other `bot_id` is null.
    """

    scheduled: bool
    schedule_id: str | None
    bot_id: str | None
    schedule_group: str | None
    event_id: str
    scheduled_time: str | None
    bot_config: dict[str, Any]
    is_recurring_occurrence: bool
    occurrences_scheduled: int | UnsetType = UNSET
    occurrences: tuple[OccurrenceRow, ...] | UnsetType = UNSET
    occurrences_ahead: tuple[datetime, ...] | UnsetType = UNSET


class UnscheduleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which occurrences of a recurring event are meant; left out, the event alone."""

    cancel_all_occurrences: bool = False
    from_date: Moment | None = None


class UnscheduledView(msgspec.Struct, frozen=True, kw_only=True):
    """What was let go; `bots_deleted` leaves out bots that other people's copies still want."""

    unscheduled: bool
    event_id: str
    cancelled_schedules: tuple[str, ...]
    schedules_cancelled: int
    bots_deleted: int
    cancel_all_occurrences: bool
    is_recurring_series: bool


def scheduled_view(done: Scheduled, *, several: bool = False) -> ScheduledView:
    """Write what was scheduled; ``several`` lists the occurrences."""
    first = done.booked[0] if done.booked else None
    event = first.event if first else done.event
    lists: dict[str, Any] = {}
    if several or done.ahead:
        lists = {
            "occurrences_scheduled": len(done.booked),
            "occurrences": tuple(_occurrence(each) for each in done.booked),
            "occurrences_ahead": tuple(utc(slot) for slot in done.ahead),
        }
    return ScheduledView(
        scheduled=True,
        schedule_id=schedule_id(first.bot.id, event.user_id) if first else None,
        bot_id=first.bot.id if first else None,
        schedule_group=schedule_group(event.platform),
        event_id=event.id,
        scheduled_time=zulu(first.bot.join_at) if first else None,
        bot_config=done.bot_config,
        is_recurring_occurrence=event.series_id is not None,
        **lists,
    )


def _occurrence(booked: Booked) -> OccurrenceRow:
    event, bot = booked.event, booked.bot
    return OccurrenceRow(
        event_id=event.id,
        bot_id=bot.id,
        schedule_id=schedule_id(bot.id, event.user_id),
        scheduled_time=zulu(bot.join_at),
        start_time=utc(bot.start),
    )


def _unscheduled_view(done: Unscheduled, wish: Unwish) -> UnscheduledView:
    event = done.event
    return UnscheduledView(
        unscheduled=True,
        event_id=event.id,
        cancelled_schedules=tuple(schedule_id(bot.id, event.user_id) for bot in done.left),
        schedules_cancelled=len(done.left),
        bots_deleted=len(done.cancelled),
        cancel_all_occurrences=wish.all_occurrences,
        is_recurring_series=event.series_id is not None,
    )


@post("/schedule/{event_id:str}")
async def schedule_event(
    services: Given,
    context: Caller,
    mine: Mine,
    event_id: FromPath[EventId],
    data: JSONBody[ScheduleBody | None] = None,
) -> ScheduledView:
    """Schedule a bot for a meeting; rules and syncs leave it alone.

    What a meeting's own state or the tenant's policy forbids is refused with the reason as its
    code: `no_meeting_link`, `ended`, `all_day`, `opted_out` (409), …
    """
    body = data or ScheduleBody()
    wish = Wish(
        bot_config=body.bot_config,
        occurrence=body.occurrence_date,
        all_occurrences=body.schedule_all_occurrences,
        limit=body.occurrence_limit,
        follow=body.recurring_event,
    )
    done = await scheduling_series.schedule(services, context, mine, event_id, wish)
    return scheduled_view(done, several=body.schedule_all_occurrences)


@delete("/schedule/{event_id:str}", status_code=200)
async def unschedule_event(
    services: Given,
    context: Caller,
    mine: Mine,
    event_id: FromPath[EventId],
    data: JSONBody[UnscheduleBody | None] = None,
) -> UnscheduledView:
    """Have a meeting not recorded, in any of the caller's calendars; rules do not bring it back.

    With `cancel_all_occurrences` the whole series is meant, with `from_date` all of it from then.
    """
    body = data or UnscheduleBody()
    wish = Unwish(
        all_occurrences=body.cancel_all_occurrences,
        from_time=instant_of("/from_date", body.from_date),
    )
    done = await unscheduling.unschedule(services, context, mine, event_id, wish)
    return _unscheduled_view(done, wish)


HANDLERS = (schedule_event, unschedule_event)
