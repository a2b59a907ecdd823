"""What the resources share: the pieces that handlers are given, pages, and kinds of text."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import HeaderParameter, QueryParameter, SkipValidation

from meetbot_calendar.errors import Fault, Invalid
from meetbot_calendar.journeys import paging
from meetbot_calendar.journeys.paging import Listing, PageWish
from meetbot_calendar.journeys.services import Services
from tenants.identity import TenantContext

T = TypeVar("T")
V = TypeVar("V")

Given = NamedDependency[SkipValidation[Services]]
Caller = NamedDependency[SkipValidation[TenantContext]]
Wish = NamedDependency[SkipValidation[PageWish]]

_NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_NO_NUL)]
Text = Annotated[str, msgspec.Meta(max_length=2000, pattern=_NO_NUL)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2048, pattern=_NO_NUL)]
CustomerUserId = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=255,
        pattern=_NO_NUL,
        description="Your own id for the person; unique among your calendar users.",
    ),
]
LaterInstant = Annotated[datetime, msgspec.Meta(tz=True)]

Limit = Annotated[
    int, QueryParameter(ge=1, le=100, description="How many rows a page has at most.")
]
Cursor = Annotated[
    str | None,
    QueryParameter(
        max_length=512, description="What an earlier page gave as `next` or `previous`."
    ),
]
_INSTANT: dict[str, Any] = {"max_length": 40, "schema_extra": {"format": "date-time"}}
InstantText = Annotated[str | None, QueryParameter(**_INSTANT)]
FromText = Annotated[str | None, QueryParameter(name="from", **_INSTANT)]
ToText = Annotated[str | None, QueryParameter(name="to", **_INSTANT)]
UserIdQuery = Annotated[
    str | None,
    QueryParameter(name="user_id", max_length=64, description="For this calendar user alone."),
]
CustomerHeader = Annotated[
    str | None,
    HeaderParameter(
        name="X-Customer-User-Id", max_length=255, description="The same, by your own id."
    ),
]


class PageOf(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `next` and `previous` are cursors."""

    results: tuple[T, ...]
    next: str | None
    previous: str | None
    has_more: bool


def page_of(listed: Listing[V], results: tuple[T, ...]) -> PageOf[T]:
    """Write a page."""
    return PageOf(
        results=results,
        next=listed.next,
        previous=listed.previous,
        has_more=listed.next is not None,
    )


def page_among(wish: PageWish, rows: Mapping[str, T], *what: object) -> PageOf[T]:
    """Write a page of a short list that is at hand whole, by its rows' names."""
    listed = paging.page_among(wish, rows, *what)
    return page_of(listed, listed.results)


def utc(instant: datetime) -> datetime:
    """Bring an instant to UTC, so that it is written with ``Z``."""
    return instant.astimezone(UTC)


def utc_or_none(instant: datetime | None) -> datetime | None:
    """Bring an instant to UTC where there is one."""
    return None if instant is None else instant.astimezone(UTC)


def instant_of(name: str, text: str | None) -> datetime | None:
    """Read an instant from a query parameter. Raises ``Invalid``."""
    if text is None:
        return None
    try:
        return msgspec.convert(text, LaterInstant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        fault = Fault(f"/query/{name}", "It is no ISO 8601 instant with its zone.")
        raise Invalid(
            "A parameter is not as it must be.", (fault,), code="invalid_parameter"
        ) from error


def caller(request: Request[Any, Any, Any]) -> TenantContext:
    """Say for whom the request speaks."""
    found: TenantContext = request.scope["auth"]
    return found


def page_wish(limit: Limit = 50, cursor: Cursor = None) -> PageWish:
    """Read which page is asked for."""
    return PageWish(limit=limit, cursor=cursor)


CALLER = {"context": Provide(caller, sync_to_thread=False)}
OPERATORS = {"wish": Provide(page_wish, sync_to_thread=False)}
PAGED = CALLER | OPERATORS
