"""Incremental sync: tokens, tombstones, series and their exceptions (providers.md 2.3 to 2.6)."""

from datetime import timedelta
from typing import Any

from meetbot_calendar.sandbox import edits
from tests.sandbox.site import ANN, BOB, Reader, Site, berlin, ids

BERLIN = "Europe/Berlin"
FIRST, SECOND, THIRD = "20261123T090000Z", "20261130T090000Z", "20261207T090000Z"
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=3"


def hold(site: Site, recurrence: str = "", **facts: Any) -> str:
    return site.world.add_meeting(
        ANN, "Review", berlin(23, 10), berlin(23, 11), BERLIN, recurrence=recurrence, **facts
    ).id


async def synced(reader: Reader, **params: Any) -> str:
    """Make a full sync; return its token."""
    token: str = (await reader.events(**params))["nextSyncToken"]
    return token


def shown(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["id"], item["status"]) for item in body["items"]]


async def test_an_unchanged_calendar_has_an_empty_delta(site: Site) -> None:
    hold(site)
    reader = await site.reader()
    token = await synced(reader)

    body = await reader.events(syncToken=token)

    assert body["items"] == []
    assert await synced(reader, syncToken=body["nextSyncToken"])


async def test_a_delta_is_not_bounded_by_the_window_of_its_full_sync(site: Site) -> None:
    made = hold(site)
    reader = await site.reader()
    token = await synced(reader, timeMin="2026-11-01T00:00:00Z", timeMax="2026-12-01T00:00:00Z")
    edits.move(
        site.world, made, berlin(24, 10).replace(year=2040), berlin(24, 11).replace(year=2040)
    )

    body = await reader.events(syncToken=token)

    assert body["items"][0]["start"]["dateTime"] == "2040-11-24T10:00:00+01:00"


async def test_a_deleted_event_keeps_only_its_id(site: Site) -> None:
    made = hold(site)
    reader = await site.reader()
    token = await synced(reader)
    edits.cancel(site.world, made)

    (row,) = (await reader.events(syncToken=token))["items"]

    assert row.pop("etag").startswith('"')
    assert row == {"kind": "calendar#event", "id": made, "status": "cancelled"}
    assert (await reader.events())["items"] == []
    assert shown(await reader.events(showDeleted="true")) == [(made, "cancelled")]


async def test_a_deleted_event_can_still_be_read_as_cancelled(site: Site) -> None:
    made = hold(site)
    edits.cancel(site.world, made)
    reader = await site.reader()

    found = await reader.get(f"/calendars/primary/events/{made}")
    never = await reader.get("/calendars/primary/events/never")

    assert (found.status_code, found.json()["status"]) == (200, "cancelled")
    assert never.status_code == 404


async def test_a_cancelled_instance_says_which_slot_of_which_series(site: Site) -> None:
    made = hold(site, WEEKLY)
    reader = await site.reader()
    token = await synced(reader)
    edits.cancel(site.world, made, SECOND)

    (row,) = (await reader.events(syncToken=token))["items"]

    assert row.pop("etag").startswith('"')
    assert row == {
        "kind": "calendar#event",
        "id": f"{made}_{SECOND}",
        "status": "cancelled",
        "recurringEventId": made,
        "originalStartTime": {"dateTime": "2026-11-30T10:00:00+01:00", "timeZone": BERLIN},
    }


async def test_a_full_list_of_masters_still_tells_cancelled_instances(site: Site) -> None:
    made = hold(site, WEEKLY)
    edits.cancel(site.world, made, SECOND)
    reader = await site.reader()

    masters = await reader.events()
    single = await reader.events(singleEvents="true")
    both = await reader.events(singleEvents="true", showDeleted="true")

    assert shown(masters) == [(made, "confirmed"), (f"{made}_{SECOND}", "cancelled")]
    assert ids(single) == [f"{made}_{FIRST}", f"{made}_{THIRD}"]
    assert sorted(ids(both)) == [f"{made}_{FIRST}", f"{made}_{SECOND}", f"{made}_{THIRD}"]


async def test_a_moved_instance_keeps_its_id_and_original_start(site: Site) -> None:
    made = hold(site, WEEKLY)
    reader = await site.reader()
    token = await synced(reader, singleEvents="true")
    edits.move(site.world, made, berlin(30, 15), berlin(30, 16), SECOND)

    (row,) = (await reader.events(singleEvents="true", syncToken=token))["items"]

    assert (row["id"], row["recurringEventId"]) == (f"{made}_{SECOND}", made)
    assert row["start"]["dateTime"] == "2026-11-30T15:00:00+01:00"
    assert row["originalStartTime"]["dateTime"] == "2026-11-30T10:00:00+01:00"
    assert row["iCalUID"] == f"{made}@google.com"
    expanded = await reader.events(singleEvents="true")
    assert len(expanded["items"]) == 3


async def test_a_touched_endless_series_comes_far_beyond_any_window(site: Site) -> None:
    made = hold(site, "RRULE:FREQ=WEEKLY")
    reader = await site.reader()
    token = await synced(
        reader, singleEvents="true", timeMax="2026-12-20T00:00:00Z", maxResults=2500
    )
    edits.touch(site.world, made)

    body = await reader.events(singleEvents="true", syncToken=token, maxResults=2500)

    assert len(body["items"]) == 700
    assert body["items"][-1]["start"]["dateTime"] == "2040-04-16T10:00:00+02:00"


async def test_a_deleted_series_is_told_for_about_six_months(site: Site) -> None:
    made = hold(site, "RRULE:FREQ=WEEKLY")
    reader = await site.reader()
    tokens = [
        await synced(reader, singleEvents=flag, maxResults=2500) for flag in ("true", "false")
    ]
    edits.cancel(site.world, made)

    expanded = await reader.events(singleEvents="true", syncToken=tokens[0])
    stored = await reader.events(singleEvents="false", syncToken=tokens[1])

    assert {status for _, status in shown(expanded)} == {"cancelled"}
    assert all(item["recurringEventId"] == made for item in expanded["items"])
    assert len(expanded["items"]) == 26
    assert shown(stored) == [(made, "cancelled")]


async def test_a_single_event_that_became_a_series_and_was_deleted_is_told_as_deleted(
    site: Site,
) -> None:
    made = hold(site)
    reader = await site.reader()
    token = await synced(reader, singleEvents="true")
    edits.repeat(site.world, made, [WEEKLY])
    edits.cancel(site.world, made)

    body = await reader.events(syncToken=token, singleEvents="true")

    assert shown(body) == [(made, "cancelled")]


async def test_a_rescheduled_series_cancels_the_instances_that_it_no_longer_has(
    site: Site,
) -> None:
    made = hold(site, WEEKLY)
    reader = await site.reader()
    token = await synced(reader, singleEvents="true")
    edits.move(site.world, made, berlin(23, 15), berlin(23, 16))

    body = await reader.events(singleEvents="true", syncToken=token)

    assert sorted(shown(body)) == sorted(
        [(f"{made}_{slot}", "cancelled") for slot in (FIRST, SECOND, THIRD)]
        + [(f"{made}_{slot.replace('T09', 'T14')}", "confirmed") for slot in (FIRST, SECOND, THIRD)]
    )


async def test_this_and_following_ends_one_series_and_begins_another(site: Site) -> None:
    made = hold(site, "RRULE:FREQ=WEEKLY;COUNT=3")
    reader = await site.reader()
    token = await synced(reader, singleEvents="true")
    new = edits.split(site.world, made, SECOND, recurrence="RRULE:FREQ=WEEKLY;COUNT=2")

    body = await reader.events(singleEvents="true", syncToken=token)

    assert new.id == f"{made}_R20261130T090000"
    by_id = {item["id"]: item for item in body["items"]}
    assert by_id[f"{made}_{SECOND}"]["status"] == "cancelled"
    assert by_id[f"{made}_{THIRD}"]["status"] == "cancelled"
    assert by_id[f"{new.id}_{SECOND}"]["status"] == "confirmed"
    assert by_id[f"{new.id}_{SECOND}"]["iCalUID"] != by_id[f"{made}_{FIRST}"]["iCalUID"]


async def test_an_instance_that_comes_back_is_told_as_confirmed(site: Site) -> None:
    made = hold(site, WEEKLY)
    edits.cancel(site.world, made, SECOND)
    reader = await site.reader()
    token = await synced(reader, singleEvents="true")
    del site.world.meeting(made).changes[SECOND]
    site.world.write(site.world.meeting(made))

    body = await reader.events(singleEvents="true", syncToken=token)

    assert shown(body) == [(f"{made}_{SECOND}", "confirmed")]


async def test_an_answer_to_one_occurrence_is_an_exception_in_every_copy(site: Site) -> None:
    made = hold(site, WEEKLY, attendees=[(BOB, "accepted", False, False)])
    reader = await site.reader(BOB)
    token = await synced(reader, singleEvents="true")
    edits.respond(site.world, made, BOB, "declined", SECOND)

    (row,) = (await reader.events(singleEvents="true", syncToken=token))["items"]

    mine = next(row for row in row["attendees"] if row.get("self"))
    assert (mine["email"], mine["responseStatus"]) == (BOB, "declined")


async def test_instances_lists_one_series_with_its_exceptions_in_place(site: Site) -> None:
    made = hold(site, WEEKLY)
    edits.move(site.world, made, berlin(30, 15), berlin(30, 16), SECOND)
    edits.cancel(site.world, made, THIRD)
    reader = await site.reader()
    path = f"/calendars/primary/events/{made}/instances"

    plain = (await reader.get(path)).json()
    deleted = (await reader.get(path, showDeleted="true")).json()
    one = (await reader.get(path, originalStart="2026-11-30T10:00:00+01:00")).json()
    paged = (await reader.get(path, maxResults=1)).json()
    rest = (await reader.get(path, maxResults=1, pageToken=paged["nextPageToken"])).json()

    assert ids(plain) == [f"{made}_{FIRST}", f"{made}_{SECOND}"]
    assert ids(deleted) == [f"{made}_{slot}" for slot in (FIRST, SECOND, THIRD)]
    assert ids(one) == ids(rest) == [f"{made}_{SECOND}"]


async def test_an_instance_without_a_row_of_its_own_can_be_read(site: Site) -> None:
    made = hold(site, WEEKLY)
    reader = await site.reader()

    found = await reader.get(f"/calendars/primary/events/{made}_{THIRD}")
    never = await reader.get(f"/calendars/primary/events/{made}_20261208T090000Z")

    assert found.json()["start"]["dateTime"] == "2026-12-07T10:00:00+01:00"
    assert never.status_code == 404


async def test_a_tombstone_outlives_time_but_a_page_of_changes_stays_small(site: Site) -> None:
    made = [hold(site) for _ in range(3)]
    reader = await site.reader()
    token = await synced(reader)
    for each in made:
        edits.cancel(site.world, each)
    site.world.clock.advance(timedelta(minutes=30))

    first = await reader.events(syncToken=token, maxResults=2)
    last = await reader.events(syncToken=token, maxResults=2, pageToken=first["nextPageToken"])

    assert ids(first) + ids(last) == made
    assert "nextSyncToken" in last
