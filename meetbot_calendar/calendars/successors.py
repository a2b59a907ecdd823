"""Which occurrence took the place of which, when a series was given other times or was split.

Providers then name occurrences anew: what was said of the old ones must not be lost with them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from meetbot_calendar.calendars.changes import Change, Known
from meetbot_calendar.calendars.meeting_keys import series_family
from meetbot_calendar.calendars.model import FetchedEvent, StoredEvent

_WEEK = timedelta(days=7)


class Succession(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence that is gone, and the one that stands for it now, each with its slot."""

    old: StoredEvent
    new: FetchedEvent
    old_slot: datetime
    new_slot: datetime


def successors(changes: Iterable[Change]) -> tuple[Succession, ...]:
    """Pair what a round took away of a series with what it brought.

    Each goes to the nearest in time, nearer than half the way to its own neighbour: further away
    lies another occurrence.
    """
    gone: defaultdict[str, list[tuple[datetime, StoredEvent]]] = defaultdict(list)
    fresh: defaultdict[str, list[tuple[datetime, FetchedEvent]]] = defaultdict(list)
    for change in changes:
        old, new = change.before, change.event
        if new is None and old is not None and old.series_id and (slot := _slot(old)):
            gone[series_family(old.series_id)].append((slot, old))
        elif old is None and new is not None and new.series_id and (slot := _slot(new)):
            fresh[series_family(new.series_id)].append((slot, new))
    return tuple(
        pair for name in gone.keys() & fresh.keys() for pair in _pair(gone[name], fresh[name])
    )


def shifted(changes: Iterable[Change]) -> tuple[Succession, ...]:
    """Return the occurrences that keep their name at another slot, as Outlook's do on one day."""
    found = []
    for change in changes:
        old, new = change.before, change.event
        if old is None or new is None or old.series_id is None or new.series_id is None:
            continue
        before, after = _slot(old), _slot(new)
        if before is not None and after is not None and before != after:
            found.append(Succession(old=old, new=new, old_slot=before, new_slot=after))
    return tuple(found)


def _slot(event: Known) -> datetime | None:
    return event.original_start or (event.span.start if event.span else None)


def _pair(
    gone: Sequence[tuple[datetime, StoredEvent]], fresh: Sequence[tuple[datetime, FetchedEvent]]
) -> Iterable[Succession]:
    left = dict(enumerate(fresh))
    reach = min(_spacing([slot for slot, _ in gone]), _spacing([slot for slot, _ in fresh])) / 2
    for slot, old in sorted(gone, key=lambda each: each[0]):
        near = min(left, key=lambda place: abs(left[place][0] - slot), default=None)
        if near is not None and abs(left[near][0] - slot) < reach:
            new_slot, new = left.pop(near)
            yield Succession(old=old, new=new, old_slot=slot, new_slot=new_slot)


def _spacing(slots: Iterable[datetime]) -> timedelta:
    """Return how far apart the nearest two are; a week where there are no two."""
    return min((later - earlier for earlier, later in pairwise(sorted(slots))), default=_WEEK)
