import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meetbot_calendar.calendars.model import (
    Attendee,
    EventContent,
    FetchedEvent,
    LinkField,
    ListedCalendar,
    Person,
    RemovedEvent,
    Span,
)
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.gateways.google.wire import (
    Setting,
    event_page,
    listed_calendar,
    read_event,
)
from tests.recorded import recorded

OURS = Path(__file__).resolve().parents[1] / "samples" / "google"

OWN = Setting(
    calendar=CalendarRef(
        platform_id="ann@example.com", account_id="ann@example.com", is_primary=True
    ),
    role="owner",
    zone="Europe/Berlin",
)
EVES = Setting(
    calendar=CalendarRef(
        platform_id="eve@example.com", account_id="ann@example.com", is_shared=True
    ),
    role="writer",
    zone="Europe/Berlin",
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OURS / f"{name}.json").read_text())
    return found


def fetched(name: str, setting: Setting = OWN) -> FetchedEvent:
    event = read_event(sample(name), setting)
    assert isinstance(event, FetchedEvent)
    return event


def test_a_full_meeting_is_understood_whole() -> None:
    row = sample("full_meeting")

    event = read_event(row, OWN)

    assert event == FetchedEvent(
        platform_id="ev1",
        etag='"3512"',
        ical_uid="ev1@google.com",
        span=Span(start=at("2026-11-23T09:00"), end=at("2026-11-23T09:45"), zone="Europe/Berlin"),
        content=EventContent(
            title="Roadmap",
            description="<p>Agenda &amp; notes</p>",
            location="Room 4, Berlin",
            organizer=Person(email="bob@other.test", name="Bob"),
            attendees=(
                Attendee(email="ann@example.com", name="Ann", response="tentative", is_self=True),
                Attendee(
                    email="bob@other.test", name="Bob", response="accepted", is_organizer=True
                ),
                Attendee(email="cat@client.test", is_optional=True),
                Attendee(
                    email="c_188@resource.calendar.google.com",
                    name="Room 4",
                    response="accepted",
                    is_resource=True,
                ),
            ),
            my_response="tentative",
            raw=row,
        ),
        link_fields=(
            LinkField("conference", "https://meet.google.com/abc-defg-hij"),
            LinkField("hangout_link", "https://meet.google.com/abc-defg-hij"),
            LinkField("location", "Room 4, Berlin"),
            LinkField("description", "<p>Agenda &amp; notes</p>"),
            LinkField("title", "Roadmap"),
        ),
    )


def test_an_occurrence_names_its_series_and_its_slot() -> None:
    event = fetched("occurrence")

    assert (event.series_id, event.original_start) == ("ser1", at("2026-11-23T09:00"))


def test_a_moved_occurrence_keeps_the_slot_that_its_series_gave_it() -> None:
    event = fetched("occurrence_moved")

    assert event.original_start == at("2026-11-23T09:00")
    assert event.span == Span(
        start=at("2026-11-24T14:00"), end=at("2026-11-24T15:00"), zone="Europe/Berlin"
    )


def test_an_all_day_occurrence_is_dates_and_its_slot_a_date() -> None:
    event = fetched("occurrence_all_day")

    assert event.original_start == at("2026-11-23")
    assert event.span == Span(
        start=at("2026-11-24"), end=at("2026-11-26"), zone="Europe/Berlin", is_all_day=True
    )


@pytest.mark.parametrize(
    ("name", "platform_id"),
    [
        ("cancelled_single", "6q3k1c9m2v0a"),
        ("cancelled_occurrence", "ser1_20261130T090000Z"),
        ("cancelled_master", "ser1"),
    ],
)
def test_a_cancelled_row_removes_what_it_names(name: str, platform_id: str) -> None:
    assert read_event(sample(name), OWN) == RemovedEvent(platform_id=platform_id)


def test_an_appointment_of_ones_own_is_accepted() -> None:
    content = fetched("own_appointment").content

    assert (content.my_response, content.attendees) == ("accepted", ())
    assert content.organizer == Person(email="ann@example.com", is_self=True)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("full_meeting", False),
        ("own_appointment", False),
        ("untitled", False),
        ("guest_list_omitted", True),
        ("guests_may_not_see_guests", True),
        ("guests_may_not_see_guests_but_organizer", False),
        ("free_busy_skeleton", True),
    ],
)
def test_a_guest_list_that_is_not_shown_is_said_to_be_hidden(name: str, hidden: bool) -> None:
    assert fetched(name).content.guest_list_hidden is hidden


def test_a_free_busy_row_is_a_private_shape_in_time_without_a_title() -> None:
    event = fetched("free_busy_skeleton")

    assert event.span == Span(
        start=at("2026-10-04"), end=at("2026-10-05"), zone="Europe/Berlin", is_all_day=True
    )
    assert event.content == EventContent(
        visibility="private", guest_list_hidden=True, raw=sample("free_busy_skeleton")
    )


def test_everything_on_a_free_busy_calendar_hides_its_guests() -> None:
    free_busy = msgspec.structs.replace(OWN, role="freeBusyReader")

    assert fetched("untitled", free_busy).content.guest_list_hidden


@pytest.mark.parametrize(
    ("name", "kind", "show_as", "visibility"),
    [
        ("full_meeting", "default", "busy", "default"),
        ("out_of_office", "out_of_office", "out_of_office", "default"),
        ("working_location", "working_location", "working_elsewhere", "public"),
        ("focus_time", "focus_time", "busy", "default"),
        ("birthday", "birthday", "free", "default"),
        ("event_type_of_the_future", "default", "busy", "default"),
        ("tentative_and_free", "default", "free", "default"),
        ("confidential", "default", "busy", "confidential"),
    ],
)
def test_kind_availability_and_visibility_take_our_words(
    name: str, kind: str, show_as: str, visibility: str
) -> None:
    content = fetched(name).content

    assert (content.event_type, content.show_as, content.visibility) == (kind, show_as, visibility)


def test_a_tentative_event_is_tentative() -> None:
    assert fetched("tentative_and_free").status == "tentative"


@pytest.mark.parametrize("name", ["no_times", "start_is_no_time", "wrong_types_everywhere"])
def test_an_event_without_a_start_has_no_span(name: str) -> None:
    assert fetched(name).span is None


def test_an_event_without_an_end_ends_as_it_starts() -> None:
    assert fetched("end_missing").span == Span(
        start=at("2026-11-23T09:00"), end=at("2026-11-23T09:00"), zone="Europe/Berlin"
    )


def test_a_time_without_an_offset_is_read_in_its_own_zone() -> None:
    assert fetched("naive_time_with_zone").span == Span(
        start=at("2026-07-01T13:00"), end=at("2026-07-01T14:00"), zone="America/New_York"
    )


def test_an_add_ons_video_entry_is_the_first_link() -> None:
    assert fetched("zoom_add_on").link_fields[0] == LinkField(
        "conference", "https://us02web.zoom.us/j/87654321?pwd=x"
    )


def test_on_a_shared_calendar_self_is_not_the_reader() -> None:
    content = fetched("shared_calendar_owner_declined", EVES).content

    assert content.my_response == "accepted"
    assert [each.email for each in content.attendees if each.is_self] == ["ann@example.com"]


def test_a_description_is_cut_in_the_event_and_in_its_raw_row() -> None:
    row = sample("full_meeting") | {"description": "x" * 200_000}

    event = read_event(row, OWN)

    assert isinstance(event, FetchedEvent)
    assert event.content.description == "x" * 65_536
    assert event.content.raw["description"] == "x" * 65_536
    assert LinkField("description", "x" * 65_536) in event.link_fields


def test_values_of_wrong_types_count_as_absent() -> None:
    event = fetched("wrong_types_everywhere")

    assert event == FetchedEvent(
        platform_id="odd", content=EventContent(raw=sample("wrong_types_everywhere"))
    )


def test_a_page_leaves_out_rows_without_an_id_and_keeps_the_rest() -> None:
    body = {
        "timeZone": "Europe/Berlin",
        "accessRole": "owner",
        "nextPageToken": "p2",
        "items": [
            sample("without_id"),
            "nonsense",
            sample("occurrence"),
            sample("cancelled_single"),
        ],
    }

    page = event_page(body, OWN.calendar)

    assert [event.platform_id for event in page.events] == ["ser1_20261123T090000Z"]
    assert page.removed == (RemovedEvent(platform_id="6q3k1c9m2v0a"),)
    assert (page.page_token, page.sync_token) == ("p2", None)


def test_a_page_of_nonsense_is_an_empty_page() -> None:
    page = event_page({"items": "none", "nextSyncToken": "s", "timeZone": 4}, OWN.calendar)

    assert (page.events, page.removed, page.sync_token) == ((), (), "s")


def test_the_calendar_list_is_understood() -> None:
    found = [listed_calendar(row) for row in sample("calendar_list")["items"]]

    assert found == [
        ListedCalendar(
            platform_id="ann@example.com",
            name="ann@example.com",
            access_role="owner",
            is_primary=True,
            timezone="Europe/Berlin",
            background_color="#9fe1e7",
        ),
        ListedCalendar(
            platform_id="team@group.calendar.google.com",
            name="My team",
            access_role="writer",
            is_shared=True,
            timezone="UTC",
        ),
        ListedCalendar(
            platform_id="de.german#holiday@group.v.calendar.google.com",
            name="Holidays",
            access_role="reader",
            is_shared=True,
            timezone="Europe/Berlin",
        ),
        ListedCalendar(
            platform_id="eve@example.com",
            name="Eve",
            access_role="free_busy_reader",
            is_shared=True,
        ),
        None,
        None,
    ]


def test_every_sample_found_in_the_wild_is_read_or_skipped() -> None:
    files = sorted(recorded("google_events").glob("*.json"))
    rows = [json.loads(file.read_text())["event"] for file in files]

    events = [read_event(row, OWN) for row in rows]

    outcomes = {
        "skipped": sum(event is None for event in events),
        "removed": sum(isinstance(event, RemovedEvent) for event in events),
        "without a span": sum(isinstance(e, FetchedEvent) and e.span is None for e in events),
        "linked": sum(isinstance(e, FetchedEvent) and bool(e.link_fields) for e in events),
    }
    assert len(rows) == 39
    for event, row in zip(events, rows, strict=True):
        assert (event is None) == ("id" not in row)
        assert isinstance(event, RemovedEvent) == (row.get("status") == "cancelled")
    assert outcomes == {"skipped": 2, "removed": 5, "without a span": 3, "linked": 29}
