"""Answers events.list: which items, in what order, cut into pages, with which token at the end."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from meetbot_calendar.sandbox.google import expand, tokens
from meetbot_calendar.sandbox.google.errors import GoogleError, full_sync_required, invalid
from meetbot_calendar.sandbox.google.expand import Item
from meetbot_calendar.sandbox.google.matching import matches, span
from meetbot_calendar.sandbox.google.query import EventQuery
from meetbot_calendar.sandbox.google.render import Body, View, envelope, event_json
from meetbot_calendar.sandbox.google.tokens import PageToken, SyncToken
from meetbot_calendar.sandbox.world import World

UPDATED_MIN_REACHES = timedelta(days=28)
_LAST = datetime.max.replace(tzinfo=UTC)
Key = list[str | int]


class Oddity(msgspec.Struct, frozen=True, kw_only=True):
    """Legal but rare behaviour ordered for this call: an empty page, or pages that never end."""

    empty_page: bool = False
    loop_pages: bool = False


def list_events(world: World, view: View, query: EventQuery, oddity: Oddity) -> Body:
    """Return the events.list answer; raises GoogleError 400 and 410."""
    sync = _sync_token(view, query)
    page = _page_token(view, query)
    now = world.clock.now()
    _refuse_too_long_ago(query, now)
    upto = page.change if page else view.sight.calendar.change
    found = sorted(
        ((_key(item, view, query), item) for item in _wanted(view, query, sync, now)),
        key=lambda pair: pair[0],
    )
    left = [pair for pair in found if page is None or page.key is None or pair[0] > page.key]
    shown = [] if oddity.empty_page else left[: query.max_results]
    answer = envelope(view, [event_json(item, view) for _, item in shown])
    key = shown[-1][0] if shown else page.key if page else None
    if oddity.loop_pages:
        key = page.key if page else None
    more = oddity.loop_pages or len(shown) < len(left)
    return answer | _next(view, query, upto, key if more else [], more=more)


def _next(view: View, query: EventQuery, upto: int, key: Key | None, *, more: bool) -> Body:
    """Return the one token that ends a page: to the next page, or to the next sync."""
    calendar = view.sight.calendar
    if more:
        token = PageToken(
            resource=calendar.id, change=upto, signature=query.page_signature, key=key
        )
        return {"nextPageToken": tokens.written(token)}
    if not query.earns_token or query.updated_min:
        return {}
    sync = SyncToken(
        resource=calendar.id,
        account=view.sight.entry.account,
        change=upto,
        access=view.sight.entry.access,
        epoch=calendar.epoch,
        signature=query.sync_signature,
    )
    return {"nextSyncToken": tokens.written(sync)}


def _sync_token(view: View, query: EventQuery) -> SyncToken | None:
    if not query.sync_token:
        return None
    token = tokens.read_sync(query.sync_token)
    entry, calendar = view.sight.entry, view.sight.calendar
    held = (calendar.id, entry.account, entry.access, calendar.epoch)
    if token is None or (token.resource, token.account, token.access, token.epoch) != held:
        raise full_sync_required()
    if token.signature != query.sync_signature:
        message = "Sync token was issued for other parameters (singleEvents, eventTypes, ...)."
        raise invalid(message, "syncToken")
    return token


def _page_token(view: View, query: EventQuery) -> PageToken | None:
    if not query.page_token:
        return None
    token = tokens.read_page(query.page_token)
    bound = (view.sight.calendar.id, query.page_signature)
    if token is None or (token.resource, token.signature) != bound:
        raise invalid("Invalid page token value.", "pageToken")
    return token


def _refuse_too_long_ago(query: EventQuery, now: datetime) -> None:
    if query.updated_min and query.updated_min < now - UPDATED_MIN_REACHES:
        raise GoogleError(
            410,
            "updatedMinTooLongAgo",
            "The requested minimum modification time lies too far in the past.",
            "calendar",
            location_type="parameter",
            location="updatedMin",
        )


def _wanted(view: View, query: EventQuery, sync: SyncToken | None, now: datetime) -> Iterator[Item]:
    calendar = view.sight.calendar
    found: Iterable[Item]
    if sync and query.single_events:
        found = {i.id: i for i in expand.changed(calendar, now, sync.change)}.values()
    elif query.single_events:
        found = expand.expanded(calendar, now, query.time_max)
    else:
        found = expand.stored(calendar, sync.change if sync else -1)
    return (i for i in found if (sync or _shown(i, view, query)) and matches(i, view, query, now))


def _shown(item: Item, view: View, query: EventQuery) -> bool:
    """Decide whether a full listing shows a cancelled line."""
    if not item.gone or query.show_deleted:
        return True
    if query.updated_min and item.row.updated_at >= query.updated_min:
        return True
    if query.single_events or item.row.removed or not item.of_series:
        return False
    master = view.sight.calendar.rows.get(str(item.body.get("recurringEventId")))
    return master is None or not master.removed


def _key(item: Item, view: View, query: EventQuery) -> Key:
    place: Key = [item.row.serial, item.slot, item.id]
    if query.order_by == "updated":
        return [item.row.updated_at.isoformat(), *place]
    if query.order_by == "startTime":
        when = span(item.body, view.sight.calendar.zone)
        return [(when[0] if when else _LAST).isoformat(), *place]
    return place
