"""The nightly rounds: a safety net beneath what happens by itself all day.

At 00:00 UTC whatever begins within 24 hours is decided again for everybody who has it scheduled
automatically; at 03:00 UTC watches that end within two days are renewed. A round that was missed
is made up for once, as soon as a worker is there.
"""

from datetime import datetime, time, timedelta

import msgspec

from meetbot_calendar.journeys import decide
from meetbot_calendar.journeys.decide import Effects
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import rounds
from meetbot_calendar.storage.rounds import Round
from tenants.identity import TenantId

_AHEAD = timedelta(hours=24)
_EXPIRING = timedelta(days=2)
_TALK = 300.0  # seconds before another worker may make the same round
_AT: dict[Round, time] = {"nightly": time(0), "renewal": time(3)}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A round that was made: over how many people or calendars, and what it changed."""

    kind: Round
    looked_at: int
    effects: Effects = Effects()


async def schedule_all(services: Services, tenant_id: TenantId) -> Made | None:
    """Decide what begins within a day of all who have it scheduled; None where it is not due."""
    now = services.clock.now()
    until = now + services.clock.patience(_TALK)
    async with services.database.tenant(tenant_id) as session:
        if not await rounds.claim(session, "nightly", now, until):
            return None
        people = await rounds.mark_auto_scheduled(session, now, now + _AHEAD)
    effects = Effects()
    for user_id in people:
        effects += await decide.decide(services, tenant_id, user_id)
    await _finish(services, tenant_id, "nightly", until)
    return Made(kind="nightly", looked_at=len(people), effects=effects)


async def renew_watches(services: Services, tenant_id: TenantId) -> Made | None:
    """Have watches renewed that end within two days; None where the round is not due."""
    now = services.clock.now()
    until = now + services.clock.patience(_TALK)
    async with services.database.tenant(tenant_id) as session:
        if not await rounds.claim(session, "renewal", now, until):
            return None
        expiring = await rounds.mark_expiring(session, now, now + _EXPIRING)
    for calendar_id in expiring:
        await services.wakeups.ring("watch", tenant_id, calendar_id)
    await _finish(services, tenant_id, "renewal", until)
    return Made(kind="renewal", looked_at=len(expiring))


async def _finish(services: Services, tenant_id: TenantId, kind: Round, until: datetime) -> None:
    next_at = next_round(services.clock.now(), kind)
    async with services.database.tenant(tenant_id) as session:
        await rounds.finish(session, kind, until, next_at)


def next_round(now: datetime, kind: Round) -> datetime:
    """Return when the next round of a kind begins, in UTC, after ``now``."""
    today = datetime.combine(now.date(), _AT[kind], now.tzinfo)
    return today if today > now else today + timedelta(days=1)
