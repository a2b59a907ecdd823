"""What was said of occurrences, and where a bot was stopped, goes over to those in their place."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from meetbot_calendar.bots.overrides import SeriesOverride, SeriesOverrideId
from meetbot_calendar.calendars.model import Calendar
from meetbot_calendar.calendars.successors import Succession
from meetbot_calendar.journeys.by_hand import slot_of
from meetbot_calendar.storage import bots, decisions, events, series, series_overrides
from meetbot_calendar.storage.series import SeriesId
from tenants.identity import new_id
from tenants.storage.session import TenantSession

_Moves = dict[datetime, datetime]  # where each slot of a series lies now


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
    for (old, new), moves in _halves(found).items():
        if old != new:
            await _carry_series(session, calendar, old, new, moves, now)


async def move(
    session: TenantSession, calendar: Calendar, found: Sequence[Succession], now: datetime
) -> None:
    """Let what was said of series hold for the same occurrences at their new times."""
    for (old, new), moves in _halves(found).items():
        if old != new:
            continue
        rows = await series.in_view(session, calendar.id, new, now)
        here = set(moves.values())
        is_whole = all(r.event.created_at >= now or slot_of(r.event) in here for r in rows)
        for said in await series_overrides.of_series(session, calendar.id, new):
            moved = _moved(said, moves, is_whole=is_whole)
            if moved != said:
                await series_overrides.reframe(session, moved)


def _halves(found: Sequence[Succession]) -> dict[tuple[str, str], _Moves]:
    """Say which slots went where, by the series they were of and are of."""
    halves: defaultdict[tuple[str, str], _Moves] = defaultdict(dict)
    for each in found:
        if each.old.series_id is not None and each.new.series_id is not None:
            halves[each.old.series_id, each.new.series_id][each.old_slot] = each.new_slot
    return dict(sorted(halves.items()))


def _moved(said: SeriesOverride, moves: _Moves, *, is_whole: bool) -> SeriesOverride:
    """Move both ends of a stretch: where all of a series has moved, as the nearest slot did."""

    def place(bound: datetime) -> datetime:
        near = min(moves, key=lambda slot: (abs(slot - bound), slot))
        return bound + (moves[near] - near) if is_whole or near == bound else bound

    last = None if said.last_slot is None else place(said.last_slot)
    return msgspec.structs.replace(said, first_slot=place(said.first_slot), last_slot=last)


async def _carry_series(
    session: TenantSession, calendar: Calendar, old: str, new: str, moves: _Moves, now: datetime
) -> None:
    """Let the second half of a series that was split be what the whole was."""
    if await series_overrides.of_series(session, calendar.id, new):
        return
    for said in await series_overrides.of_series(session, calendar.id, old):
        word = SeriesOverrideId(new_id("sov", said.created_at))
        moved = _moved(said, moves, is_whole=True)
        await series_overrides.add(session, msgspec.structs.replace(moved, id=word, series_id=new))
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
