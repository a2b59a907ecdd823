"""Turn marked events into decisions, and decisions into bots."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.calendars.model import EventId, StoredEvent, Window
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys import plan
from meetbot_calendar.journeys.judging import Judge, load_judge
from meetbot_calendar.journeys.plan import Planned
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import decisions, event_marks, events, series
from meetbot_calendar.storage.decisions import DecisionContent, Override, StoredDecision
from meetbot_calendar.storage.events import EventRow
from rules.decision import Decision, Step
from tenants.identity import (
    CalendarUserId,
    TenantContext,
    TenantId,
)
from tenants.storage import directory
from tenants.storage.session import TenantSession

_BATCH = 200
_MOST_PREVIEWED = 2000
_OURS = 5.0  # seconds


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What deciding did to a person's bots.

    ``decided`` counts the decisions that are new or different, by action and reason; ``failed``
    names each rule that ran out of its budget, once for every event it failed on.
    """

    scheduled: int = 0
    cancelled: int = 0
    unchanged: int = 0
    decided: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    failed: tuple[str, ...] = ()

    def __add__(self, other: "Effects") -> "Effects":
        return Effects(
            scheduled=self.scheduled + other.scheduled,
            cancelled=self.cancelled + other.cancelled,
            unchanged=self.unchanged + other.unchanged,
            decided=self.decided + other.decided,
            failed=self.failed + other.failed,
        )


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What deciding in a caller's transaction did, and the deliveries to ring for afterwards."""

    effects: Effects
    deliveries: tuple[EndpointId, ...]


class PreviewRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event under rules that are not saved; ``changes`` says whether it differs from today."""

    event_id: EventId
    title: str | None
    start_time: datetime | None
    decision: Decision
    changes: bool


async def decide(services: Services, tenant_id: TenantId, user_id: CalendarUserId) -> Effects:
    """Decide all of a person's marked events, a batch per transaction, and plan their bots."""
    total = Effects()
    while True:
        effects = await _decide_batch(services, tenant_id, user_id)
        if effects is None:
            return total
        total += effects


async def _decide_batch(
    services: Services, tenant_id: TenantId, user_id: CalendarUserId
) -> Effects | None:
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        await plan.take_turn(session)
        marked = await event_marks.undecided(session, user_id, _BATCH)
        if not marked:
            return None
        judge = await load_judge(session, user_id, now)
        settled = await settle(services, session, judge, marked)
    await ring_deliveries(services, tenant_id, settled.deliveries)
    return settled.effects


async def settle(
    services: Services, session: TenantSession, judge: Judge, rows: Sequence[EventRow]
) -> Settled:
    """Decide events and plan their bots, in the caller's transaction, which has its turn to plan.

    The deliveries are the caller's to ring for, once that is committed.
    """
    news = await _judge(session, judge, rows)
    ids = [row.event.id for row in rows]
    planned = await plan.plan(services, session, judge.tenant, ids, judge.now)
    return Settled(effects=_effects(planned, news), deliveries=planned.deliveries)


async def settle_all(
    services: Services, session: TenantSession, rows: Sequence[EventRow], now: datetime
) -> tuple[EndpointId, ...]:
    """Decide events of several people, and plan their bots together; as ``settle``."""
    for user_id in sorted({row.event.user_id for row in rows}):
        judge = await load_judge(session, user_id, now)
        await _judge(session, judge, [row for row in rows if row.event.user_id == user_id])
    ids = [row.event.id for row in rows]
    return (await plan.plan(services, session, await directory.get(session), ids, now)).deliveries


async def _judge(
    session: TenantSession, judge: Judge, rows: Sequence[EventRow]
) -> list[StoredDecision]:
    """Decide one person's events; returns what is new or different."""
    ids = [row.event.id for row in rows]
    overrides = await decisions.overrides_of(session, ids)
    decided = [_decided(judge, row, overrides.get(row.event.id)) for row in rows]
    news = await _news(session, rows, decided)
    await decisions.write(session, news)
    await decisions.settle(session, judge.version, ids)
    if any(row.event.series_id is not None for row in rows):
        await series.stir(session, ids, judge.now)
    return news


def _decided(judge: Judge, row: EventRow, override: Override | None) -> StoredDecision:
    if row.withdrawn:
        return _disconnected(judge, row.event)
    verdict = judge.judge(row.event, override)
    return StoredDecision(
        event_id=row.event.id,
        version=judge.version,
        action=verdict.action,
        source=verdict.source,
        reason=verdict.reason,
        content=DecisionContent(
            rule=verdict.rule,
            detail=verdict.detail,
            bot_config=verdict.bot_config if override is None else override.bot_config,
            errors=verdict.errors,
        ),
        decided_at=judge.now,
    )


def _disconnected(judge: Judge, event: StoredEvent) -> StoredDecision:
    detail = f"The {event.provider} account {event.account_id} is no longer connected."
    return StoredDecision(
        event_id=event.id,
        version=judge.version,
        action="skip",
        source="precondition",
        reason="calendar_disconnected",
        content=DecisionContent(detail=detail),
        decided_at=judge.now,
    )


async def _news(
    session: TenantSession, marked: Sequence[EventRow], decided: Sequence[StoredDecision]
) -> list[StoredDecision]:
    """Keep the decisions that say something new: an unchanged one writes nothing."""
    standing = await decisions.current(session, [row.event.id for row in marked])
    return [
        fresh
        for fresh in decided
        if (old := standing.get(fresh.event_id)) is None
        or msgspec.structs.replace(old, decided_at=fresh.decided_at) != fresh
    ]


def _effects(planned: Planned, news: Sequence[StoredDecision]) -> Effects:
    return Effects(
        scheduled=planned.scheduled,
        cancelled=planned.cancelled,
        unchanged=planned.unchanged,
        decided=Counter((decision.action, decision.reason) for decision in news),
        failed=tuple(rule for decision in news for rule in decision.content.errors),
    )


def swept_at(services: Services) -> datetime:
    """Say when marked events are due that their marker decides itself, to tell of the effects.

    A sweep looks for them only then: it is not to be first, and finds them if the marker died.
    """
    return services.clock.now() + services.clock.patience(_OURS)


async def redecide(services: Services, context: TenantContext, user_id: CalendarUserId) -> Effects:
    """Decide all coming events of a person again, at once."""
    async with services.database.tenant(context.tenant_id) as session:
        await event_marks.mark_user(session, user_id, swept_at(services))
    return await decide(services, context.tenant_id, user_id)


async def trace(
    services: Services, context: TenantContext, user_id: CalendarUserId, event_id: EventId
) -> tuple[Step, ...]:
    """Say what each of the standing rules makes of one event, until one decides."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        row = await events.get(session, event_id)
        if row is None or row.event.user_id != user_id:
            raise Missing("There is no such event.")
        judge = await load_judge(session, user_id, now)
        override = (await decisions.overrides_of(session, [event_id])).get(event_id)
    return judge.judge(row.event, override, trace=True).trace or ()


async def preview(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    document: object | None,
    *,
    time_min: datetime | None = None,
    time_max: datetime | None = None,
    trace: bool = False,
) -> tuple[PreviewRow, ...]:
    """Decide a person's events under rules that are not saved; changes nothing.

    Without times: from now to the far edge of what is synced. Past events are decided as of their
    own beginning, so that "it is over" does not answer for the rules.
    """
    now = services.clock.now()
    window = Window(time_min or now, time_max or now + services.house.future + timedelta(days=1))
    async with services.database.tenant(context.tenant_id) as session:
        rows = await events.between(session, user_id, window, _MOST_PREVIEWED)
        ids = [row.event.id for row in rows]
        judge = await load_judge(session, user_id, now, document)
        today = await load_judge(session, user_id, now)
        overrides = await decisions.overrides_of(session, ids)
    return tuple(_preview_row(judge, today, row.event, overrides, trace) for row in rows)


def _preview_row(
    judge: Judge,
    today: Judge,
    event: StoredEvent,
    overrides: Mapping[EventId, Override],
    trace: bool,
) -> PreviewRow:
    start = event.span.start if event.span else None
    as_of = min(judge.now, start) if start else judge.now
    override = overrides.get(event.id)
    fresh = msgspec.structs.replace(judge, now=as_of).judge(event, override, trace=trace)
    old = msgspec.structs.replace(today, now=as_of).judge(event, override)
    return PreviewRow(
        event_id=event.id,
        title=event.content.title,
        start_time=start,
        decision=fresh,
        changes=fresh.action != old.action,
    )
