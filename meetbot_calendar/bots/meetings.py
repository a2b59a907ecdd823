"""Which wants are one meeting's, and which bots serve or served it.

Two wants are one meeting's when they share a key: a decoded UID with its original start, or a room
with its instant (``calendars/meeting_keys.py``).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from meetbot_calendar.bots.model import FINAL, OUT, Bot, Want
from tenants.identity import Dedupe


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """All wants of one meeting, the live bots that serve it, and the ended ones it remembers."""

    wants: tuple[Want, ...]
    live: tuple[Bot, ...] = ()
    ended: tuple[Bot, ...] = ()


def gather(
    wants: Sequence[Want], bots: Sequence[Bot], dedupe: Dedupe, now: datetime
) -> tuple[tuple[Meeting, ...], tuple[Bot, ...]]:
    """Put wants that share a key together, and each bot with its meeting.

    A live bot serves one meeting: the one it shares a key with, else the one it shares most events
    with (its meeting moved). An ended bot is remembered by every meeting it touches, and so is one
    that is out though its meeting is over: its report will close it. The second
    result are live bots of no meeting at all.
    """
    groups = _groups(wants, dedupe)
    live: dict[int, list[Bot]] = {}
    ended: dict[int, list[Bot]] = {}
    stray: list[Bot] = []
    touching = _touching(groups)
    for bot in bots:
        touched = {i for name in (*bot.keys, *bot.event_ids) for i in touching.get(name, ())}
        scored = [(_nearness(bot, groups[i], dedupe), i) for i in sorted(touched)]
        near = [(score, -i) for score, i in scored if score > (0, 0)]
        if bot.status in FINAL or _is_spent(bot, now):
            for _, i in near:
                ended.setdefault(-i, []).append(bot)
        elif near:
            live.setdefault(-max(near)[1], []).append(bot)
        else:
            stray.append(bot)
    meetings = tuple(
        Meeting(wants=group, live=tuple(live.get(i, ())), ended=tuple(ended.get(i, ())))
        for i, group in enumerate(groups)
    )
    return meetings, tuple(stray)


def _touching(groups: Sequence[Sequence[Want]]) -> dict[str, set[int]]:
    """Say which groups know a key or an event."""
    touching: dict[str, set[int]] = {}
    for number, group in enumerate(groups):
        for want in group:
            for name in (*want.keys, want.event_id):
                touching.setdefault(name, set()).add(number)
    return touching


def _is_spent(bot: Bot, now: datetime) -> bool:
    """Say whether a bot is out, but its meeting over: the fleet's report will close it."""
    return bot.status in OUT and now >= bot.end


def _groups(wants: Sequence[Want], dedupe: Dedupe) -> list[tuple[Want, ...]]:
    owner: dict[str, int] = {}
    groups: dict[int, list[Want]] = {}
    for number, want in enumerate(sorted(wants, key=lambda w: w.event_id)):
        keys = _scoped(want.keys, want.user_id, dedupe) or (f"event:{want.event_id}",)
        merged = [want]
        for other in sorted({owner[key] for key in keys if key in owner}):
            merged = groups.pop(other) + merged
        groups[number] = merged
        owner.update({key: number for w in merged for key in _scoped(w.keys, w.user_id, dedupe)})
    return [tuple(group) for _, group in sorted(groups.items())]


def _scoped(keys: Iterable[str], user_id: str, dedupe: Dedupe) -> tuple[str, ...]:
    return tuple(f"{user_id}|{key}" if dedupe == "user" else key for key in keys)


def _nearness(bot: Bot, group: Sequence[Want], dedupe: Dedupe) -> tuple[int, int]:
    mine = [w for w in group if dedupe == "meeting" or w.user_id in bot.user_ids]
    shared_keys = {key for want in mine for key in want.keys} & set(bot.keys)
    shared_events = {want.event_id for want in mine} & set(bot.event_ids)
    return len(shared_keys), len(shared_events)
