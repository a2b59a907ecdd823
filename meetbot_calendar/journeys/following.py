"""A series is followed: once a recorded occurrence is over, the next one gets a bot like it."""

from datetime import datetime
from typing import Any

import msgspec

from meetbot_calendar.calendars.model import StoredEvent
from meetbot_calendar.journeys import masters
from meetbot_calendar.journeys.by_hand import slot_of
from meetbot_calendar.storage import series
from tenants.identity import TenantContext
from tenants.storage.session import TenantSession


async def follow_from(
    session: TenantSession,
    context: TenantContext,
    event: StoredEvent,
    bot_config: dict[str, Any] | None,
    now: datetime,
    *,
    slot: datetime | None = None,
) -> None:
    """Follow a series on from an occurrence, or from a ``slot`` of it that is not in view.

    One that is followed from an earlier occurrence stays there. The worker looks at once whether a
    later occurrence is held before the one that is followed from. ``bot_config`` is for the bots to
    come; None keeps what was said of them before.
    """
    standing = await masters.standing_of(session, context, masters.named(event), now)
    if bot_config is not None:
        content = msgspec.structs.replace(standing.content, bot_config=bot_config)
        standing = msgspec.structs.replace(standing, content=content)
    place = slot or slot_of(event)
    if not (standing.follows and standing.slot is not None and standing.slot <= place):
        due_at = now if slot is None else place
        standing = msgspec.structs.replace(standing, follows=True, slot=place, due_at=due_at)
    standing = msgspec.structs.replace(standing, actor=context.actor, updated_at=now)
    await series.save(session, standing)


async def stop(session: TenantSession, event: StoredEvent, now: datetime) -> None:
    """Follow a series no longer; a bot that is scheduled already stays."""
    standing = await series.find(session, event.calendar_id, event.series_id or "")
    if standing is not None:
        await series.save(
            session,
            msgspec.structs.replace(
                standing, follows=False, slot=None, due_at=None, updated_at=now
            ),
        )
