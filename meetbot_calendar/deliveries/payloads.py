"""Each message type and its body: the exact bytes ``{type, timestamp, data}`` that are signed.

Fields that the contract marks with a question mark are left out where there is nothing to say; the
others are null. Fields are only ever added.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from meetbot_calendar.bots.model import Bot, BotSource, BotStatus
from meetbot_calendar.calendars.model import Calendar, Connection, EventId, Platform
from meetbot_calendar.deliveries.model import EndpointId, MessageType

BotMessage = Literal[
    "bot.scheduled",
    "bot.rescheduled",
    "bot.cancelled",
    "bot.dispatched",
    "bot.joined",
    "bot.completed",
    "bot.failed",
    "bot.missed",
]
ConnectionMessage = Literal["calendar.connected", "calendar.needs_reauth", "calendar.disconnected"]
EndpointMessage = Literal["endpoint.test", "endpoint.disabled"]

LISTED_EVENTS = 100
_TOLD_BY_FLEET: frozenset[BotMessage] = frozenset({"bot.joined", "bot.completed", "bot.failed"})


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    type: MessageType
    timestamp: datetime
    data: "_BotData | _ConnectionData | _ChangesData | _EndpointData"


class _BotEvent(msgspec.Struct, frozen=True, kw_only=True):
    id: str | None
    ical_uid: str | None
    title: str | None
    start_time: datetime
    end_time: datetime
    meeting_url: str
    platform: Platform | None


class _BotData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    bot_id: str
    status: BotStatus
    source: BotSource
    rule: str | None = None
    meetbot_calendar_user_id: str | None
    customer_user_id: str | None
    event: _BotEvent
    join_at: datetime
    dispatched_at: datetime | None = None
    recording_url: str | None = None
    transcript_url: str | None = None
    duration_seconds: float | None = None
    reason: str | None = None


class _ConnectionData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    meetbot_calendar_user_id: str
    customer_user_id: str
    connection_id: str
    provider: str
    account_id: str
    status: str
    scopes: tuple[str, ...]
    reason: str | None = None
    detail: str | None = None


class _ChangesData(msgspec.Struct, frozen=True, kw_only=True):
    meetbot_calendar_user_id: str
    customer_user_id: str
    provider: str
    account_id: str
    calendar_id: str
    event_ids: tuple[str, ...]
    deleted_event_ids: tuple[str, ...]
    has_more: bool
    since: str


class _EndpointData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    endpoint_id: str
    reason: str | None = None


def bot_payload(kind: BotMessage, bot: Bot, customer_user_id: str | None, at: datetime) -> bytes:
    """Write a ``bot.*`` message; ``customer_user_id`` is the tenant's id of the bot's first user.

    ``reason`` is what the fleet reported where the fleet is who tells it, else the plan's reason.
    """
    said = bot.content
    planned = None if kind in ("bot.joined", "bot.completed") else bot.reason
    data = _BotData(
        bot_id=bot.id,
        status=bot.status,
        source=bot.source,
        rule=said.rule,
        meetbot_calendar_user_id=next(iter(bot.user_ids), None),
        customer_user_id=customer_user_id,
        event=_event(bot),
        join_at=_utc(bot.join_at),
        dispatched_at=_utc(bot.dispatched_at) if bot.dispatched_at else None,
        recording_url=said.recording_url,
        transcript_url=said.transcript_url,
        duration_seconds=bot.duration_seconds,
        reason=(said.report_reason if kind in _TOLD_BY_FLEET else None) or planned,
    )
    return _written(kind, at, data)


def calendar_payload(
    kind: ConnectionMessage, connection: Connection, customer_user_id: str, at: datetime
) -> bytes:
    """Write what became of a connection."""
    data = _ConnectionData(
        meetbot_calendar_user_id=connection.user_id,
        customer_user_id=customer_user_id,
        connection_id=connection.id,
        provider=connection.provider,
        account_id=connection.account_id,
        status="disconnected" if kind == "calendar.disconnected" else connection.status,
        scopes=connection.scopes,
        reason=connection.error_code,
        detail=connection.error_detail,
    )
    return _written(kind, at, data)


def changes_payload(
    calendar: Calendar,
    customer_user_id: str,
    *,
    changed: Sequence[EventId],
    deleted: Sequence[EventId],
    since: str,
    at: datetime,
) -> bytes:
    """Write ``calendar.events_changed``: up to a hundred ids of each kind.

    ``since`` is the watermark after which a listing shows all of the changes.
    """
    data = _ChangesData(
        meetbot_calendar_user_id=calendar.user_id,
        customer_user_id=customer_user_id,
        provider=calendar.provider,
        account_id=calendar.account_id,
        calendar_id=calendar.id,
        event_ids=tuple(changed[:LISTED_EVENTS]),
        deleted_event_ids=tuple(deleted[:LISTED_EVENTS]),
        has_more=max(len(changed), len(deleted)) > LISTED_EVENTS,
        since=since,
    )
    return _written("calendar.events_changed", at, data)


def endpoint_payload(
    kind: EndpointMessage, endpoint_id: EndpointId, at: datetime, reason: str | None = None
) -> bytes:
    """Write a message about an endpoint itself."""
    return _written(kind, at, _EndpointData(endpoint_id=endpoint_id, reason=reason))


def _event(bot: Bot) -> _BotEvent:
    return _BotEvent(
        id=next(iter(bot.event_ids), None),
        ical_uid=bot.content.ical_uid,
        title=bot.content.title,
        start_time=_utc(bot.start),
        end_time=_utc(bot.end),
        meeting_url=bot.content.meeting_url,
        platform=bot.platform,
    )


def _written(
    kind: MessageType,
    at: datetime,
    data: _BotData | _ConnectionData | _ChangesData | _EndpointData,
) -> bytes:
    return msgspec.json.encode(_Envelope(type=kind, timestamp=_utc(at), data=data))


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)
