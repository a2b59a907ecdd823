"""``toggle-recurrence`` and ``auto-reschedule``: from one occurrence to the next."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import post
from litestar.params import JSONBody

from meetbot_calendar.calendars.model import EventId
from meetbot_calendar.errors import Fault, Invalid, Missing
from meetbot_calendar.journeys import rescheduling, users
from meetbot_calendar.journeys.rescheduling import Next
from meetbot_calendar.web.api.parts import Caller, CustomerUserId, Given, Url, utc_or_none
from meetbot_calendar.web.meetstream.callers import Mine
from meetbot_calendar.web.meetstream.scheduling import Moment, ScheduledView, scheduled_view
from meetbot_calendar.web.meetstream.words import instant_of

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
_Rule = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class ToggleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which event's series, and whether its occurrences follow one another."""

    event_id: _Id
    recurring_enabled: bool


class ToggledView(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands now; `recurrence_rule` is null where the provider cannot be asked for it."""

    event_id: str
    recurring_enabled: bool
    recurrence_rule: str | None
    message: str
    summary: str | None
    start_time: datetime | None
    end_time: datetime | None


class RescheduleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """After which occurrence the next one is meant; the calendar knows the rule and the link.

    `user_id` is the caller's: `mcu_…`, or your own id of the person. `recurrence_rule` counts where
    the calendar's own cannot be read.
    """

    user_id: CustomerUserId
    event_id: _Id
    recurrence_rule: _Rule | None = None
    current_start_time: Moment
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    meeting_link: Url | None = None


@post("/toggle-recurrence", status_code=200)
async def toggle_recurrence(
    services: Given, context: Caller, mine: Mine, data: JSONBody[ToggleBody]
) -> ToggledView:
    """Have each occurrence of a series be followed by the next when it is over, or no longer.

    An event that is none of a series is a 400.
    """
    done = await rescheduling.toggle(
        services, context, mine, EventId(data.event_id), follow=data.recurring_enabled
    )
    span = done.event.span
    return ToggledView(
        event_id=done.event.id,
        recurring_enabled=done.follows,
        recurrence_rule=done.rule,
        message=f"Recurrence {'enabled' if done.follows else 'disabled'} for event",
        summary=done.event.content.title,
        start_time=utc_or_none(span.start if span else None),
        end_time=utc_or_none(span.end if span else None),
    )


@post("/auto-reschedule")
async def reschedule_next(
    services: Given, context: Caller, mine: Mine, data: JSONBody[RescheduleBody]
) -> ScheduledView:
    """Schedule the occurrence after `current_start_time`, as the calendar shows it."""
    user = await users.read_user(services, context, mine)
    if data.user_id not in (user.id, user.customer_user_id):
        raise Missing("There is no such calendar user.")
    after = instant_of("/current_start_time", data.current_start_time)
    if after is None:
        fault = Fault("/current_start_time", "This field is missing.")
        raise Invalid("The body is not as it must be.", (fault,))
    wish = Next(after=after, rule=data.recurrence_rule, bot_config=data.bot_config)
    done = await rescheduling.schedule_next(services, context, mine, EventId(data.event_id), wish)
    return scheduled_view(done)


HANDLERS = (toggle_recurrence, reschedule_next)
