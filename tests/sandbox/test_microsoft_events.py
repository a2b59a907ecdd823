"""Graph's events: views, single items, preferences, uids, recurrence, people (6.3, 6.5 to 6.7)."""

from datetime import datetime
from typing import Any

import pytest

from meetbot_calendar.sandbox import edits, uids
from meetbot_calendar.sandbox.meetings import Guest
from meetbot_calendar.sandbox.microsoft.samples import put_event
from tests.sandbox.outlook import ANN, BOB, TEAMS, WINDOW, Tenant, at, of_calendar

CLASS_ID = "040000008200E00074C5B7101A82E008"


async def test_a_single_item_has_every_member_of_the_real_one(contoso: Tenant) -> None:
    contoso.hold(attendees=[Guest(email=BOB, name="Bob Ray")], link=TEAMS, description="Agenda")
    ann = await contoso.reader()

    (item,) = await ann.view()

    assert item.pop("@odata.etag") == f'W/"{item.pop("changeKey")}"'
    assert item.pop("id").startswith("AAMkA")
    assert item.pop("iCalUId").startswith(CLASS_ID + "00000000")
    assert "Join Microsoft Teams Meeting" in item.pop("body")["content"]
    assert item.pop("onlineMeeting")["joinUrl"] == TEAMS
    assert item.pop("webLink")
    assert item == {
        "createdDateTime": "2026-11-20T12:00:00.0000000Z",
        "lastModifiedDateTime": "2026-11-20T12:00:00.0000000Z",
        "categories": [],
        "transactionId": None,
        "originalStartTimeZone": "W. Europe Standard Time",
        "originalEndTimeZone": "W. Europe Standard Time",
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": True,
        "hasAttachments": False,
        "subject": "Review",
        "bodyPreview": "Agenda\r\nJoin Microsoft Teams Meeting",
        "importance": "normal",
        "sensitivity": "normal",
        "isAllDay": False,
        "isCancelled": False,
        "isOrganizer": True,
        "responseRequested": True,
        "seriesMasterId": None,
        "showAs": "busy",
        "type": "singleInstance",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": True,
        "onlineMeetingProvider": "teamsForBusiness",
        "allowNewTimeProposals": True,
        "isDraft": False,
        "hideAttendees": False,
        "recurrence": None,
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "start": {"dateTime": "2026-11-23T08:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-11-23T08:30:00.0000000", "timeZone": "UTC"},
        "location": {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"},
        "locations": [],
        "attendees": [
            {
                "type": "required",
                "status": {"response": "none", "time": "0001-01-01T00:00:00Z"},
                "emailAddress": {"name": "Bob Ray", "address": BOB},
            }
        ],
        "organizer": {"emailAddress": {"name": "Ann Lee", "address": ANN}},
    }


async def test_a_view_expands_series_and_never_shows_a_master(contoso: Tenant) -> None:
    contoso.hold("Weekly", recurrence="RRULE:FREQ=WEEKLY;COUNT=3")
    contoso.hold("Once", day=24)
    ann = await contoso.reader()

    rows = await ann.view()

    assert [(r["subject"], r["type"], r["start"]["dateTime"][:10]) for r in rows] == [
        ("Weekly", "occurrence", "2026-11-23"),
        ("Once", "singleInstance", "2026-11-24"),
        ("Weekly", "occurrence", "2026-11-30"),
        ("Weekly", "occurrence", "2026-12-07"),
    ]


async def test_a_series_keeps_its_wall_clock_time_over_a_clock_change(contoso: Tenant) -> None:
    start, end = datetime(2027, 3, 25, 9), datetime(2027, 3, 25, 10)  # noqa: DTZ001 - wall clock
    contoso.world.add_meeting(
        ANN, "Over DST", start, end, "Europe/Berlin", recurrence="RRULE:FREQ=WEEKLY;COUNT=2"
    )
    ann = await contoso.reader()

    rows = await ann.view(startDateTime="2027-03-01T00:00:00Z", endDateTime="2027-05-01T00:00:00Z")

    assert [r["start"]["dateTime"] for r in rows] == [
        "2027-03-25T08:00:00.0000000",
        "2027-04-01T07:00:00.0000000",
    ]


async def test_a_view_needs_a_window_and_counts_what_overlaps_it(contoso: Tenant) -> None:
    contoso.hold()
    ann = await contoso.reader()

    missing = await ann.get("/me/calendarView")
    touching = await ann.view(
        startDateTime="2026-11-23T08:30:00Z", endDateTime="2026-11-23T09:00:00Z"
    )
    overlapping = await ann.view(
        startDateTime="2026-11-23T09:29:00+01:00", endDateTime="2026-11-23T09:00:00Z"
    )

    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "ErrorInvalidParameter")
    assert (len(touching), len(overlapping)) == (0, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"startDateTime": "yesterday"},
        {"endDateTime": "2026-11-01T00:00:00Z"},
        {"$top": "0"},
        {"$skip": "-1"},
    ],
)
async def test_a_view_that_makes_no_sense_is_refused(
    contoso: Tenant, changes: dict[str, str]
) -> None:
    ann = await contoso.reader()

    answer = await ann.get("/me/calendarView", **(WINDOW | changes))

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ErrorInvalidParameter")


async def test_excluded_dates_of_a_series_are_occurrences_it_lost(contoso: Tenant) -> None:
    lines = ["RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20261130T080000Z"]
    contoso.hold(recurrence=lines)
    contoso.hold(
        "Local", day=24, recurrence=[lines[0], "EXDATE;TZID=Europe/Berlin:20261124T090000"]
    )
    ann = await contoso.reader()

    days = [r["start"]["dateTime"][5:10] for r in await ann.view()]

    assert days == ["11-23", "12-01", "12-07", "12-08"]


async def test_a_series_whose_pattern_makes_no_sense_has_no_occurrences(contoso: Tenant) -> None:
    when = {"dateTime": "2026-11-23T09:00:00.0000000", "timeZone": "UTC"}
    broken = {"start": when, "end": when, "recurrence": {"pattern": {"type": "weekly"}}}
    put_event(contoso.world, contoso.calendar(), broken)
    ann = await contoso.reader()

    assert (await ann.view(), (await ann.round())[0]) == ([], [])


async def test_links_lie_where_their_makers_put_them(contoso: Tenant) -> None:
    zoom = "https://zoom.us/j/123"
    contoso.hold("Plain", link=zoom)
    contoso.hold("Roomy", day=24, link=zoom, location="Room 4")
    contoso.hold("Told", day=25, link=zoom, link_place="description")
    contoso.hold("Teams in text", day=26, link=TEAMS, link_place="description")
    ann = await contoso.reader()

    rows = await ann.view()

    shown = [
        (r["location"]["displayName"], zoom in r["body"]["content"], r["isOnlineMeeting"])
        for r in rows
    ]
    assert shown == [
        (zoom, False, False),
        ("Room 4", True, False),
        ("", True, False),
        ("", False, False),
    ]


async def test_a_view_comes_in_pages(contoso: Tenant) -> None:
    contoso.hold(recurrence="RRULE:FREQ=DAILY;COUNT=12")
    ann = await contoso.reader()

    first = await ann.read("/me/calendarView", **WINDOW)
    small = await ann.read("/me/calendarView", "odata.maxpagesize=5", **WINDOW)
    rest = await ann.read(first["@odata.nextLink"])

    assert [len(page["value"]) for page in (first, small, rest)] == [10, 5, 2]


async def test_times_are_written_in_the_zone_that_each_request_prefers(contoso: Tenant) -> None:
    contoso.hold()
    ann = await contoso.reader()
    zone = 'outlook.timezone="Eastern Standard Time"'

    answer = await ann.get("/me/calendarView", zone, **WINDOW)
    iana = await ann.view('outlook.timezone="Asia/Tokyo"')
    plain = await ann.view()

    assert answer.headers["preference-applied"] == zone
    assert answer.json()["value"][0]["start"] == {
        "dateTime": "2026-11-23T03:00:00.0000000",
        "timeZone": "Eastern Standard Time",
    }
    assert iana[0]["start"]["dateTime"] == "2026-11-23T17:00:00.0000000"
    assert plain[0]["start"]["timeZone"] == "UTC"


async def test_an_unknown_zone_is_refused(contoso: Tenant) -> None:
    ann = await contoso.reader()

    answer = await ann.get("/me/calendarView", 'outlook.timezone="Mars/Base"', **WINDOW)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "TimeZoneNotSupportedException"


async def test_an_all_day_event_is_midnight_to_midnight_in_whatever_zone(contoso: Tenant) -> None:
    contoso.world.add_meeting(ANN, "Off", at(25, 0), at(27, 0), all_day=True)
    ann = await contoso.reader()

    (utc,) = await ann.view()
    (tokyo,) = await ann.view('outlook.timezone="Tokyo Standard Time"')

    assert [utc["start"]["dateTime"], utc["end"]["dateTime"]] == [
        "2026-11-25T00:00:00.0000000",
        "2026-11-27T00:00:00.0000000",
    ]
    assert tokyo["start"] == {
        "dateTime": "2026-11-25T00:00:00.0000000",
        "timeZone": "Tokyo Standard Time",
    }


async def test_immutable_ids_and_text_bodies_are_given_only_where_preferred(
    contoso: Tenant,
) -> None:
    contoso.hold(description="Plain & simple")
    ann = await contoso.reader()

    (plain,) = await ann.view()
    (other,) = await ann.view('IdType="ImmutableId", outlook.body-content-type="text"')
    found = await ann.read(f"/me/events/{other['id']}")

    assert plain["id"] != other["id"]
    assert found["id"] == plain["id"]
    assert other["body"] == {"contentType": "text", "content": "Plain & simple"}
    assert plain["body"]["contentType"] == "html"


async def test_ical_uid_differs_by_occurrence_and_holds_the_date_of_its_slot(
    contoso: Tenant,
) -> None:
    meeting = contoso.hold(recurrence="RRULE:FREQ=WEEKLY;COUNT=2")
    edits.move(contoso.world, meeting.id, at(24, 10), at(24, 11), "20261123T080000Z")
    ann = await contoso.reader()

    moved, second = await ann.view()
    master = await ann.read(f"/me/events/{moved['seriesMasterId']}")

    assert [r["iCalUId"][32:40] for r in (moved, second, master)] == [
        "07EA0B17",
        "07EA0B1E",
        "00000000",
    ]
    assert {r["iCalUId"][40:] for r in (moved, second, master)} == {meeting.uid[40:]}
    assert moved["originalStart"] == "2026-11-23T08:00:00Z"
    assert [r["type"] for r in (moved, second, master)] == [
        "exception",
        "occurrence",
        "seriesMaster",
    ]


@pytest.mark.parametrize("shown", ["vcal", "raw"])
async def test_a_google_meeting_shows_its_uid_wrapped_or_raw(contoso: Tenant, shown: str) -> None:
    contoso.world.directory.add_account("google", "gil@g.test", "Gil")
    meeting = contoso.world.add_meeting(
        "gil@g.test",
        "From Google",
        at(23, 9),
        at(23, 10),
        attendees=[Guest(email=ANN)],
        foreign_uid=shown,
        link="https://meet.google.com/abc-defg-hij",
    )
    ann = await contoso.reader()

    (row,) = await ann.view()

    wanted = meeting.uid if shown == "raw" else uids.wrapped(meeting.uid)
    assert row["iCalUId"] == wanted
    assert "https://meet.google.com/abc-defg-hij" in row["body"]["content"]
    assert row["organizer"]["emailAddress"]["address"] == "gil@g.test"


async def test_a_master_tells_its_pattern_and_on_request_what_it_lost(contoso: Tenant) -> None:
    meeting = contoso.hold(recurrence="RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20261231T235959Z")
    edits.cancel(contoso.world, meeting.id, "20261125T080000Z")
    edits.edit(contoso.world, meeting.id, "20261130T080000Z", title="Other")
    ann = await contoso.reader()
    master = (await ann.view())[0]["seriesMasterId"]

    plain = await ann.read(f"/me/events/{master}")
    asked = await ann.read(
        f"/me/events/{master}",
        **{"$select": "cancelledOccurrences", "$expand": "exceptionOccurrences"},
    )

    assert plain["recurrence"] == {
        "pattern": {
            "type": "weekly",
            "interval": 1,
            "month": 0,
            "dayOfMonth": 0,
            "daysOfWeek": ["monday", "wednesday"],
            "firstDayOfWeek": "monday",
            "index": "first",
        },
        "range": {
            "type": "endDate",
            "startDate": "2026-11-23",
            "endDate": "2026-12-31",
            "recurrenceTimeZone": "W. Europe Standard Time",
            "numberOfOccurrences": 0,
        },
    }
    assert "cancelledOccurrences" not in plain
    assert asked["cancelledOccurrences"] == [f"OID.{master}.2026-11-25"]
    assert "subject" not in asked


async def test_instances_give_one_series_in_a_window(contoso: Tenant) -> None:
    contoso.hold("Other")
    meeting = contoso.hold("Weekly", recurrence="RRULE:FREQ=WEEKLY")
    edits.cancel(contoso.world, meeting.id, "20261130T080000Z")
    ann = await contoso.reader()
    weekly = next(r for r in await ann.view() if r["subject"] == "Weekly")

    found = await ann.read(f"/me/events/{weekly['seriesMasterId']}/instances", **WINDOW)
    single = await ann.get(f"/me/events/{weekly['id']}/instances", **WINDOW)

    assert [r["start"]["dateTime"][:10] for r in found["value"]] == [
        "2026-11-23",
        "2026-12-07",
        "2026-12-14",
    ]
    assert single.status_code == 400


async def test_an_occurrence_can_be_read_by_its_own_id_until_it_is_cancelled(
    contoso: Tenant,
) -> None:
    meeting = contoso.hold(recurrence="RRULE:FREQ=WEEKLY;COUNT=2")
    ann = await contoso.reader()
    first, _ = await ann.view()

    before = await ann.read(f"/me/events/{first['id']}")
    edits.cancel(contoso.world, meeting.id, "20261123T080000Z")
    after = await ann.get(f"/me/events/{first['id']}")

    assert before["originalStart"] == "2026-11-23T08:00:00Z"
    assert (after.status_code, after.json()["error"]["code"]) == (404, "ErrorItemNotFound")


async def test_answers_are_reliable_in_the_organisers_copy_alone(contoso: Tenant) -> None:
    guests = [
        Guest(email=BOB, response="tentative"),
        Guest(email="cy@client.test", response="accepted", optional=True),
        Guest(email="room@contoso.test", name="Room 4", resource=True),
    ]
    contoso.hold(attendees=guests)
    ann, bob = await contoso.reader(), await contoso.reader(BOB)

    (mine,), (theirs,) = await ann.view(), await bob.view()

    assert answers_of(mine) == [
        ("required", BOB, "tentativelyAccepted"),
        ("optional", "cy@client.test", "accepted"),
        ("resource", "room@contoso.test", "none"),
    ]
    assert {answer for _, _, answer in answers_of(theirs)} == {"none"}
    assert theirs["responseStatus"]["response"] == "tentativelyAccepted"
    assert theirs["showAs"] == "tentative"
    assert mine["location"]["locationType"] == "conferenceRoom"


async def test_a_hidden_guest_list_shows_a_guest_only_themselves(contoso: Tenant) -> None:
    guests = [Guest(email=BOB), Guest(email="cy@client.test")]
    contoso.hold(attendees=guests, guests_hidden=True)
    bob = await contoso.reader(BOB)

    (row,) = await bob.view()

    assert row["hideAttendees"] is True
    assert [email for _, email, _ in answers_of(row)] == [BOB]


async def test_a_cancelled_meeting_stays_marked_with_its_guests_until_they_remove_it(
    contoso: Tenant,
) -> None:
    meeting = contoso.hold(attendees=[Guest(email=BOB)])
    edits.cancel(contoso.world, meeting.id)
    ann, bob = await contoso.reader(), await contoso.reader(BOB)
    account = contoso.world.directory.account("outlook", BOB)
    assert account

    (kept,) = await bob.view()
    edits.delete_copy(contoso.world, meeting.id, account)

    assert (kept["isCancelled"], kept["subject"]) == (True, "Canceled: Review")
    assert (await ann.view(), await bob.view()) == ([], [])


async def test_a_declined_meeting_leaves_the_calendar_unless_such_are_kept(
    contoso: Tenant,
) -> None:
    meeting = contoso.hold(attendees=[Guest(email=BOB)], recurrence="RRULE:FREQ=WEEKLY;COUNT=2")
    bob = await contoso.reader(BOB)
    account = contoso.world.directory.account("outlook", BOB)
    assert account

    edits.respond(contoso.world, meeting.id, BOB, "declined", "20261123T080000Z")
    one = [r["start"]["dateTime"][:10] for r in await bob.view()]
    edits.respond(contoso.world, meeting.id, BOB, "declined")
    none = await bob.view()
    account.detail["keeps_declined"] = True
    contoso.world.write(meeting)

    assert (one, none) == (["2026-11-30"], [])
    assert {r["responseStatus"]["response"] for r in await bob.view()} == {"declined"}


async def test_private_items_and_free_busy_calendars_show_no_more_than_times(
    contoso: Tenant,
) -> None:
    contoso.hold("Secret", visibility="private", attendees=[Guest(email="cy@client.test")])
    contoso.hold("Open", day=24)
    account = contoso.world.directory.account("outlook", BOB)
    assert account
    bob = await contoso.reader(BOB, scope="User.Read Calendars.Read.Shared")
    path = of_calendar(contoso.calendar().id, "calendarView")

    contoso.world.directory.share(contoso.calendar(), account, "reader")
    reading = (await bob.read(path, **WINDOW))["value"]
    contoso.world.directory.share(contoso.calendar(), account, "freeBusyReader")
    guessing = (await bob.read(path, **WINDOW))["value"]

    assert [r["subject"] for r in reading] == ["Private Appointment", "Open"]
    assert [r["subject"] for r in guessing] == ["Busy", "Busy"]
    assert reading[0]["attendees"] == []


async def test_events_lists_masters_and_singles_unexpanded(contoso: Tenant) -> None:
    contoso.hold("Weekly", recurrence="RRULE:FREQ=WEEKLY")
    contoso.hold("Once", day=24)
    ann = await contoso.reader()

    rows = (await ann.read("/me/events", **{"$select": "subject,type"}))["value"]

    assert [(r["subject"], r["type"]) for r in rows] == [
        ("Weekly", "seriesMaster"),
        ("Once", "singleInstance"),
    ]
    assert set(rows[0]) == {"@odata.etag", "id", "subject", "type"}


@pytest.mark.parametrize("option", ["$filter", "$search", "$orderby"])
async def test_what_is_not_simulated_is_refused_instead_of_guessed(
    contoso: Tenant, option: str
) -> None:
    ann = await contoso.reader()

    answer = await ann.get("/me/calendarView", **(WINDOW | {option: "subject eq 'x'"}))

    assert answer.status_code == 400


def answers_of(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (a["type"], a["emailAddress"]["address"], a["status"]["response"]) for a in row["attendees"]
    ]
