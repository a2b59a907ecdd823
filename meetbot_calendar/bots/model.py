"""A bot, its states, and what wants it."""

from datetime import datetime
from typing import Any, Literal, NewType

import msgspec

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.calendars.model import EventId, Platform
from tenants.identity import CalendarUserId, TenantId

BotId = NewType("BotId", str)

BotStatus = Literal[
    "scheduled",
    "dispatching",
    "dispatched",
    "joined",
    "completed",
    "failed",
    "cancelled",
    "missed",
]
BotSource = Literal["rule", "manual", "auto"]

FINAL: frozenset[BotStatus] = frozenset({"completed", "failed", "cancelled", "missed"})
OUT: frozenset[BotStatus] = frozenset({"dispatching", "dispatched", "joined"})


class BotContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a bot says: everything of it that is stored sealed.

    ``bot_config`` is the layer of the rule or override that wants the bot; ``hand_config`` and
    ``hand_lead_seconds`` (before the start) are what a person set on this very bot. ``order`` is
    what the fleet was asked for as the bot left: asked about again, it must be the same.
    """

    meeting_url: str
    title: str | None = None
    ical_uid: str | None = None
    rule: str | None = None
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    hand_config: dict[str, Any] = msgspec.field(default_factory=dict)
    hand_lead_seconds: float | None = None
    recording_url: str | None = None
    transcript_url: str | None = None
    report_reason: str | None = None
    order: Order | None = None


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """One event's wish for a bot; ``keys`` are the meeting keys it is known by (one at least).

    Two wants that share a key are one meeting. ``wanted`` is False for an event that is known to
    belong to a meeting but does not (or no longer) want a bot; ``reason`` then says why.
    ``by_hand_at`` is when a person asked for it. ``seen_at`` is when this copy last changed: where
    copies of a meeting disagree about its time, the freshest is believed.
    """

    event_id: EventId
    user_id: CalendarUserId
    keys: tuple[str, ...]
    wanted: bool
    start: datetime
    end: datetime
    platform: Platform | None
    meeting_url: str | None
    title: str | None = None
    ical_uid: str | None = None
    source: BotSource = "rule"
    rule: str | None = None
    reason: str = "matched"
    by_hand_at: datetime | None = None
    seen_at: datetime
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)


class Bot(msgspec.Struct, frozen=True, kw_only=True):
    """The intent to send one bot to one meeting at one time.

    ``generation`` rises with every change of plan: what was claimed under an older one is dropped.
    ``stopped_by`` remembers an outcome that no rule may undo.
    """

    id: BotId
    tenant_id: TenantId
    status: BotStatus
    source: BotSource
    reason: str
    keys: tuple[str, ...]
    start: datetime
    end: datetime
    join_at: datetime
    platform: Platform | None
    content: BotContent
    generation: int = 1
    event_ids: tuple[EventId, ...] = ()
    user_ids: tuple[CalendarUserId, ...] = ()
    fleet_bot_id: str | None = None
    attempts: int = 0
    stopped_by: Literal["person", "host"] | None = None
    dispatched_at: datetime | None = None
    joined_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: float | None = None
    created_at: datetime
    updated_at: datetime
