"""Plan the bots of the meetings that some events belong to, in the deciding transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.bots.model import FINAL, OUT, Bot, BotId, BotSource, Want
from meetbot_calendar.bots.planning import Settings, Step, reconcile
from meetbot_calendar.calendars import freshness
from meetbot_calendar.calendars.model import CalendarId, EventId
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.journeys import aftermath
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots, decisions, departures, events, turns
from meetbot_calendar.storage.decisions import Override, StoredDecision
from meetbot_calendar.storage.events import EventRow
from tenants.identity import Tenant, new_id
from tenants.storage.session import TenantSession

_SOURCES: dict[str, BotSource] = {"override": "manual", "auto": "auto", "default": "rule"}


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What planning did, and the deliveries to ring for once it is committed."""

    scheduled: int = 0
    cancelled: int = 0
    unchanged: int = 0
    deliveries: tuple[EndpointId, ...] = ()


async def take_turn(session: TenantSession) -> None:
    """Wait for the tenant's turn to plan: two plans of one meeting at once would be two bots."""
    await turns.take(session, "plan")


async def plan(
    services: Services,
    session: TenantSession,
    tenant: Tenant,
    event_ids: Collection[EventId],
    now: datetime,
) -> Planned:
    """Reconcile the meetings of these events with their bots, and write what changed."""
    rows, known = await _neighbourhood(session, event_ids)
    wants = await _wants(session, rows)
    lead = tenant.policy.join_lead_seconds
    settings = Settings(
        tenant_id=tenant.id,
        now=now,
        lead=services.house.join_lead if lead is None else timedelta(seconds=lead),
        join_late=tenant.policy.join_late,
        dedupe=tenant.policy.dedupe,
        new_bot_id=lambda: BotId(new_id("bot", now)),
    )
    steps = reconcile(wants, known, settings)
    await _write(session, steps, now)
    await _look_before(session, steps, now)
    changed = {step.before.id for step in steps if step.before is not None}
    live = {bot.id for bot in known if bot.status not in FINAL}
    return Planned(
        scheduled=sum(step.told == "bot.scheduled" for step in steps),
        cancelled=sum(step.told == "bot.cancelled" for step in steps),
        unchanged=len(live - changed),
        deliveries=await _tell(session, steps, now),
    )


async def _neighbourhood(
    session: TenantSession, event_ids: Collection[EventId]
) -> tuple[tuple[EventRow, ...], tuple[Bot, ...]]:
    """Gather the events and bots that hang together with these events, and nothing else.

    Names are gathered first and rows are opened once, for opening is what costs.
    """
    ids, keys = set(event_ids), set[str]()
    while True:
        named = await events.named(session, ids, keys)
        grown_keys = keys | {key for names in named.values() for key in names}
        grown_ids = ids | set(named) | await bots.shared_with(session, ids | set(named), grown_keys)
        if grown_ids == ids and grown_keys == keys:
            rows = await events.of_meetings(session, ids)
            return rows, await bots.of_meetings(session, sorted(keys), sorted(ids))
        ids, keys = grown_ids, grown_keys


async def _wants(session: TenantSession, rows: Sequence[EventRow]) -> list[Want]:
    ids = [row.event.id for row in rows]
    standing = await decisions.current(session, ids)
    overrides = await decisions.overrides_of(session, ids)
    return [
        _want(row, decision, overrides.get(row.event.id))
        for row in rows
        if (decision := standing.get(row.event.id)) is not None and row.event.span is not None
    ]


def _want(row: EventRow, decision: StoredDecision, override: Override | None) -> Want:
    event = row.event
    span = event.span
    if span is None:
        raise ValueError("an event without times wants nothing")
    by_hand = override is not None and override.action == "record"
    is_refused = override is not None and override.action == "skip"  # whatever was decided before
    return Want(
        event_id=event.id,
        user_id=event.user_id,
        keys=row.keys,
        wanted=decision.action == "record" and not event.is_deleted and not is_refused,
        start=span.start,
        end=span.end,
        platform=event.platform,
        meeting_url=event.content.meeting_url,
        title=event.content.title,
        ical_uid=event.ical_uid,
        source=_SOURCES.get(decision.source, "rule"),
        rule=decision.content.rule,
        reason="manual" if is_refused else decision.reason,
        by_hand_at=override.created_at if override is not None and by_hand else None,
        seen_at=event.updated_at,
        bot_config=decision.content.bot_config or {},
    )


async def _write(session: TenantSession, steps: Sequence[Step], now: datetime) -> None:
    await bots.add(session, [step.after for step in steps if step.before is None])
    changed = {
        step.after.id: (step.after, _due_at(step, now)) for step in steps if step.before is not None
    }
    await bots.replan(session, changed)


async def _look_before(session: TenantSession, steps: Sequence[Step], now: datetime) -> None:
    """Have calendars looked at once more before their bots leave, however long their interval."""
    ids = [step.after.id for step in steps if step.after.status == "scheduled"]
    looks: dict[CalendarId, datetime] = {}
    for leaving in await departures.unseen(session, ids, now):
        look = freshness.last_look(leaving.at, now, freshness.phase_of(leaving.user_id))
        if freshness.look_at_once(leaving.at, leaving.last_looked_at, now):
            look = now
        if look is not None and (leaving.due_at is None or look < leaving.due_at):
            looks[leaving.calendar_id] = min(look, looks.get(leaving.calendar_id, look))
    await departures.look_at(session, looks)


async def _tell(
    session: TenantSession, steps: Sequence[Step], now: datetime
) -> tuple[EndpointId, ...]:
    """Write the messages that the steps make true; the last thing before the commit."""
    news = [(step.told, step.after) for step in steps if step.told is not None]
    return await aftermath.tell(session, news, now)


def _due_at(step: Step, now: datetime) -> datetime | None:
    """Say when the worker must look at a bot: to send it, to recall it, or not at all."""
    if step.recall:
        return now
    if step.after.status == "scheduled":
        return step.after.join_at
    if step.after.status in OUT:
        return aftermath.asked_about_at(step.after.end)
    return None
