"""Recorded events: stored as they are, shifted to the present, readable through the API."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from meetbot_calendar.sandbox.samples import brought, insert_raw, load_samples
from tests.recorded import recorded
from tests.sandbox.site import ANN, NOW, Site, ids


@pytest.fixture
def folder() -> Path:
    return recorded("google_events")


def test_a_series_and_its_exceptions_move_together_by_whole_weeks() -> None:
    master = {
        "id": "m",
        "start": {"dateTime": "2022-06-26T16:00:00-07:00"},
        "end": {"dateTime": "2022-06-26T17:00:00-07:00"},
        "recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20220731T000000Z", "EXDATE:20220703T230000Z"],
    }
    moved = {
        "id": "m_1",
        "recurringEventId": "m",
        "start": {"date": "2022-07-11"},
        "originalStartTime": {"dateTime": "2022-07-10T16:00:00-07:00"},
    }

    first, second = brought([master, moved], date(2026, 11, 20))

    assert first["start"] == {"dateTime": "2026-11-22T16:00:00-07:00"}
    assert first["recurrence"] == [
        "RRULE:FREQ=WEEKLY;UNTIL=20261227T000000Z",
        "EXDATE:20261129T230000Z",
    ]
    assert second["start"] == {"date": "2026-12-07"}
    assert second["originalStartTime"] == {"dateTime": "2026-12-06T16:00:00-07:00"}


@pytest.mark.parametrize(
    "event", [{}, {"start": {"date": "not-a-date"}}, {"start": None}, {"start": {}}]
)
def test_what_has_no_time_stays_as_it_is(event: dict[str, Any]) -> None:
    assert brought([event], date(2026, 11, 20)) == [event]


async def test_an_event_without_id_gets_one_and_a_cancelled_one_is_a_tombstone(
    site: Site,
) -> None:
    calendar = site.world.state.calendars[ANN]
    made = insert_raw(site.world, calendar, {"summary": "?"})
    gone = insert_raw(site.world, calendar, {"id": "gone", "status": "cancelled"})
    reader = await site.reader()

    body = await reader.events()

    assert (ids(body), made.removed, gone.removed) == ([made.id], False, True)


async def test_every_recorded_event_can_be_listed_and_expanded(site: Site, folder: Path) -> None:
    calendar = site.world.state.calendars[ANN]
    rows = load_samples(site.world, folder, calendar)
    reader = await site.reader()

    stored = await reader.events(maxResults=2500, showDeleted="true")
    expanded = await reader.events(maxResults=2500, singleEvents="true")

    assert len(rows) == 39
    assert sorted(ids(stored)) == sorted({row.id for row in rows})
    assert len(expanded["items"]) > len(stored["items"])


async def test_brought_to_the_present_most_begin_within_a_week(site: Site, folder: Path) -> None:
    calendar = site.world.state.calendars[ANN]
    load_samples(site.world, folder, calendar, to_present=True)
    reader = await site.reader()

    body = await reader.events(
        singleEvents="true",
        timeMin=NOW.isoformat(),
        timeMax="2026-11-28T00:00:00Z",
        eventTypes="default",
    )

    assert len(body["items"]) >= 15
