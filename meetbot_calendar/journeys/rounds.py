"""Write one round of changes to a calendar's rows, and the message that tells of it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from meetbot_calendar.calendars.changes import Change, diff
from meetbot_calendar.calendars.meeting_keys import meeting_keys
from meetbot_calendar.calendars.meeting_links import room_of
from meetbot_calendar.calendars.model import (
    Calendar,
    ChangePage,
    EventId,
    FetchedEvent,
    Window,
)
from meetbot_calendar.calendars.successors import shifted, successors
from meetbot_calendar.deliveries import payloads
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.journeys import inheriting
from meetbot_calendar.journeys.paging import watermark
from meetbot_calendar.storage import events, messages
from meetbot_calendar.storage.events import Place, Writing
from tenants.storage import users
from tenants.storage.session import TenantSession


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many events a round created, updated and deleted."""

    created: int
    updated: int
    deleted: int

    @property
    def changed(self) -> bool:
        """Say whether there is anything to decide."""
        return self.created + self.updated + self.deleted > 0


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Every page of one round. ``full`` says that it was a listing, not what changed since."""

    pages: tuple[ChangePage, ...]
    full: bool

    @property
    def cursor(self) -> str | None:
        """Return where the next round begins: what the last page says."""
        return self.pages[-1].cursor if self.pages else None

    @property
    def platform_ids(self) -> set[str]:
        """Name every event that the round speaks of, and what was single and is a series now."""
        told: set[str | None] = set()
        for page in self.pages:
            told |= {name for e in page.events for name in (e.platform_id, e.series_id)}
            told |= {name for gone in page.removed for name in (gone.platform_id, gone.series_id)}
            told |= {truth.series_id for truth in page.series}
        return {each for each in told if each is not None}

    @property
    def series_ids(self) -> set[str]:
        """Name every series that the round speaks of as a whole."""
        told = {truth.series_id for page in self.pages for truth in page.series}
        return told | {gone.platform_id for page in self.pages for gone in page.removed}


async def write(
    session: TenantSession, calendar: Calendar, taken: Round, window: Window, now: datetime
) -> tuple[Counts, tuple[EndpointId, ...]]:
    """Write what a round found; an unchanged event writes nothing."""
    if not taken.full and not taken.platform_ids and not taken.series_ids:
        return Counts(created=0, updated=0, deleted=0), ()
    shown_whole = window if taken.full else None
    stored = await events.stored(
        session, calendar.id, taken.platform_ids, taken.series_ids, shown_whole
    )
    changes = diff(stored, taken.pages, window=window, full=taken.full)
    if not changes:
        return Counts(created=0, updated=0, deleted=0), ()
    seq = await events.next_seq(session, calendar.user_id)
    made = await _add(session, calendar, changes, seq, now)
    rewritten = await _rewrite(session, changes, seq, now)
    deleted = [c.before.id for c in changes if c.event is None and c.before is not None]
    await events.remove(session, deleted, seq, now)
    await inheriting.carry(session, calendar, successors(changes), now)
    await inheriting.move(session, calendar, (*successors(changes), *shifted(changes)), now)
    counts = Counts(created=len(made), updated=len(rewritten), deleted=len(deleted))
    told = await _tell(session, calendar, (*made, *rewritten), deleted, seq, now)
    return counts, told


async def withdraw(
    session: TenantSession, calendar: Calendar, now: datetime
) -> tuple[EndpointId, ...]:
    """Show no more of a calendar that is no longer read, and tell so. Call it last."""
    gone = await events.standing_in(session, calendar.id)
    if not gone:
        return ()
    seq = await events.next_seq(session, calendar.user_id)
    await events.remove(session, gone, seq, now)
    return await _tell(session, calendar, (), gone, seq, now)


async def _add(
    session: TenantSession, calendar: Calendar, changes: Sequence[Change], seq: int, now: datetime
) -> tuple[EventId, ...]:
    place = Place(
        user_id=calendar.user_id,
        connection_id=calendar.connection_id,
        calendar_id=calendar.id,
    )
    new = [_writing(c.event, c) for c in changes if c.event is not None and c.before is None]
    return await events.add(session, place, new, seq, now)


async def _rewrite(
    session: TenantSession, changes: Sequence[Change], seq: int, now: datetime
) -> list[EventId]:
    rewritten: list[EventId] = []
    for change in changes:
        if change.event is not None and change.before is not None:
            writing = _writing(change.event, change)
            await events.rewrite(session, change.before.id, writing, seq, now)
            rewritten.append(change.before.id)
    return rewritten


def _writing(event: FetchedEvent, change: Change) -> Writing:
    link = event.content.meeting_url
    return Writing(
        fetched=event,
        platform=change.platform,
        keys=meeting_keys(event, room_of(link) if link else None),
    )


async def _tell(
    session: TenantSession,
    calendar: Calendar,
    changed: Sequence[EventId],
    deleted: Sequence[EventId],
    seq: int,
    now: datetime,
) -> tuple[EndpointId, ...]:
    customer_user_id = await users.customer_id(session, calendar.user_id)
    body = payloads.changes_payload(
        calendar,
        customer_user_id,
        changed=changed,
        deleted=deleted,
        since=watermark(calendar.user_id, seq - 1),
        at=now,
    )
    draft = messages.Draft(type="calendar.events_changed", body=body)
    return await messages.write(session, now, [draft])
