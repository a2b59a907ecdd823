"""Delta rounds over a calendar view (providers 6.4): what they tell, and what they leave out.

A series is told as a whole whenever anything of it changed: its master, its plain occurrences
(times only) and its exceptions. An occurrence that was cancelled or moved away with its series is
simply no longer among them; there is no tombstone for it.
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from meetbot_calendar.sandbox.faults import Fault
from meetbot_calendar.sandbox.microsoft import wire
from meetbot_calendar.sandbox.microsoft.access import Caller, Sight
from meetbot_calendar.sandbox.microsoft.failures import GraphRefusal, sync_state_gone
from meetbot_calendar.sandbox.microsoft.paging import PAGE, link, window_of
from meetbot_calendar.sandbox.microsoft.series import (
    Item,
    Window,
    exceptions_of,
    is_master,
    item_of,
    occurrences,
)
from meetbot_calendar.sandbox.store import Row
from meetbot_calendar.sandbox.world import World

TARGET = "microsoft.delta"
_NOT_WITH_DELTA = ("$select", "$filter", "$expand", "$orderby", "$search", "$top")
_DEAD = {"410": 410, "400_sync_state": 400, "404_sync_state": 404}

Place = tuple[int, int]
Told = tuple[Place, dict[str, Any], Row]


class Round(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a token holds: the calendar, the fixed window, and how far the telling has come.

    A round tells the changes after ``since`` up to ``upto`` and stands behind ``after``; a first
    one tells what is there. ``upto`` -1 is a delta token: the next round has not begun. ``turn``
    makes links of a round that does not move on differ all the same.
    """

    calendar: str
    account: str
    epoch: int
    start: datetime
    end: datetime
    first: bool
    since: int
    upto: int = -1
    after: Place = (0, -1)
    turn: int = 0

    @property
    def window(self) -> Window:
        """Return the window that every round of this token keeps to."""
        return Window(start=self.start, end=self.end)


def delta_page(world: World, caller: Caller, seen: Sight, query: dict[str, str]) -> dict[str, Any]:
    """Answer one call of a delta: the first, a next page, or a later round."""
    _refuse_options(query)
    told = _begun(world, caller, seen, query)
    answer: dict[str, Any] = {"@odata.context": f"{caller.root}/$metadata#Collection(event)"}
    if fault := _take(world, caller, "endless", "empty_page"):
        return answer | _stuck(caller, seen, told, fault)
    size = caller.prefers.page_size or PAGE
    entries = [e for e in tell(caller, seen, told) if e[0] > told.after]
    value = [row for _, row, _ in entries[:size]]
    if entries and _take(world, caller, "repeat"):
        value = [_older(caller, seen, entries[0]), *value]
    if len(entries) > size:
        rest = msgspec.structs.replace(told, after=entries[size - 1][0])
        return answer | {"@odata.nextLink": _link(caller, seen, "$skiptoken", rest), "value": value}
    return answer | {"@odata.deltaLink": _delta_link(caller, seen, told), "value": value}


def tell(caller: Caller, seen: Sight, told: Round) -> Iterator[Told]:
    """Yield everything that a round tells, in its order, with its place."""
    for row in _roots(seen, told):
        for index, found in enumerate(_of_row(caller, seen, told, row)):
            yield (row.serial, index), found, row


def _roots(seen: Sight, told: Round) -> list[Row]:
    """Return the singles and masters that are due; an exception stands for its master."""
    rows = seen.calendar.rows
    changed = [r for r in rows.values() if told.since < r.change <= told.upto]
    roots = {r.id: r for r in (rows.get(_master_id(r), r) for r in changed)}
    due = [r for r in roots.values() if not (told.first and r.removed)]
    return sorted(due, key=lambda row: row.serial)


def _of_row(caller: Caller, seen: Sight, told: Round, row: Row) -> list[dict[str, Any]]:
    if row.removed:
        return [wire.removed(row.id, caller.prefers)]
    if is_master(row):
        return _of_series(caller, seen, told, row)
    item = item_of(row)
    if told.window.holds(item):
        return [wire.delta_event(item, caller.prefers, seen.role)]
    return [] if told.first else [wire.removed(row.id, caller.prefers)]


def _of_series(caller: Caller, seen: Sight, told: Round, master: Row) -> list[dict[str, Any]]:
    shown = occurrences(seen.calendar, master, told.window)
    listed = [item_of(master), *shown] if shown else []
    rows = [wire.delta_event(item, caller.prefers, seen.role) for item in listed]
    if told.first:
        return rows
    gone = [e.id for e in exceptions_of(seen.calendar, master.id) if _left(e, told)]
    gone += [] if shown else [master.id]
    return rows + [wire.removed(item_id, caller.prefers) for item_id in gone]


def _left(item: Item, told: Round) -> bool:
    return item.row.change > told.since and not told.window.holds(item)


def _master_id(row: Row) -> str:
    return str(row.body.get("seriesMasterId") or "")


def _begun(world: World, caller: Caller, seen: Sight, query: dict[str, str]) -> Round:
    text = query.get("$skiptoken") or query.get("$deltatoken") or ""
    if not text:
        return _fresh(caller, seen, window_of(query))
    told = _read(text)
    if told is None or (told.calendar, told.account) != (seen.calendar.id, caller.account.key):
        raise GraphRefusal(400, "SyncStateInvalid", "The sync state is not valid here.")
    dead = _take(world, caller, *_DEAD)
    if dead or told.epoch != seen.calendar.epoch:
        status = _DEAD[dead.kind] if dead else 410
        raise sync_state_gone(status, _restart(caller, seen, told))
    if told.upto >= 0:
        return told
    lag = _take(world, caller, "lag")
    return msgspec.structs.replace(told, upto=told.since if lag else seen.calendar.change)


def _fresh(caller: Caller, seen: Sight, window: Window) -> Round:
    return Round(
        calendar=seen.calendar.id,
        account=caller.account.key,
        epoch=seen.calendar.epoch,
        start=window.start,
        end=window.end,
        first=True,
        since=0,
        upto=seen.calendar.change,
    )


def _stuck(caller: Caller, seen: Sight, told: Round, fault: Fault) -> dict[str, Any]:
    """Answer a page that leads nowhere: the same rows (or none) and yet another link."""
    entries = [] if fault.kind == "empty_page" else list(tell(caller, seen, told))
    rows = [row for _, row, _ in entries[: caller.prefers.page_size or PAGE]]
    again = msgspec.structs.replace(told, turn=told.turn + 1)
    return {"@odata.nextLink": _link(caller, seen, "$skiptoken", again), "value": rows}


def _older(caller: Caller, seen: Sight, entry: Told) -> dict[str, Any]:
    """Tell a row as it was before: the same id comes again in the round, and that one counts."""
    _, shown, row = entry
    if not row.past or "@removed" in shown:
        return shown
    was = msgspec.structs.replace(row, body=row.past[-1].body, change=row.change - 1)
    return wire.delta_event(item_of(was), caller.prefers, seen.role)


def _delta_link(caller: Caller, seen: Sight, told: Round) -> str:
    done = msgspec.structs.replace(
        told, first=False, since=told.upto, upto=-1, after=(0, -1), turn=0
    )
    return _link(caller, seen, "$deltatoken", done)


def _restart(caller: Caller, seen: Sight, told: Round) -> str:
    window = {
        "startDateTime": f"{told.start:%Y-%m-%dT%H:%M:%SZ}",
        "endDateTime": f"{told.end:%Y-%m-%dT%H:%M:%SZ}",
    }
    return link(caller, f"{seen.path}/calendarView/delta", window | {"$deltatoken": ""})


def _link(caller: Caller, seen: Sight, name: str, told: Round) -> str:
    text = base64.urlsafe_b64encode(msgspec.msgpack.encode(told)).decode().rstrip("=")
    return link(caller, f"{seen.path}/calendarView/delta", {name: text})


def _read(text: str) -> Round | None:
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(text + "=="), type=Round)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None


def _refuse_options(query: dict[str, str]) -> None:
    if any(name in query for name in _NOT_WITH_DELTA):
        named = ", ".join(_NOT_WITH_DELTA)
        text = "The following parameters are not supported with change tracking over the "
        raise GraphRefusal(400, "ErrorInvalidUrlQuery", f"{text}'CalendarView' resource: {named}.")


def _take(world: World, caller: Caller, *kinds: str) -> Fault | None:
    return world.faults.take(TARGET, *kinds, account=caller.account.email)
