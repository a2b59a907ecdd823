"""Pages of a list, by key: a page begins after the last row seen, however rows come and go."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, literal, tuple_

from tenants.storage.session import Session


class Keyset(msgspec.Struct, frozen=True, kw_only=True):
    """Which page: up to ``limit`` rows beyond ``edge`` (the ordered columns of a row seen).

    ``backwards`` asks for the rows before the edge instead of those after it.
    """

    limit: int
    edge: tuple[Any, ...] | None = None
    backwards: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the list's own order, and whether there are more on either side."""

    rows: Sequence[Row[Any]]
    has_next: bool
    has_previous: bool


async def page_of(
    session: Session,
    statement: Select[Any],
    order: Sequence[ColumnElement[Any]],
    keyset: Keyset,
    *,
    descending: bool = False,
) -> Page:
    """Fetch one page of a statement; ``order`` names columns that are unique together."""
    downwards = descending is not keyset.backwards
    if keyset.edge is not None:
        here = tuple_(*order)
        pairs = zip(order, keyset.edge, strict=True)
        edge = tuple_(*(literal(value, column.type) for column, value in pairs))
        statement = statement.where(here < edge if downwards else here > edge)
    ordered = statement.order_by(*(c.desc() if downwards else c.asc() for c in order))
    rows = (await session.execute(ordered.limit(keyset.limit + 1))).all()
    more, seen = len(rows) > keyset.limit, rows[: keyset.limit]
    if keyset.backwards:
        return Page(rows=seen[::-1], has_next=True, has_previous=more)
    return Page(rows=seen, has_next=more, has_previous=keyset.edge is not None)
