"""events.list: windows, orders, filters, pages and refusals (providers.md 2.2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.google import expand
from meetbot_calendar.sandbox.samples import insert_raw
from tests.sandbox.site import ANN, BOB, Site, berlin, ids

BERLIN = "Europe/Berlin"


def hold(site: Site, day: int, hour: int = 10, **facts: Any) -> str:
    """Ann holds an hour's meeting; return its id."""
    facts = {"title": f"On {day}"} | facts
    start, end = berlin(day, hour), berlin(day, hour + 1)
    return site.world.add_meeting(ANN, facts.pop("title"), start, end, BERLIN, **facts).id


def raw(site: Site, **event: Any) -> str:
    """Put a row into Ann's calendar as it is; return its id."""
    calendar = site.world.state.calendars[ANN]
    return insert_raw(site.world, calendar, event).id


async def test_a_meeting_reads_as_google_writes_it(site: Site) -> None:
    made = hold(
        site,
        23,
        title="Weekly review",
        attendees=[(BOB, "tentative", True, False), ("r4@room.test", "accepted", False, True)],
        link="https://meet.google.com/abc-defg-hij",
        location="Room 4",
        description="Agenda",
    )
    reader = await site.reader()

    body = await reader.events()

    envelope = {name: body[name] for name in ("kind", "summary", "timeZone", "accessRole")}
    assert envelope == {
        "kind": "calendar#events",
        "summary": ANN,
        "timeZone": BERLIN,
        "accessRole": "owner",
    }
    (event,) = body["items"]
    assert event.pop("etag").startswith('"')
    assert event == {
        "kind": "calendar#event",
        "id": made,
        "status": "confirmed",
        "htmlLink": f"https://www.google.com/calendar/event?eid={made}",
        "created": "2026-11-20T12:00:00.000Z",
        "updated": "2026-11-20T12:00:00.000Z",
        "summary": "Weekly review",
        "location": "Room 4",
        "description": "Agenda",
        "creator": {"email": ANN, "self": True},
        "organizer": {"email": ANN, "displayName": "Ann", "self": True},
        "start": {"dateTime": "2026-11-23T10:00:00+01:00", "timeZone": BERLIN},
        "end": {"dateTime": "2026-11-23T11:00:00+01:00", "timeZone": BERLIN},
        "iCalUID": f"{made}@google.com",
        "sequence": 0,
        "attendees": [
            {
                "email": ANN,
                "displayName": "Ann",
                "self": True,
                "organizer": True,
                "responseStatus": "accepted",
            },
            {
                "email": BOB,
                "displayName": "Bob",
                "optional": True,
                "responseStatus": "tentative",
            },
            {"email": "r4@room.test", "resource": True, "responseStatus": "accepted"},
        ],
        "hangoutLink": "https://meet.google.com/abc-defg-hij",
        "conferenceData": {
            "conferenceId": "abc-defg-hij",
            "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
            "entryPoints": [
                {
                    "entryPointType": "video",
                    "uri": "https://meet.google.com/abc-defg-hij",
                    "label": "meet.google.com/abc-defg-hij",
                }
            ],
        },
        "reminders": {"useDefault": True},
        "eventType": "default",
    }


async def test_time_bounds_are_exclusive_and_mean_overlap(site: Site) -> None:
    made = hold(site, 23, 10)
    reader = await site.reader()

    async def found(low: str, high: str) -> list[str]:
        window = {"timeMin": f"2026-11-23T{low}+01:00", "timeMax": f"2026-11-23T{high}+01:00"}
        return ids(await reader.events(**window))

    assert await found("10:30:00", "10:31:00") == [made]
    assert await found("11:00:00", "12:00:00") == []
    assert await found("09:00:00", "10:00:00") == []


async def test_an_all_day_event_lies_in_the_calendars_own_day(site: Site) -> None:
    made = raw(site, start={"date": "2026-11-23"}, end={"date": "2026-11-24"})
    reader = await site.reader()

    in_berlin = await reader.events(
        timeMin="2026-11-22T23:30:00Z", timeMax="2026-11-22T23:45:00Z", singleEvents="true"
    )
    after = await reader.events(timeMin="2026-11-23T23:00:00Z")

    assert (ids(in_berlin), ids(after)) == ([made], [])


async def test_a_master_matches_a_window_by_any_of_its_instances(site: Site) -> None:
    made = hold(site, 2, recurrence="RRULE:FREQ=WEEKLY;COUNT=4")
    reader = await site.reader()

    hit = await reader.events(timeMin="2026-11-23T00:00:00Z", timeMax="2026-11-24T00:00:00Z")
    miss = await reader.events(timeMin="2026-11-24T00:00:00Z")

    assert (ids(hit), ids(miss)) == ([made], [])


async def test_single_events_expands_a_series_and_hides_its_master(site: Site) -> None:
    made = hold(site, 2, recurrence="RRULE:FREQ=WEEKLY;COUNT=3")
    reader = await site.reader()

    body = await reader.events(singleEvents="true")

    assert ids(body) == [
        f"{made}_{slot}" for slot in ("20261102T090000Z", "20261109T090000Z", "20261116T090000Z")
    ]
    second = body["items"][1]
    assert "recurrence" not in second
    assert second["recurringEventId"] == made
    assert second["iCalUID"] == f"{made}@google.com"
    assert second["originalStartTime"] == second["start"]


async def test_wall_clock_time_is_kept_over_the_end_of_summer_time(site: Site) -> None:
    raw(
        site,
        start={"dateTime": "2026-10-23T09:00:00+02:00", "timeZone": BERLIN},
        end={"dateTime": "2026-10-23T09:30:00+02:00", "timeZone": BERLIN},
        recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"],
    )
    reader = await site.reader()

    body = await reader.events(singleEvents="true", timeZone="UTC")

    starts = [item["start"]["dateTime"] for item in body["items"]]
    assert starts == ["2026-10-23T07:00:00Z", "2026-10-30T08:00:00Z"]


async def test_the_response_zone_moves_the_offset_and_not_the_events_zone(site: Site) -> None:
    hold(site, 23)
    reader = await site.reader()

    body = await reader.events(timeZone="America/New_York")

    assert body["timeZone"] == "America/New_York"
    start = body["items"][0]["start"]
    assert start == {"dateTime": "2026-11-23T04:00:00-05:00", "timeZone": BERLIN}


async def test_start_order_needs_expansion(site: Site) -> None:
    late, early = hold(site, 25), hold(site, 23)
    reader = await site.reader()

    ordered = await reader.events(singleEvents="true", orderBy="startTime")

    assert ids(ordered) == [early, late]
    assert "nextSyncToken" not in ordered
    assert await reader.refused(orderBy="startTime") == (400, "invalid")


async def test_update_order_and_updated_min_go_by_last_change(site: Site) -> None:
    first, second = hold(site, 23), hold(site, 24)
    site.world.clock.advance(timedelta(minutes=1))
    edits.edit(site.world, first, title="Changed")
    reader = await site.reader()

    ordered = await reader.events(orderBy="updated")
    recent = await reader.events(updatedMin="2026-11-20T12:01:00Z")

    assert ids(ordered) == [second, first]
    assert ids(recent) == [first]
    assert "nextSyncToken" not in recent


async def test_updated_min_includes_deletions_and_reaches_only_so_far(site: Site) -> None:
    gone = hold(site, 23)
    edits.cancel(site.world, gone)
    reader = await site.reader()

    recent = await reader.events(updatedMin="2026-11-20T11:00:00Z")

    assert [(i["id"], i["status"]) for i in recent["items"]] == [(gone, "cancelled")]
    old = await reader.refused(updatedMin="2026-09-01T00:00:00Z")
    assert old == (410, "updatedMinTooLongAgo")


async def test_pages_hold_at_most_what_was_asked_and_miss_nothing_that_moves(site: Site) -> None:
    made = [hold(site, day) for day in (23, 24, 25)]
    reader = await site.reader()

    first = await reader.events(maxResults=2)
    edits.cancel(site.world, made[0])
    second = await reader.events(maxResults=2, pageToken=first["nextPageToken"])
    delta = await reader.events(syncToken=second["nextSyncToken"])

    assert (ids(first), ids(second)) == (made[:2], made[2:])
    assert "nextSyncToken" not in first
    assert [(i["id"], i["status"]) for i in delta["items"]] == [(made[0], "cancelled")]


async def test_an_ordered_empty_page_still_has_a_next_one(site: Site) -> None:
    made = [hold(site, day) for day in (23, 24)]
    reader = await site.reader()
    first = await reader.events(maxResults=1)
    site.world.faults.add("google.events", "empty_page")

    empty = await reader.events(maxResults=1, pageToken=first["nextPageToken"])
    last = await reader.events(maxResults=1, pageToken=empty["nextPageToken"])

    assert (empty["items"], ids(last)) == ([], made[1:])
    assert "nextSyncToken" in last


async def test_ordered_looping_pages_repeat_one_token_for_ever(site: Site) -> None:
    made = [hold(site, day) for day in (23, 24)]
    reader = await site.reader()
    site.world.faults.add("google.events", "loop_pages", times=-1)

    first = await reader.events(maxResults=1)
    second = await reader.events(maxResults=1, pageToken=first["nextPageToken"])

    assert (ids(first), ids(second)) == (made[:1], made[:1])
    assert first["nextPageToken"] == second["nextPageToken"]


async def test_a_page_token_belongs_to_its_query(site: Site) -> None:
    hold(site, 23)
    hold(site, 24)
    reader = await site.reader()
    token = (await reader.events(maxResults=1))["nextPageToken"]

    assert await reader.refused(pageToken=token, singleEvents="true") == (400, "invalid")
    assert await reader.refused(pageToken="bogus") == (400, "invalid")


async def test_a_cancelled_day_of_a_series_is_gone_wherever_its_calendar_is(site: Site) -> None:
    world = site.world
    zoned = world.directory.add_account("google", "kai@acme.example", zone="Europe/Berlin")
    start = datetime(2026, 11, 25, tzinfo=UTC)
    held = world.add_meeting(
        "kai@acme.example", "Days", start, start + timedelta(days=1),
        all_day=True, recurrence="RRULE:FREQ=WEEKLY;COUNT=2",
    )  # fmt: skip

    edits.cancel(world, held.id, "20261125")

    shown = expand.expanded(world.directory.primary(zoned), world.clock.now(), None)
    assert [(item.id[-8:], item.gone) for item in shown] == [
        ("20261202", False),
        ("20261125", True),
    ]
