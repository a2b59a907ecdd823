"""What was said of occurrences, and where a bot was stopped, goes over to those in their place."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from meetbot_calendar.bots.overrides import SeriesOverrideId
from meetbot_calendar.calendars.model import Calendar
from meetbot_calendar.calendars.successors import Succession
from meetbot_calendar.storage import bots, decisions, events, series, series_overrides
from meetbot_calendar.storage.series import SeriesId
from tenants.identity import new_id
from tenants.storage.session import TenantSession


async def carry(
    session: TenantSession, calendar: Calendar, found: Sequence[Succession], now: datetime
) -> None:
    """Carry over what was said, in the round's transaction; nothing where nothing succeeded.

    No rule sends another bot to an occurrence where a person or the host stopped one, whatever it
    is called now.
    """
    if not found:
        return
    ids = await events.ids_of(session, calendar.id, [each.new.platform_id for each in found])
    heirs = {each.old.id: ids[each.new.platform_id] for each in found}
    for event_id, said in (await decisions.own_overrides(session, list(heirs))).items():
        word = msgspec.structs.replace(said, event_id=heirs[event_id])
        await decisions.save_override(session, word)
    await bots.remember_stopped(session, heirs)
    halves = {
        (each.old.series_id, each.new.series_id)
        for each in found
        if each.old.series_id is not None and each.new.series_id is not None
    }
    for old, new in sorted(halves):
        if old != new:
            await _carry_series(session, calendar, old, new, now)


async def _carry_series(
    session: TenantSession, calendar: Calendar, old: str, new: str, now: datetime
) -> None:
    """Let the second half of a series that was split be what the whole was."""
    if await series_overrides.of_series(session, calendar.id, new):
        return
    for said in await series_overrides.of_series(session, calendar.id, old):
        word = SeriesOverrideId(new_id("sov", said.created_at))
        await series_overrides.add(session, msgspec.structs.replace(said, id=word, series_id=new))
    standing = await series.find(session, calendar.id, old)
    if standing is None or not standing.follows:
        return
    halted = msgspec.structs.replace(
        standing, follows=False, slot=None, due_at=None, updated_at=now
    )
    await series.save(session, halted)
    name = SeriesId(new_id("ser", now))
    content = msgspec.structs.replace(standing.content, master=None)
    await series.save(
        session, msgspec.structs.replace(standing, id=name, platform_id=new, content=content)
    )
