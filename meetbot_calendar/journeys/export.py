"""Gather everything that is stored of a person."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TypeVar

import msgspec

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.bots.overrides import SeriesOverride
from meetbot_calendar.calendars.model import Calendar, Connection, EventId
from meetbot_calendar.deliveries.model import Message
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.outbox import Delivered, with_attempts
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import (
    bot_lists,
    calendars,
    connections,
    decisions,
    erasure,
    event_lists,
    outbox,
    rule_sets,
    series,
    series_overrides,
)
from meetbot_calendar.storage.bot_lists import BotFilter
from meetbot_calendar.storage.decisions import Override, StoredDecision
from meetbot_calendar.storage.event_lists import EventFilter, ListedEvent
from meetbot_calendar.storage.rule_sets import SavedRules
from meetbot_calendar.storage.series import StoredSeries
from tenants.api_keys import ApiKey
from tenants.identity import CalendarUser, CalendarUserId, TenantContext
from tenants.storage import api_keys, audit
from tenants.storage.audit import AuditEntry
from tenants.storage.paging import Keyset
from tenants.storage.session import TenantSession

__all__ = ["Export", "StoredSeries"]

T = TypeVar("T")

_BATCH = 500


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """Everything stored of one person; grants are not told, not even to the person."""

    exported_at: datetime
    user: CalendarUser
    rules: tuple[SavedRules, ...]
    connections: tuple[Connection, ...]
    calendars: tuple[Calendar, ...]
    events: tuple[ListedEvent, ...]
    decisions: tuple[StoredDecision, ...]
    overrides: tuple[Override, ...]
    series: tuple[StoredSeries, ...]
    series_overrides: tuple[SeriesOverride, ...]
    bots: tuple[Bot, ...]
    messages: tuple[Message, ...]
    deliveries: tuple[Delivered, ...]
    api_keys: tuple[ApiKey, ...]
    audit_entries: tuple[AuditEntry, ...]


async def export_user(
    services: Services, context: TenantContext, user_id: CalendarUserId
) -> Export:
    """Gather everything, as it stands in one transaction; a grant is told to nobody.

    A bot that serves others too is told of in this person's words, with their events alone.
    """
    async with services.database.tenant(context.tenant_id) as session:
        user = await person(session, context, user_id)
        now = services.clock.now()
        await audit.write(session, now, by=context, action="calendar_user.exported", target=user_id)
        events = await _events(session, user_id)
        bots = await _bots(session, user_id)
        messages, deliveries = await _told(session, user_id, events, bots)
        keys = await api_keys.of_user(session, user_id)
        names = await erasure.names_of(session, user_id)
        return Export(
            exported_at=now,
            user=user,
            rules=await _rules(session, user_id),
            connections=await connections.of_user(session, user_id),
            calendars=await calendars.of_user(session, user_id),
            events=events,
            decisions=await _by_event(events, partial(decisions.history, session)),
            overrides=await _by_event(events, partial(_overrides, session)),
            series=await series.of_user(session, user_id),
            series_overrides=await series_overrides.of_user(session, user_id),
            bots=bots,
            messages=messages,
            deliveries=deliveries if context.user_id is None else _without_answers(deliveries),
            api_keys=keys,
            audit_entries=await audit.of_person(
                session, user_id, keys=[key.id for key in keys], things=names.ids
            ),
        )


async def _by_event(
    events: Sequence[ListedEvent], read: Callable[[list[EventId]], Awaitable[Iterable[T]]]
) -> tuple[T, ...]:
    """Read what is stored of events, of not too many at once."""
    ids = [row.event.id for row in events]
    batches = [await read(ids[at : at + _BATCH]) for at in range(0, len(ids), _BATCH)]
    return tuple(chain.from_iterable(batches))


async def _overrides(session: TenantSession, event_ids: Sequence[EventId]) -> Iterable[Override]:
    return (await decisions.own_overrides(session, event_ids)).values()


async def _told(
    session: TenantSession,
    user_id: CalendarUserId,
    events: Sequence[ListedEvent],
    bots: Sequence[Bot],
) -> tuple[tuple[Message, ...], tuple[Delivered, ...]]:
    """Gather the messages that tell of a person, and how they were delivered."""
    own = {row.event.id for row in events}
    found = [m async for m in erasure.messages_of(session, user_id, [bot.id for bot in bots])]
    deliveries: list[Delivered] = []
    for at in range(0, len(found), _BATCH):
        ids = [message.id for message in found[at : at + _BATCH]]
        deliveries += await with_attempts(session, await outbox.deliveries_of(session, ids))
    return tuple(_own(message, user_id, own) for message in found), tuple(deliveries)


def _without_answers(deliveries: Iterable[Delivered]) -> tuple[Delivered, ...]:
    """Leave out what the tenant's own servers said: that is not the person's to know."""
    return tuple(
        Delivered(
            delivery=row.delivery,
            attempts=tuple(
                msgspec.structs.replace(attempt, error=None, excerpt=None)
                for attempt in row.attempts
            ),
        )
        for row in deliveries
    )


def _own(message: Message, user_id: CalendarUserId, events: Collection[str]) -> Message:
    """Take from a message of a bot that serves several what it says of another person."""
    said = msgspec.json.decode(message.body)
    data, event = said["data"], said["data"].get("event")
    if event is None:
        return message
    if data["meetbot_calendar_user_id"] != user_id:
        data |= {"meetbot_calendar_user_id": None, "customer_user_id": None}
    if event["id"] not in events:
        data |= {"rule": None}
        event |= {"id": None, "ical_uid": None, "title": None}
    return msgspec.structs.replace(message, body=msgspec.json.encode(said))


async def _rules(session: TenantSession, user_id: CalendarUserId) -> tuple[SavedRules, ...]:
    found: list[SavedRules] = []
    keyset = Keyset(limit=_BATCH)
    while True:
        page = await rule_sets.page(session, user_id, keyset)
        found += [rule_sets.saved_rules(session, row) for row in page.rows]
        if not page.has_next:
            return tuple(found)
        keyset = Keyset(limit=_BATCH, edge=(found[-1].version,))


async def _events(session: TenantSession, user_id: CalendarUserId) -> tuple[ListedEvent, ...]:
    found: list[ListedEvent] = []
    keyset = Keyset(limit=_BATCH)
    while True:
        page = await event_lists.by_change(session, user_id, EventFilter(), keyset)
        found += await event_lists.listed(session, page.rows)
        if not page.has_next:
            return tuple(found)
        keyset = Keyset(limit=_BATCH, edge=(found[-1].change_seq, found[-1].event.id))


async def _bots(session: TenantSession, user_id: CalendarUserId) -> tuple[Bot, ...]:
    found: list[Bot] = []
    keyset = Keyset(limit=_BATCH)
    while True:
        page = await bot_lists.page(session, BotFilter(user_id=user_id), keyset)
        found += await bot_lists.listed(session, page.rows, user_id)
        if not page.has_next:
            return tuple(found)
        keyset = Keyset(limit=_BATCH, edge=(found[-1].join_at, found[-1].id))
