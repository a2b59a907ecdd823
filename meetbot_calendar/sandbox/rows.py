"""Writes events as providers store them, numbers every change, and tells who listens."""

from collections.abc import Callable
from typing import Any, Literal

from meetbot_calendar.sandbox.clock import WorldClock
from meetbot_calendar.sandbox.store import Calendar, Past, Row

ChangeKind = Literal["created", "updated", "deleted"]
Listener = Callable[[Calendar, Row, ChangeKind], None]

_SHAPE = ("start", "end", "recurrence")
_KEPT_PASTS = 20


class Rows:
    """The only writer of rows. Listeners are called at once, in order, inside the change."""

    def __init__(self, clock: WorldClock) -> None:
        self.clock = clock
        self.listeners: list[Listener] = []

    def put(
        self, calendar: Calendar, row_id: str, body: dict[str, Any], meeting: str = ""
    ) -> Row | None:
        """Write a row; return it if that changed anything, else None."""
        row = calendar.rows.get(row_id)
        if row is None:
            return self._create(calendar, row_id, body, meeting)
        if row.body == body and not row.removed:
            return None
        self._remember_shape(calendar, row, body)
        row.body, row.removed = body, False
        return self._changed(calendar, row, "updated")

    def remove(self, calendar: Calendar, row_id: str) -> Row | None:
        """Turn a row into a tombstone; None if there is nothing to remove."""
        row = calendar.rows.get(row_id)
        if row is None or row.removed:
            return None
        self._remember_shape(calendar, row, {})
        row.removed = True
        return self._changed(calendar, row, "deleted")

    def touch(self, calendar: Calendar, row_id: str) -> Row:
        """Count a row as changed though nothing in it is different, as providers do at times."""
        return self._changed(calendar, calendar.rows[row_id], "updated")

    def _create(self, calendar: Calendar, row_id: str, body: dict[str, Any], meeting: str) -> Row:
        calendar.serial += 1
        row = Row(
            id=row_id,
            body=body,
            serial=calendar.serial,
            change=0,
            updated_at=self.clock.now(),
            meeting=meeting,
        )
        calendar.rows[row_id] = row
        return self._changed(calendar, row, "created")

    def _changed(self, calendar: Calendar, row: Row, kind: ChangeKind) -> Row:
        calendar.change += 1
        row.change = calendar.change
        row.updated_at = calendar.updated_at = self.clock.now()
        for listener in self.listeners:
            listener(calendar, row, kind)
        return row

    def _remember_shape(self, calendar: Calendar, row: Row, body: dict[str, Any]) -> None:
        if any(row.body.get(key) != body.get(key) for key in _SHAPE):
            row.past = [*row.past, Past(until=calendar.change + 1, body=row.body)][-_KEPT_PASTS:]


def body_at(row: Row, change: int) -> dict[str, Any] | None:
    """Return the body whose shape in time stood when the calendar was at ``change``.

    None when the row is unchanged in shape since then.
    """
    return next((past.body for past in row.past if past.until > change), None)
