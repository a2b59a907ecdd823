"""Graph's events: views and their deltas, lists, single items, and the instances of a series."""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.microsoft import names, wire
from meetbot_calendar.sandbox.microsoft.access import Admitted, Caller, Sight, sight, sights
from meetbot_calendar.sandbox.microsoft.answers import answer
from meetbot_calendar.sandbox.microsoft.delta import TARGET as DELTA
from meetbot_calendar.sandbox.microsoft.delta import delta_page
from meetbot_calendar.sandbox.microsoft.failures import (
    bad_parameter,
    item_not_found,
    malformed_id,
)
from meetbot_calendar.sandbox.microsoft.paging import (
    page,
    query_of,
    refuse_filters,
    selected,
    window_of,
)
from meetbot_calendar.sandbox.microsoft.series import (
    Item,
    exceptions_of,
    expanded,
    is_master,
    item_of,
    occurrence_on,
    occurrences,
)
from meetbot_calendar.sandbox.world import World

_VIEW = "microsoft.view"
_EVENTS = "microsoft.events"
_LONGEST_ID = 1000


@get(["/me/calendarView", "/me/calendar/calendarView"], target=_VIEW)
async def read_view(
    world: Here, caller: Admitted, request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Return what the default calendar shows in a window, series expanded."""
    return _view(caller, sight(world, caller), query_of(request))


@get("/me/calendars/{calendar_id:str}/calendarView", target=_VIEW)
async def read_view_of(
    world: Here, caller: Admitted, request: Request[Any, Any, Any], calendar_id: FromPath[str]
) -> Response[bytes]:
    """Return what one calendar shows in a window, series expanded."""
    return _view(caller, sight(world, caller, calendar_id), query_of(request))


@get("/me/calendarView/delta", target=DELTA)
async def read_delta(
    world: Here, caller: Admitted, request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Return a page of what changed in the default calendar's window."""
    seen = sight(world, caller)
    return answer(caller, delta_page(world, caller, seen, query_of(request)))


@get("/me/calendars/{calendar_id:str}/calendarView/delta", target=DELTA)
async def read_delta_of(
    world: Here, caller: Admitted, request: Request[Any, Any, Any], calendar_id: FromPath[str]
) -> Response[bytes]:
    """Return a page of what changed in one calendar's window."""
    seen = sight(world, caller, calendar_id)
    return answer(caller, delta_page(world, caller, seen, query_of(request)))


@get("/me/events", target=_EVENTS)
async def list_events(
    world: Here, caller: Admitted, request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Return the default calendar's singles and masters, unexpanded."""
    return _unexpanded(caller, sight(world, caller), query_of(request))


@get("/me/calendars/{calendar_id:str}/events", target=_EVENTS)
async def list_events_of(
    world: Here, caller: Admitted, request: Request[Any, Any, Any], calendar_id: FromPath[str]
) -> Response[bytes]:
    """Return one calendar's singles and masters, unexpanded."""
    return _unexpanded(caller, sight(world, caller, calendar_id), query_of(request))


@get(
    ["/me/events/{event_id:str}", "/me/calendars/{calendar_id:str}/events/{event_id:str}"],
    target=_EVENTS,
)
async def read_event(
    world: Here,
    caller: Admitted,
    request: Request[Any, Any, Any],
    event_id: FromPath[str],
    calendar_id: FromPath[str | None] = None,
) -> Response[bytes]:
    """Return one item: single, master, exception or occurrence, by either kind of id."""
    seen, item = _find(world, caller, event_id, calendar_id)
    user = f"users('{caller.account.subject}')"
    shown = {"@odata.context": f"{caller.root}/$metadata#{user}/events/$entity"}
    query = query_of(request)
    whole = wire.event(item, caller.prefers, seen.role) | _on_request(caller, seen, item, query)
    return answer(caller, shown | selected(whole, query))


@get(
    [
        "/me/events/{event_id:str}/instances",
        "/me/calendars/{calendar_id:str}/events/{event_id:str}/instances",
    ],
    target=_EVENTS,
)
async def list_instances(
    world: Here,
    caller: Admitted,
    request: Request[Any, Any, Any],
    event_id: FromPath[str],
    calendar_id: FromPath[str | None] = None,
) -> Response[bytes]:
    """Return the occurrences and exceptions of one series in a window."""
    seen, item = _find(world, caller, event_id, calendar_id)
    query = query_of(request)
    window = window_of(query)
    if not is_master(item.row) or item.kind != "seriesMaster":
        raise bad_parameter("The event is not a series master.")
    items = occurrences(seen.calendar, item.row, window)
    stem = f"/me/calendars/{calendar_id}" if calendar_id else "/me"
    return _listed(caller, seen, f"{stem}/events/{event_id}/instances", query, items)


def _view(caller: Caller, seen: Sight, query: dict[str, str]) -> Response[bytes]:
    window = window_of(query)
    refuse_filters(query)
    items = expanded(seen.calendar, window)
    return _listed(caller, seen, f"{seen.path}/calendarView", query, items)


def _unexpanded(caller: Caller, seen: Sight, query: dict[str, str]) -> Response[bytes]:
    refuse_filters(query)
    live = (row for row in seen.calendar.rows.values() if not row.removed)
    items = [item_of(row) for row in live if not row.body.get("seriesMasterId")]
    return _listed(caller, seen, f"{seen.path}/events", query, items)


def _listed(
    caller: Caller, seen: Sight, path: str, query: dict[str, str], items: list[Item]
) -> Response[bytes]:
    rows = [wire.event(item, caller.prefers, seen.role) for item in items]
    return answer(caller, page(caller, path, query, rows))


def _find(
    world: World, caller: Caller, event_id: str, calendar_id: str | None
) -> tuple[Sight, Item]:
    if len(event_id) > _LONGEST_ID or not event_id.isascii():
        raise malformed_id()
    places = [sight(world, caller, calendar_id)] if calendar_id else sights(world, caller)
    for seen in places:
        item = _in_calendar(seen, names.regular(event_id))
        if item:
            return seen, item
    raise item_not_found()


def _in_calendar(seen: Sight, item_id: str) -> Item | None:
    row = seen.calendar.rows.get(item_id)
    if row:
        return None if row.removed else item_of(row)
    named = names.read_occurrence_id(item_id)
    if named is None:
        return None
    stem, day = named
    masters = [r for r in seen.calendar.rows.values() if r.id.rstrip("=") == stem]
    live = [r for r in masters if is_master(r) and not r.removed]
    return occurrence_on(live[0], day) if live else None


def _on_request(caller: Caller, seen: Sight, item: Item, query: dict[str, str]) -> dict[str, Any]:
    """Return the members of a master that come only when named in ``$select`` or ``$expand``."""
    extra: dict[str, Any] = {}
    if "cancelledOccurrences" in query.get("$select", ""):
        extra["cancelledOccurrences"] = item.body.get("cancelledOccurrences") or []
    if "exceptionOccurrences" in query.get("$expand", ""):
        found = exceptions_of(seen.calendar, item.id)
        shown = [wire.event(e, caller.prefers, seen.role) for e in found]
        extra["exceptionOccurrences"] = shown
    return extra
