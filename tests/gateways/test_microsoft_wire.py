import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meetbot_calendar.calendars.model import (
    Attendee,
    EventContent,
    FetchedEvent,
    LinkField,
    ListedCalendar,
    Person,
    Span,
)
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.gateways.microsoft.wire import (
    default_owner,
    is_cancelled,
    is_removed,
    joined,
    listed_calendar,
    master_id,
    read_event,
)
from tests.recorded import recorded

OURS = Path(__file__).resolve().parents[1] / "samples" / "microsoft"

OWN = CalendarRef(platform_id="AAMkOWN=", account_id="ann@contoso.test", is_primary=True)
BOBS = CalendarRef(platform_id="AAMkBOB=", account_id="ann@contoso.test", is_shared=True)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OURS / f"{name}.json").read_text())
    return found


def fetched(name: str, calendar: CalendarRef = OWN) -> FetchedEvent:
    event = read_event(sample(name), calendar)
    assert event is not None
    return event


def test_a_full_meeting_is_understood_whole() -> None:
    row = sample("full_meeting")

    event = read_event(row, OWN)

    join = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=y"
    assert event == FetchedEvent(
        platform_id="AAMkONE=",
        etag='W/"nfZy"',
        ical_uid=row["iCalUId"],
        span=Span(start=at("2026-11-23T09:00"), end=at("2026-11-23T09:45"), zone="Europe/Berlin"),
        content=EventContent(
            title="Weekly review",
            description="<html><body>Agenda</body></html>",
            location="Room 4",
            organizer=Person(email="bob@contoso.test", name="Bob"),
            attendees=(
                Attendee(email="ann@contoso.test", name="Ann", response="tentative", is_self=True),
                Attendee(
                    email="cat@client.test", name="Cat", response="declined", is_optional=True
                ),
                Attendee(email="room4@contoso.test", name="Room 4", is_resource=True),
            ),
            my_response="tentative",
            raw=row,
        ),
        link_fields=(
            LinkField("online_meeting", join),
            LinkField("location", "Room 4"),
            LinkField("description", "<html><body>Agenda</body></html>"),
            LinkField("title", "Weekly review"),
        ),
    )


@pytest.mark.parametrize("name", ["own_meeting", "own_appointment"])
def test_what_one_organises_oneself_is_accepted(name: str) -> None:
    content = fetched(name).content

    assert content.my_response == "accepted"
    assert content.organizer == Person(email="ann@contoso.test", name="Ann", is_self=True)


def test_an_occurrence_names_its_series_and_its_slot() -> None:
    event = fetched("occurrence")

    assert (event.series_id, event.original_start) == ("AAMkMASTER=", at("2026-11-23T09:00"))


def test_a_moved_exception_keeps_the_slot_that_its_series_gave_it() -> None:
    assert fetched("exception_moved").original_start == at("2026-11-22T09:00")


def test_an_all_day_event_is_the_dates_of_its_midnights() -> None:
    assert fetched("all_day").span == Span(
        start=at("2026-11-23"), end=at("2026-11-25"), zone="Europe/Berlin", is_all_day=True
    )


def test_an_all_day_slot_at_midnight_of_its_zone_is_that_date() -> None:
    assert fetched("exception_all_day_slot_at_local_midnight").original_start == at("2026-11-23")


def test_a_time_in_a_windows_zone_becomes_utc() -> None:
    assert fetched("not_asked_in_utc").span == Span(
        start=at("2026-11-23T17:00"), end=at("2026-11-23T18:00"), zone="America/Los_Angeles"
    )


def test_a_zone_that_nobody_knows_stays_as_it_is_called() -> None:
    assert fetched("custom_zone").span == Span(
        start=at("2026-11-23T09:00"), end=at("2026-11-23T09:45"), zone="tzone://Microsoft/Custom"
    )


def test_a_private_item_of_another_person_is_a_shape_in_time() -> None:
    content = fetched("private_of_another_person", BOBS).content

    assert content == EventContent(
        visibility="private",
        guest_list_hidden=True,
        raw=sample("private_of_another_person"),
    )


def test_a_hidden_guest_list_is_said_to_be_hidden_unless_it_is_ones_own() -> None:
    own = sample("guests_hidden") | {"isOrganizer": True}

    mine = read_event(own, OWN)

    assert fetched("guests_hidden").content.guest_list_hidden
    assert mine is not None
    assert not mine.content.guest_list_hidden


def test_links_stand_in_the_order_of_their_worth() -> None:
    assert fetched("zoom_in_location_and_skype_url").link_fields == (
        LinkField("url", "https://meet.lync.test/abc"),
        LinkField("location", "https://us02web.zoom.us/j/1"),
        LinkField("location", "Lobby"),
        LinkField("location", "https://rooms.test/lobby"),
        LinkField("description", "<html><body>Agenda</body></html>"),
        LinkField("title", "Weekly review"),
    )


@pytest.mark.parametrize(
    ("name", "kind", "show_as", "visibility"),
    [
        ("full_meeting", "default", "busy", "default"),
        ("out_of_office_alone", "out_of_office", "out_of_office", "private"),
        ("working_elsewhere_with_guests", "default", "working_elsewhere", "confidential"),
    ],
)
def test_kind_availability_and_visibility_take_our_words(
    name: str, kind: str, show_as: str, visibility: str
) -> None:
    content = fetched(name).content

    assert (content.event_type, content.show_as, content.visibility) == (kind, show_as, visibility)


def test_on_a_shared_calendar_the_answer_is_the_readers_own_row() -> None:
    row = sample("full_meeting") | {
        "isOrganizer": True,
        "responseStatus": {"response": "organizer"},
    }

    event = read_event(row, BOBS)

    assert event is not None
    assert event.content.my_response == "tentative"
    assert event.content.organizer == Person(email="bob@contoso.test", name="Bob")


def test_a_body_is_cut_in_the_event_and_in_its_raw_row() -> None:
    row = sample("full_meeting") | {"body": {"contentType": "html", "content": "x" * 200_000}}

    event = read_event(row, OWN)

    assert event is not None
    assert event.content.description == "x" * 65_536
    assert event.content.raw["body"] == {"contentType": "html", "content": "x" * 65_536}


def test_the_preview_stands_in_for_a_body_that_was_not_sent() -> None:
    assert fetched("body_missing").content.description == "Agenda"


def test_a_sparse_occurrence_is_filled_up_from_its_master() -> None:
    row = joined(sample("sparse_occurrence"), sample("series_master"))

    event = read_event(row, OWN)

    assert event is not None
    assert event.platform_id == "AAMkOCC1="
    assert event.series_id == "AAMkMASTER="
    assert event.original_start == at("2026-11-30T09:00")
    assert event.span == Span(
        start=at("2026-11-30T09:00"), end=at("2026-11-30T09:45"), zone="Europe/Berlin"
    )
    assert event.content.title == "Weekly review"
    assert len(event.content.attendees) == 3


def test_rows_say_what_they_are() -> None:
    names = ("full_meeting", "series_master", "sparse_occurrence", "removed")

    marks = [(master_id(row), is_removed(row)) for row in map(sample, names)]

    assert marks == [
        (None, False),
        ("AAMkMASTER=", False),
        ("AAMkMASTER=", False),
        (None, True),
    ]
    assert is_cancelled(sample("cancelled_by_organizer"))


def test_values_of_wrong_types_count_as_absent() -> None:
    assert fetched("wrong_types_everywhere") == FetchedEvent(
        platform_id="odd",
        content=EventContent(
            attendees=(Attendee(), Attendee()),
            show_as="unknown",
            raw=sample("wrong_types_everywhere"),
        ),
    )


def test_a_row_without_an_id_is_none() -> None:
    assert read_event(sample("without_id"), OWN) is None


def test_the_calendars_are_understood() -> None:
    rows = sample("calendars")["value"]

    found = [listed_calendar(row, default_owner(rows)) for row in rows]

    assert found == [
        ListedCalendar(
            platform_id="AAMkOWN=", name="Calendar", access_role="owner", is_primary=True
        ),
        ListedCalendar(
            platform_id="AAMkPROJ=",
            name="Project",
            access_role="owner",
            background_color="#ff8800",
        ),
        ListedCalendar(platform_id="AAMkBOB=", name="Bob", access_role="reader", is_shared=True),
        ListedCalendar(platform_id="AAMkEVE=", name="Eve", access_role="writer", is_shared=True),
        None,
    ]


def test_every_sample_found_in_the_wild_is_read() -> None:
    files = sorted(recorded("graph_events").glob("*.json"))
    rows = [json.loads(file.read_text())["event"] for file in files]

    events = [read_event(row, OWN) for row in rows]

    assert len(rows) == 44
    read = [event for event in events if event is not None]
    assert [event.platform_id for event in read] == [row["id"] for row in rows if "id" in row]
    for event in read:
        assert (event.span is None) == ("start" not in event.content.raw)
    joinable = [row for row in rows if (row.get("onlineMeeting") or {}).get("joinUrl")]
    first = [event.link_fields[0].place for event in read if event.content.raw in joinable]
    assert first == ["online_meeting"] * len(joinable)
