"""Walks a full or an incremental sync of one Google calendar (providers.md 2.3)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime

from meetbot_calendar.calendars.model import (
    ChangePage,
    FetchedEvent,
    RemovedEvent,
    SeriesTruth,
    Window,
)
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.errors import CursorExpired, GiveUp
from meetbot_calendar.gateways.google import wire
from meetbot_calendar.gateways.rounds import Limits
from meetbot_calendar.gateways.untrusted import Json

Ask = Callable[[Mapping[str, str]], Awaitable[Json]]


class Rounds:
    """Asks for pages until Google hands out a new sync token."""

    def __init__(self, ask: Ask, limits: Limits, page_size: int) -> None:
        self._ask = ask
        self._limits = limits
        # a sync token is bound to these: they stay the same in every request (providers.md 2.3)
        self._always = {"singleEvents": "true", "maxResults": str(page_size)}

    async def pages(
        self, calendar: CalendarRef, *, cursor: str | None, window: Window
    ) -> AsyncIterator[ChangePage]:
        """Give the pages of one round, empty ones included."""
        params = self._always | ({"syncToken": cursor} if cursor else _bounds(window))
        turns = self._limits.start()
        token: str | None = ""
        while token is not None:
            turns.turn(token)
            page = await self._page(calendar, params | ({"pageToken": token} if token else {}))
            token = page.page_token
            end = None if token else page.sync_token or cursor
            yield _within(page, window, end) if cursor else _whole(page, end)

    async def _page(self, calendar: CalendarRef, params: Mapping[str, str]) -> wire.EventPage:
        try:
            return wire.event_page(await self._ask(params), calendar)
        except GiveUp as refusal:
            if "syncToken" not in params:
                raise
            raise CursorExpired("Google does not take the sync position") from refusal


def _bounds(window: Window) -> dict[str, str]:
    return {"timeMin": _rfc3339(window.start), "timeMax": _rfc3339(window.end)}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _whole(page: wire.EventPage, cursor: str | None) -> ChangePage:
    return ChangePage(events=page.events, removed=page.removed, cursor=cursor)


def _within(page: wire.EventPage, window: Window, cursor: str | None) -> ChangePage:
    """Say of what begins beyond the window no more than that it is not inside.

    The window does not bound an incremental sync: one endless series, once touched, comes as
    hundreds of occurrences (providers.md 2.3).
    """
    outside = [event for event in page.events if _is_beyond(event, window)]
    beyond = {event.platform_id: event.series_id for event in outside}
    return ChangePage(
        events=tuple(event for event in page.events if event.platform_id not in beyond),
        removed=page.removed
        + tuple(RemovedEvent(platform_id=each, series_id=beyond[each]) for each in sorted(beyond)),
        series=tuple(
            SeriesTruth(series_id=event.platform_id, platform_ids=frozenset())
            for event in page.events
            if event.series_id is None  # it may have been a series before
        ),
        cursor=cursor,
    )


def _is_beyond(event: FetchedEvent, window: Window) -> bool:
    return event.span is not None and event.span.start >= window.end
