"""Cuts listings into pages joined by absolute ``@odata.nextLink``s."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from litestar import Request

from meetbot_calendar.sandbox.microsoft.access import Caller
from meetbot_calendar.sandbox.microsoft.failures import GraphRefusal, bad_parameter
from meetbot_calendar.sandbox.microsoft.series import Window

PAGE = 10
_MOST = 1000
_ALWAYS = ("id", "@odata.etag")
_NO_WINDOW = (
    "This request requires a time window specified by the query string parameters "
    "StartDateTime and EndDateTime."
)


def query_of(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the query with its names in lower case: Graph takes them in any."""
    return {name.lower(): value for name, value in request.query_params.items()}


def window_of(query: dict[str, str]) -> Window:
    """Return the window of a view; naive bounds are UTC whatever zone is preferred."""
    if "startdatetime" not in query or "enddatetime" not in query:
        raise bad_parameter(_NO_WINDOW)
    window = Window(start=_bound(query["startdatetime"]), end=_bound(query["enddatetime"]))
    if window.end < window.start:
        raise bad_parameter("The start of the time window lies after its end.")
    return window


def page(
    caller: Caller, path: str, query: dict[str, str], rows: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return one page of ``rows`` with the link to the next, and ``$select`` applied."""
    size = _number(query, "$top", caller.prefers.page_size or PAGE)
    skip = _number(query, "$skip", 0)
    shown = [selected(row, query) for row in rows[skip : skip + min(size, _MOST)]]
    answer: dict[str, Any] = {"@odata.context": context(caller, path), "value": shown}
    if query.get("$count") == "true":
        answer["@odata.count"] = len(rows)
    if skip + size < len(rows):
        answer["@odata.nextLink"] = link(caller, path, query | {"$skip": str(skip + size)})
    return answer


def link(caller: Caller, path: str, query: dict[str, str]) -> str:
    """Return an absolute address on this Graph."""
    return f"{caller.root}{quote(path)}?{urlencode(query, safe='$:')}"


def context(caller: Caller, path: str) -> str:
    """Return the ``@odata.context`` of a listing."""
    user = f"users('{caller.account.subject}')"
    return f"{caller.root}/$metadata#{user}{path.removeprefix('/me')}"


def refuse_filters(query: dict[str, str]) -> None:
    """Refuse what this Graph does not simulate, instead of answering something else."""
    for name in ("$filter", "$search", "$orderby"):
        if query.get(name, "start/dateTime") != "start/dateTime":
            text = f"The query specified in the URI is not valid: {name}."
            raise GraphRefusal(400, "ErrorInvalidUrlQueryFilter", text)


def selected(row: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """Return what ``$select`` leaves of a row."""
    wanted = query.get("$select")
    if not wanted:
        return row
    names = {*_ALWAYS, *(name.strip() for name in wanted.split(","))}
    return {name: value for name, value in row.items() if name in names}


def _number(query: dict[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, "")
    if text and not (text.isdigit() and (int(text) > 0 or name == "$skip")):
        raise bad_parameter(f"Invalid value '{text}' for {name} query option found.")
    return int(text) if text else otherwise


def _bound(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad_parameter(f"The value '{text}' is not a date and time.") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
