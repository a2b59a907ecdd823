"""Pages of lists as the outside asks for them: opaque cursors, and the watermark of changes."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from meetbot_calendar.errors import Fault, Invalid
from tenants.identity import CalendarUserId
from tenants.storage.paging import Keyset, Page

T = TypeVar("T")

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
RowId = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[a-z0-9_]*$")]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_Mark = tuple[str, Count, RowId]


class PageWish(msgspec.Struct, frozen=True, kw_only=True):
    """Which page the outside asks for; ``cursor`` is what an earlier page gave as next."""

    limit: int = 50
    cursor: str | None = None


class Listing(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page: its rows, and the cursors of the pages beside it. ``carried`` goes with them."""

    results: tuple[T, ...]
    next: str | None
    previous: str | None
    carried: int | None = None


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    of: bytes
    backwards: bool
    edge: msgspec.Raw
    carried: Count | None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page begins, read from a wish for one list."""

    of: bytes
    keyset: Keyset
    carried: int | None = None


def place_of(wish: PageWish, edge: type[Any], *what: object) -> Place:
    """Read a wish. ``what`` names the list with its filters: a cursor fits no other.

    ``edge`` is the type of what a cursor of this list holds.
    """
    name = hashlib.sha256(repr(what).encode()).digest()[:9]
    if wish.cursor is None:
        return Place(of=name, keyset=Keyset(limit=wish.limit))
    try:
        cursor = msgspec.msgpack.decode(_from_text(wish.cursor), type=_Cursor)
        begin = msgspec.msgpack.decode(cursor.edge, type=edge)
    except ValueError as error:
        raise _refused("This is no cursor of ours.") from error
    if cursor.of != name:
        raise _refused("This cursor belongs to another list, or to other filters.")
    keyset = Keyset(limit=wish.limit, edge=begin, backwards=cursor.backwards)
    return Place(of=name, keyset=keyset, carried=cursor.carried)


def listing(
    place: Place,
    page: Page,
    results: Sequence[T],
    edges: Sequence[tuple[Any, ...]],
    *,
    carried: int | None = None,
) -> Listing[T]:
    """Make a page for the outside; ``edges`` are the ordered columns of its rows."""

    def cursor(edge: tuple[Any, ...] | None, *, backwards: bool) -> str | None:
        if edge is None:
            return None
        raw = msgspec.Raw(msgspec.msgpack.encode(edge))
        return _to_text(msgspec.msgpack.encode(_Cursor(place.of, backwards, raw, carried)))

    stood = place.keyset.edge
    last = edges[-1] if edges else stood
    first = edges[0] if edges else stood
    return Listing(
        results=tuple(results),
        next=cursor(last if page.has_next else None, backwards=False),
        previous=cursor(first if page.has_previous else None, backwards=True),
        carried=carried,
    )


def page_among(wish: PageWish, rows: Mapping[str, T], *what: object) -> Listing[T]:
    """Make a page of a short list that is at hand whole, by its rows' names, in their order.

    ``what`` names the list, as for ``place_of``.
    """
    place = place_of(wish, tuple[str], *what)
    keyset, names = place.keyset, sorted(rows)
    edge = "" if keyset.edge is None else str(keyset.edge[0])
    if keyset.backwards:
        seen = [name for name in names if name < edge][-keyset.limit :]
    else:
        seen = [name for name in names if name > edge][: keyset.limit]
    page = Page(
        rows=(),
        has_next=bool(seen) and seen[-1] < names[-1],
        has_previous=bool(seen) and seen[0] > names[0],
    )
    return listing(place, page, [rows[name] for name in seen], [(name,) for name in seen])


def watermark(user_id: CalendarUserId, seq: int, event_id: str = "") -> str:
    """Write how far a reader has seen a person's changes: all of ``seq``, or up to one event."""
    return _to_text(msgspec.msgpack.encode((user_id[-6:], seq, event_id)))


def seen_by(user_id: CalendarUserId, mark: str) -> tuple[int, str]:
    """Read a watermark of this person's: what comes next is beyond this change and event id."""
    try:
        whose, seq, event_id = msgspec.msgpack.decode(_from_text(mark), type=_Mark)
    except ValueError as error:
        raise _not_a_watermark() from error
    if whose != user_id[-6:]:
        raise _not_a_watermark()
    return (seq, event_id) if event_id else (seq + 1, "")


def _not_a_watermark() -> Invalid:
    fault = Fault("/query/since", "This is no watermark of this calendar user's.")
    return Invalid("The watermark cannot be read.", (fault,), code="invalid_watermark")


def _refused(detail: str) -> Invalid:
    fault = Fault("/query/cursor", detail)
    return Invalid("The cursor cannot be used.", (fault,), code="invalid_cursor")


def _to_text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_text(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
