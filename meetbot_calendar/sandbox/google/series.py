"""Answers events.instances: one series, occurrence by occurrence."""

from datetime import datetime

from meetbot_calendar.sandbox.google import expand, times, tokens
from meetbot_calendar.sandbox.google.errors import invalid, not_found
from meetbot_calendar.sandbox.google.expand import Item
from meetbot_calendar.sandbox.google.matching import overlaps, span
from meetbot_calendar.sandbox.google.query import Params, flag, moment, whole
from meetbot_calendar.sandbox.google.render import Body, View, envelope, event_json
from meetbot_calendar.sandbox.google.tokens import PageToken

_DEFAULT_PAGE, _LARGEST_PAGE = 250, 2500


def list_instances(view: View, event_id: str, params: Params, now: datetime) -> Body:
    """Return the events.instances answer; raises GoogleError 404 and 400."""
    calendar = view.sight.calendar
    master = calendar.rows.get(event_id)
    if master is None:
        raise not_found()
    since, until = moment(params, "timeMin"), moment(params, "timeMax")
    show_deleted = flag(params, "showDeleted")
    found = [
        item
        for item in expand.instances(calendar, master, now)
        if (show_deleted or not item.gone)
        and (when := span(item.body, calendar.zone))
        and overlaps(when, since, until)
        and _began(item, view, params)
    ]
    return _page(view, sorted(found, key=_place), params, event_id)


def _place(item: Item) -> str:
    return item.slot or item.id.rpartition("_")[2]


def _began(item: Item, view: View, params: Params) -> bool:
    wanted = moment(params, "originalStart")
    zone = view.sight.calendar.zone
    return wanted is None or times.instant(item.body.get("originalStartTime"), zone) == wanted


def _page(view: View, found: list[Item], params: Params, event_id: str) -> Body:
    limit = min(whole(params, "maxResults", _DEFAULT_PAGE), _LARGEST_PAGE)
    resource = f"{view.sight.calendar.id}/{event_id}"
    first = 0
    if text := params.get("pageToken", ""):
        token = tokens.read_page(text)
        if token is None or token.resource != resource or not token.key:
            raise invalid("Invalid page token value.", "pageToken")
        first = int(token.key[0])
    shown = found[first : first + limit]
    answer = envelope(view, [event_json(item, view) for item in shown])
    if first + limit < len(found):
        token = PageToken(resource=resource, change=0, signature="", key=[first + limit])
        return answer | {"nextPageToken": tokens.written(token)}
    return answer
