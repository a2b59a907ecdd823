"""Gather everything that is stored of a person."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.bots.overrides import SeriesOverride
from meetbot_calendar.calendars.model import Calendar, Connection
from meetbot_calendar.deliveries.model import Message
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import (
    bot_lists,
    calendars,
    connections,
    decisions,
    erasure,
    event_lists,
    rule_sets,
    series,
    series_overrides,
)
from meetbot_calendar.storage.bot_lists import BotFilter
from meetbot_calendar.storage.decisions import Override
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

_BATCH = 500


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """Everything stored of one person; grants are not told, not even to the person."""

    exported_at: datetime
    user: CalendarUser
    rules: tuple[SavedRules, ...]
    connections: tuple[Connection, ...]
    calendars: tuple[Calendar, ...]
    events: tuple[ListedEvent, ...]
    overrides: tuple[Override, ...]
    series: tuple[StoredSeries, ...]
    series_overrides: tuple[SeriesOverride, ...]
    bots: tuple[Bot, ...]
    messages: tuple[Message, ...]
    api_keys: tuple[ApiKey, ...]
    audit_entries: tuple[AuditEntry, ...]


async def export_user(
    services: Services, context: TenantContext, user_id: CalendarUserId
) -> Export:
    """Gather everything, as it stands in one transaction; a grant is told to nobody.

    A bot that serves others too is told of with this person's events alone.
    """
    async with services.database.tenant(context.tenant_id) as session:
        user = await person(session, context, user_id)
        now = services.clock.now()
        await audit.write(session, now, by=context, action="calendar_user.exported", target=user_id)
        events = await _events(session, user_id)
        bots = await _bots(session, user_id)
        said = await decisions.overrides_of(session, [row.event.id for row in events])
        ids = [bot.id for bot in bots]
        own = {row.event.id for row in events}
        keys = await api_keys.of_user(session, user_id)
        return Export(
            exported_at=now,
            user=user,
            rules=await _rules(session, user_id),
            connections=await connections.of_user(session, user_id),
            calendars=await calendars.of_user(session, user_id),
            events=events,
            overrides=tuple(said.values()),
            series=await series.of_user(session, user_id),
            series_overrides=await series_overrides.of_user(session, user_id),
            bots=bots,
            messages=tuple(
                [_own(m, user_id, own) async for m in erasure.messages_of(session, user_id, ids)]
            ),
            api_keys=keys,
            audit_entries=await audit.of_person(session, user_id, [key.id for key in keys]),
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
        event["id"] = None
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
