"""A person's explicit yes or no, for one event or for a stretch of a series: which one counts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NewType

import msgspec

from meetbot_calendar.calendars.model import CalendarId, EventId
from tenants.identity import CalendarUserId

SeriesOverrideId = NewType("SeriesOverrideId", str)

Action = Literal["record", "skip"]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A person's explicit yes or no for one event."""

    event_id: EventId
    action: Action
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    actor: str
    created_at: datetime


class SeriesOverride(msgspec.Struct, frozen=True, kw_only=True):
    """A yes or no for the occurrences whose slots lie from ``first_slot`` to ``last_slot``.

    Both ends are in it; without ``last_slot`` it has no end. Occurrences that come into view later
    are covered like those that are in view.
    """

    id: SeriesOverrideId
    user_id: CalendarUserId
    calendar_id: CalendarId
    series_id: str
    action: Action
    first_slot: datetime
    last_slot: datetime | None = None
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)
    actor: str
    created_at: datetime

    def on(self, event_id: EventId) -> Override:
        """Return what this says of one occurrence."""
        return Override(
            event_id=event_id,
            action=self.action,
            bot_config=self.bot_config,
            actor=self.actor,
            created_at=self.created_at,
        )


def prevailing(own: Override | None, covering: Sequence[SeriesOverride]) -> SeriesOverride | None:
    """Return what is said of the series where it counts; None where the event's own word does.

    The latest word wins. One that only repeats what was said of the event itself leaves that its
    settings: who scheduled one occurrence with care keeps it so.
    """
    latest = max(covering, key=lambda each: (each.created_at, each.id), default=None)
    if latest is None or own is None:
        return latest
    if own.action == latest.action or own.created_at >= latest.created_at:
        return None
    return latest
