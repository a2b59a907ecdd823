"""Walks a delta round of one Outlook calendar, and reads every series that it touches anew.

A delta alone is not enough (providers.md 6.4): its occurrences are bare times, and one that was
cancelled or rescheduled is not mentioned. So a touched series is read whole, and what is not in
that reading is gone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from urllib.parse import quote

from meetbot_calendar.calendars.model import (
    ChangePage,
    FetchedEvent,
    RemovedEvent,
    SeriesTruth,
    Window,
)
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.errors import CalendarGone, CursorExpired, GiveUp, TryLater
from meetbot_calendar.gateways.microsoft import wire
from meetbot_calendar.gateways.microsoft.graph import AT_ONCE, Mailbox
from meetbot_calendar.gateways.rounds import ENDLESS
from meetbot_calendar.gateways.untrusted import Json


class DeltaRound:
    """One round over one calendar. The delta link carries its window, which never changes."""

    def __init__(self, mailbox: Mailbox, calendar: CalendarRef, window: Window) -> None:
        self._mailbox = mailbox
        self._calendar = calendar
        self._bounds = {
            "startDateTime": _rfc3339(window.start),
            "endDateTime": _rfc3339(window.end),
        }
        own = f"/me/calendars/{quote(calendar.platform_id, safe='')}"
        self._view = "/me" if calendar.is_primary else own  # documented for the default one alone
        self._events = f"{own if calendar.is_shared else '/me'}/events"

    async def pages(self, cursor: str | None) -> AsyncIterator[ChangePage]:
        """Give what is not of a series, then the touched series, then the new cursor."""
        rows, link = await self._walk(cursor)
        latest = {found: row for row in rows if (found := wire.event_id(row))}  # the last one wins
        touched: dict[str, list[Json]] = {}
        loose: list[Json] = []
        for row in latest.values():
            series = None if wire.is_removed(row) else wire.master_id(row)
            touched.setdefault(series, []).append(row) if series else loose.append(row)
        yield self._loose(loose, is_first=cursor is None)
        for few in _by(AT_ONCE, list(touched)):
            for page in await asyncio.gather(*(self._series(each, touched[each]) for each in few)):
                yield page
        yield ChangePage(cursor=link or cursor)

    async def _walk(self, cursor: str | None) -> tuple[list[Json], str | None]:
        if cursor is None:
            return await self._from_the_beginning()
        if not self._mailbox.owns(cursor):
            raise CursorExpired("the sync position is of another Graph")
        try:
            return await self._mailbox.walk(cursor, "calendar")
        except GiveUp as error:  # a delta link that Graph cannot read any more
            raise CursorExpired("Microsoft does not take the sync position") from error

    async def _from_the_beginning(self) -> tuple[list[Json], str | None]:
        """Read the whole window; without a delta link where Graph's delta of it never ends.

        For some mailboxes it does not (providers.md 6.4): then the plain view is read each time.
        """
        view = f"{self._view}/calendarView"
        try:
            return await self._mailbox.walk(f"{view}/delta", "calendar", self._bounds)
        except TryLater as endless:
            if endless.code != ENDLESS:
                raise
        return await self._mailbox.walk(view, "calendar", self._bounds)

    def _loose(self, rows: list[Json], *, is_first: bool) -> ChangePage:
        """Make the page of all that is not of a series.

        What was a series and is single now leaves its occurrences behind without a word.
        """
        gone = [row for row in rows if _is_gone(row)]
        events = self._read(row for row in rows if not _is_gone(row))
        former = () if is_first else tuple(event.platform_id for event in events)
        return ChangePage(
            events=events,
            removed=tuple(RemovedEvent(platform_id=str(row["id"])) for row in gone),
            series=tuple(SeriesTruth(series_id=each, platform_ids=frozenset()) for each in former),
        )

    async def _series(self, master_id: str, told: list[Json]) -> ChangePage:
        """Make the page of one series: all it shows in the window."""
        path = f"{self._events}/{quote(master_id, safe='')}"
        try:
            rows = await self._mailbox.rows(f"{path}/instances", "calendar", self._bounds)
        except (CalendarGone, GiveUp):
            master = await self._master(path, told)
            if master is None:
                return ChangePage(removed=(RemovedEvent(platform_id=master_id),))
            rows = [wire.joined(row, master) for row in told if wire.is_occurrence(row)]
        events = self._read(row for row in rows if not wire.is_cancelled(row))
        ids = frozenset(event.platform_id for event in events)
        return ChangePage(
            events=events, series=(SeriesTruth(series_id=master_id, platform_ids=ids),)
        )

    async def _master(self, path: str, told: list[Json]) -> Json | None:
        """Return the master that a round delivered, or ask for it; None when it is gone."""
        delivered = next((row for row in told if not wire.is_occurrence(row)), None)
        if delivered is not None:
            return delivered
        try:
            return await self._mailbox.read(path, "calendar")
        except (CalendarGone, GiveUp):
            return None

    def _read(self, rows: Iterable[Json]) -> tuple[FetchedEvent, ...]:
        found = (wire.read_event(row, self._calendar) for row in rows)
        return tuple(event for event in found if event is not None)


def _is_gone(row: Json) -> bool:
    return wire.is_removed(row) or wire.is_cancelled(row)


def _by(size: int, items: list[str]) -> list[list[str]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
