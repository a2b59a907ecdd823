"""What a person says of events by hand: found, checked as a decision would, and remembered."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from meetbot_calendar.bots.model import FINAL, Bot
from meetbot_calendar.bots.overrides import Override
from meetbot_calendar.calendars.model import EventId, StoredEvent
from meetbot_calendar.errors import Conflict, Missing, Refused
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.judging import Judge
from meetbot_calendar.storage import bots, decisions, events, series_overrides
from meetbot_calendar.storage.events import EventRow
from rules.decision import Decision
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage.session import TenantSession

_TICK = timedelta(microseconds=1)


async def own_event(
    session: TenantSession, context: TenantContext, user_id: CalendarUserId, event_id: EventId
) -> EventRow:
    """Return an event of a person's. Raises ``Missing``, for one that went with its account too."""
    await person(session, context, user_id)
    row = await events.get(session, event_id)
    if row is None or row.event.user_id != user_id or (row.withdrawn and row.event.is_deleted):
        raise Missing("There is no such event.")
    return row


def refuse_withdrawn(row: EventRow) -> None:
    """Refuse an event that was kept when its account was disconnected. Raises ``Refused``."""
    if row.withdrawn:
        raise Refused(
            f"The account {row.event.account_id} is no longer connected.",
            code="calendar_disconnected",
        )


def obstacle(judge: Judge, row: EventRow) -> Decision | None:
    """Say why an event cannot be recorded though a person wants it; None where nothing forbids."""
    wish = Override(
        event_id=row.event.id, action="record", actor=judge.user.id, created_at=judge.now
    )
    decision = judge.judge(row.event, wish)
    return None if decision.action == "record" else decision


def refuse(row: EventRow, decision: Decision) -> None:
    """Raise what a decision against scheduling by hand means (contract, sections 3 and 6)."""
    if decision.reason == "opted_out":
        raise Conflict(decision.detail, code="opted_out", event_id=row.event.id)
    raise Refused(decision.detail, code=decision.reason)


def slot_of(event: StoredEvent) -> datetime:
    """Return the slot that a series gave an occurrence. Raises ``Refused`` for one without."""
    if event.original_start is not None:
        return event.original_start
    if event.span is None:
        raise Refused("The event has no start and end.", code="no_times")
    return event.span.start


def in_series(event: StoredEvent) -> str:
    """Return the series that an event is of. Raises ``Refused`` where it is none."""
    if event.series_id is None:
        raise Refused("The event is not a recurring one.", code="not_recurring")
    return event.series_id


async def copies(session: TenantSession, rows: Sequence[EventRow]) -> tuple[EventRow, ...]:
    """Return these events and the same person's other copies of their meetings."""
    keys = {key for row in rows for key in row.keys}
    ids = [row.event.id for row in rows]
    named = await events.named(session, ids, keys)
    owners = {row.event.user_id for row in rows}
    found = await events.of_meetings(session, list(named))
    return tuple(row for row in found if row.event.user_id in owners)


async def bots_of(session: TenantSession, rows: Iterable[EventRow]) -> tuple[Bot, ...]:
    """Return every bot of the meetings that events belong to, past ones too; locks them."""
    rows = tuple(rows)
    keys = {key for row in rows for key in row.keys}
    return await bots.of_meetings(session, sorted(keys), sorted(row.event.id for row in rows))


def serving(found: Collection[Bot], event_ids: Collection[EventId]) -> tuple[Bot, ...]:
    """Return the bots that are to serve, or serve, one of these events."""
    wanted = set(event_ids)
    return tuple(bot for bot in found if bot.status not in FINAL and wanted & set(bot.event_ids))


async def after_all(
    session: TenantSession,
    rows: Sequence[EventRow],
    known: Iterable[Bot],
    now: datetime,
    *,
    of: StoredEvent | None = None,
) -> datetime:
    """Return an instant for a person's word: later than all that was said of these events before.

    It is later than what happened to their bots too, so that it counts against that, and than what
    was said of all the series that an event is ``of``.
    """
    said = await decisions.overrides_of(session, [row.event.id for row in rows])
    before = [word.created_at for word in said.values()] + [bot.updated_at for bot in known]
    if of is not None and of.series_id is not None:
        whole = await series_overrides.of_series(session, of.calendar_id, of.series_id)
        before += [word.created_at for word in whole]
    return max([now, *(instant + _TICK for instant in before)])
