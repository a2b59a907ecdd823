"""Which page of events a MeetStream client asks for; its cursors remember all the rest."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

import msgspec
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import Fault, Invalid
from meetbot_calendar.journeys.paging import PageWish
from meetbot_calendar.journeys.reading import EventFilter
from meetbot_calendar.web.api.parts import LaterInstant
from meetbot_calendar.web.meetstream.scopes import SCOPED, Scoped
from meetbot_calendar.web.meetstream.words import instant_of

_TEXT = r"^[^\x00]*$"
InstantText = Annotated[
    str | None, QueryParameter(max_length=40, schema_extra={"format": "date-time"})
]
CalendarText = Annotated[
    str | None,
    QueryParameter(
        max_length=1024, pattern=_TEXT, description="The provider's id of a calendar, or `primary`."
    ),
]
PageLimit = Annotated[int | None, QueryParameter(ge=1, le=100, description="50 if not said.")]
PageCursor = Annotated[
    str | None,
    QueryParameter(
        max_length=4096,
        description="What an earlier page gave as `next` or `previous`; it remembers the rest.",
    ),
]
Unique = Annotated[
    bool | None, QueryParameter(description="Show each meeting once, however many calendars do.")
]
_LIMIT = 50


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events, which page of them."""

    which: EventFilter
    wish: PageWish
    is_later_page: bool


class _Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """What a cursor remembers: a later page is asked for with nothing else.

    It comes back from outside, so it is held to the bounds of what was asked for at first.
    """

    time_min: LaterInstant | None
    time_max: LaterInstant | None
    platform_calendar_id: Annotated[str, msgspec.Meta(max_length=1024, pattern=_TEXT)] | None
    provider: Provider | None
    account_id: Annotated[str, msgspec.Meta(max_length=254, pattern=_TEXT)] | None
    unique: bool
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)]
    at: Annotated[str, msgspec.Meta(max_length=512)]

    @property
    def which(self) -> EventFilter:
        """Return what was listed."""
        return EventFilter(
            time_min=self.time_min,
            time_max=self.time_max,
            platform_calendar_id=self.platform_calendar_id,
            provider=self.provider,
            account_id=self.account_id,
            unique=self.unique,
        )


def wanted(
    *,
    accounts: Scoped,
    time_min: InstantText = None,
    time_max: InstantText = None,
    calendar_id: CalendarText = None,
    limit: PageLimit = None,
    cursor: PageCursor = None,
    cleanup_duplicates: Unique = None,
) -> Wanted:
    """Read which events are asked for, and which page of them."""
    given = EventFilter(
        time_min=instant_of("/query/time_min", time_min),
        time_max=instant_of("/query/time_max", time_max),
        platform_calendar_id=calendar_id,
        provider=accounts.provider,
        account_id=accounts.account_id,
        unique=bool(cleanup_duplicates),
    )
    if cursor is not None:
        return _resumed(_read(cursor), given, limit)
    if given.time_min and given.time_max and given.time_min >= given.time_max:
        fault = Fault("/query/time_min", "It is not before time_max.")
        raise Invalid("This is no stretch of time.", (fault,), code="invalid_parameter")
    wish = PageWish(limit=limit or _LIMIT)
    return Wanted(which=given, wish=wish, is_later_page=False)


def _resumed(kept: _Cursor, given: EventFilter, limit: int | None) -> Wanted:
    """Go on where a cursor stands; filters may be said again, not changed."""
    asked = msgspec.structs.asdict(given).items()
    said = [(name, value) for name, value in asked if value not in (None, False)]
    if any(getattr(kept, name) != value for name, value in said):
        raise _refused("This cursor belongs to other filters.")
    wish = PageWish(limit=limit or kept.limit, cursor=kept.at)
    return Wanted(which=kept.which, wish=wish, is_later_page=True)


def _read(cursor: str) -> _Cursor:
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        return msgspec.json.decode(text, type=_Cursor)
    except ValueError as error:
        raise _refused("This is no cursor of ours.") from error


def _refused(detail: str) -> Invalid:
    fault = Fault("/query/cursor", detail)
    return Invalid("The cursor cannot be used.", (fault,), code="invalid_cursor")


def cursor_of(which: EventFilter, limit: int, at: str | None) -> str | None:
    """Write where a page stands, and which list it is of; None where there is no such page."""
    if at is None:
        return None
    kept = _Cursor(
        time_min=which.time_min,
        time_max=which.time_max,
        platform_calendar_id=which.platform_calendar_id,
        provider=which.provider,
        account_id=which.account_id,
        unique=which.unique,
        limit=limit,
        at=at,
    )
    text = msgspec.json.encode(kept)
    return urlsafe_b64encode(text).rstrip(b"=").decode()


Page = NamedDependency[SkipValidation[Wanted]]
PAGED = SCOPED | {"page": Provide(wanted, sync_to_thread=False)}
