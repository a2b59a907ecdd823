"""``/v1/calendar/users/{id}/events``: meetings, each with its decision."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation

from meetbot_calendar.bots.model import BotSource, BotStatus
from meetbot_calendar.calendars.model import (
    Attendee,
    CalendarId,
    EventId,
    Person,
    Platform,
    Provider,
    Response,
)
from meetbot_calendar.journeys import decide, reading
from meetbot_calendar.journeys.reading import EventFilter, ListedEvent, StoredDecision
from meetbot_calendar.web.api.connect import ProviderName, provider_of
from meetbot_calendar.web.api.meeting_links import MeetingLinkView, links_view
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    Given,
    InstantText,
    Wish,
    instant_of,
    utc,
    utc_or_none,
)
from meetbot_calendar.web.auth import PERSON
from rules.decision import Step
from tenants.identity import CalendarUserId

Words = Annotated[str | None, QueryParameter(max_length=254, pattern=r"^[^\x00]*$")]
Since = Annotated[
    str | None,
    QueryParameter(
        max_length=128,
        description="A `watermark`: everything that changed after it, deletions included.",
    ),
]


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule made of the event; `because` holds the variables that decided."""

    rule: str
    source: Literal["policy", "rule"]
    outcome: Literal["matched", "not_matched", "error"]
    because: dict[str, Any]


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """Record or skip, and why: `reason` is a stable code, `detail` a sentence with the values."""

    action: Literal["record", "skip"]
    source: str
    rule: str | None
    reason: str
    detail: str
    rule_set_version: int | None
    decided_at: datetime | None
    errors: tuple[str, ...] = ()
    trace: tuple[StepView, ...] | msgspec.UnsetType = msgspec.UNSET


class EventBotView(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that the event wanted."""

    id: str
    status: BotStatus
    source: BotSource
    reason: str
    join_at: datetime
    dispatched_at: datetime | None


class OrganizerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who called the meeting."""

    email: str | None
    name: str | None
    is_self: bool


class AttendeeView(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the guest list."""

    email: str | None
    name: str | None
    response: Response
    is_optional: bool
    is_organizer: bool
    is_self: bool
    is_resource: bool


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting as one calendar shows it: a single event or one occurrence of a series."""

    id: str
    provider: Provider
    account_id: str
    calendar_id: str
    platform_id: str
    ical_uid: str | None
    title: str | None
    start_time: datetime | None
    end_time: datetime | None
    timezone: str | None
    is_all_day: bool
    is_recurring: bool
    status: Literal["confirmed", "tentative", "cancelled"]
    organizer: OrganizerView | None
    attendees: tuple[AttendeeView, ...]
    meeting_platform: Platform | None
    meeting_url: str | None
    is_deleted: bool
    decision: DecisionView | None
    bots: tuple[EventBotView, ...]
    created_at: datetime
    updated_at: datetime
    meeting_links: tuple[MeetingLinkView, ...] | msgspec.UnsetType = msgspec.UNSET


class EventPageView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of events; `since=watermark` later gives everything that changed after it."""

    results: tuple[EventView, ...]
    next: str | None
    previous: str | None
    has_more: bool
    watermark: str


def event_view(listed: ListedEvent) -> EventView:
    """Write an event."""
    event, content, span = listed.event, listed.event.content, listed.event.span
    return EventView(
        id=event.id,
        provider=event.provider,
        account_id=event.account_id,
        calendar_id=event.calendar_id,
        platform_id=event.platform_id,
        ical_uid=event.ical_uid,
        title=content.title,
        start_time=utc(span.start) if span else None,
        end_time=utc(span.end) if span else None,
        timezone=span.zone if span else None,
        is_all_day=bool(span and span.is_all_day),
        is_recurring=event.series_id is not None,
        status=event.status,
        organizer=_organizer(content.organizer),
        attendees=tuple(_attendee(row) for row in content.attendees),
        meeting_platform=event.platform,
        meeting_url=content.meeting_url,
        is_deleted=event.is_deleted,
        decision=None if listed.decision is None else decision_view(listed.decision),
        bots=tuple(_bot(row) for row in listed.bots),
        created_at=utc(event.created_at),
        updated_at=utc(event.updated_at),
    )


def _organizer(person: Person | None) -> OrganizerView | None:
    if person is None:
        return None
    return OrganizerView(email=person.email, name=person.name, is_self=person.is_self)


def _attendee(row: Attendee) -> AttendeeView:
    return AttendeeView(**msgspec.structs.asdict(row))


def decision_view(decision: StoredDecision) -> DecisionView:
    """Write a decision."""
    return DecisionView(
        action=decision.action,
        source=decision.source,
        rule=decision.content.rule,
        reason=decision.reason,
        detail=decision.content.detail,
        rule_set_version=decision.version,
        decided_at=utc(decision.decided_at),
        errors=decision.content.errors,
    )


def _bot(row: reading.EventBot) -> EventBotView:
    return EventBotView(
        id=row.id,
        status=row.status,
        source=row.source,
        reason=row.reason,
        join_at=utc(row.join_at),
        dispatched_at=utc_or_none(row.dispatched_at),
    )


def event_filter(
    time_min: InstantText = None,
    time_max: InstantText = None,
    calendar_id: Words = None,
    provider: Annotated[ProviderName | None, QueryParameter()] = None,
    account_id: Words = None,
) -> EventFilter:
    """Read which events are asked for."""
    return EventFilter(
        time_min=instant_of("time_min", time_min),
        time_max=instant_of("time_max", time_max),
        calendar_id=None if calendar_id is None else CalendarId(calendar_id),
        provider=None if provider is None else provider_of(provider),
        account_id=None if account_id is None else account_id.lower(),
    )


@get(dependencies={"which": Provide(event_filter, sync_to_thread=False)})
async def list_events(
    services: Given,
    context: Caller,
    wish: Wish,
    user_id: FromPath[CalendarUserId],
    which: NamedDependency[SkipValidation[EventFilter]],
    since: Since = None,
) -> EventPageView:
    """List a calendar user's events, soonest first; or with `since` what changed.

    `watermark` stands in every answer. With `since`, pages follow `next` as well, deleted events
    are listed too, and `time_min` and `time_max` are refused.
    """
    if since is None:
        page = await reading.list_events(services, context, user_id, which, wish)
    else:
        page = await reading.list_changes(services, context, user_id, which, since, wish)
    return EventPageView(
        results=tuple(event_view(row) for row in page.listing.results),
        next=page.listing.next,
        previous=page.listing.previous,
        has_more=page.listing.next is not None,
        watermark=page.watermark,
    )


@get("/{event_id:str}")
async def read_event(
    services: Given,
    context: Caller,
    user_id: FromPath[CalendarUserId],
    event_id: FromPath[EventId],
    trace: FromQuery[bool] = False,
) -> EventView:
    """Return one event with its decision, explained; with `trace`, what each rule made of it.

    The trace asks the rules that stand now. `meeting_links` then tells every meeting link that the
    event names, and why one of them is joined.
    """
    found = await reading.read_event(services, context, user_id, event_id)
    view = event_view(found)
    if not trace:
        return view
    view = msgspec.structs.replace(view, meeting_links=links_view(found.event.content))
    if view.decision is None:
        return view
    steps = await decide.trace(services, context, user_id, event_id)
    decision = msgspec.structs.replace(view.decision, trace=steps_view(steps))
    return msgspec.structs.replace(view, decision=decision)


def steps_view(steps: Iterable[Step]) -> tuple[StepView, ...]:
    """Write a trace."""
    return tuple(
        StepView(rule=s.rule, source=s.source, outcome=s.outcome, because=s.because) for s in steps
    )


router = Router(
    "/v1/calendar/users/{user_id:str}/events",
    route_handlers=[list_events, read_event],
    dependencies=PAGED,
    opt=PERSON,
    tags=["Events"],
)
