"""``GET events`` and ``get_events``, as a MeetStream client reads them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import Any

import msgspec

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox import edits
from tests.journeys.stage import ANN, BOB, MEET
from tests.web.house import Json
from tests.web.meetstream.posted import credentials
from tests.web.staged import Staged

HOUR = timedelta(hours=1)
EVENTS = "/v1/calendar/events"
STORED = "/v1/calendar/get_events"
ZOOM = "https://zoom.us/j/81234567890"


async def listed(staged: Staged, path: str) -> Json:
    answer = await staged.door.get(path)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def ids(page: Json) -> list[str]:
    return [row["id"] for row in page["results"]]


async def test_a_client_that_has_just_connected_sees_its_meetings(staged: Staged) -> None:
    meeting = staged.stage.hold_meeting(ANN, "Weekly", HOUR, link=ZOOM)
    await staged.door.post(
        "/v1/calendar/create_calendar", await credentials(staged, Provider.GOOGLE, ANN)
    )

    found = await listed(staged, "/api/v1/calendar/events?limit=20")

    (row,) = found["results"]
    raw: Json = row.pop("raw")
    assert {name: found[name] for name in ("next", "previous", "has_more", "partial_errors")} == {
        "next": None,
        "previous": None,
        "has_more": False,
        "partial_errors": {},
    }
    assert row == {
        "id": row["id"],
        "start_time": "2026-11-23T13:00:00Z",
        "end_time": "2026-11-23T13:30:00Z",
        "calendar_id": ANN,
        "platform": "google_calendar",
        "platform_id": meeting.id,
        "ical_uid": raw["iCalUID"],
        "meeting_platform": "Zoom",
        "meeting_url": ZOOM,
        "is_deleted": False,
        "created_at": "2026-11-23T12:00:00Z",
        "updated_at": "2026-11-23T12:00:00Z",
        "bots": [],
        "provider": "google",
        "account_id": ANN,
    }
    assert (raw["kind"], raw["id"], raw["summary"]) == ("calendar#event", meeting.id, "Weekly")


async def test_outlook_is_shown_in_its_own_words(staged: Staged) -> None:
    staged.stage.hold_meeting(BOB, "Weekly", HOUR)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)

    (row,) = (await listed(staged, STORED))["results"]

    (calendar,) = (await listed(staged, "/v1/calendar/calendars"))["calendars"]
    assert (row["platform"], row["provider"], row["account_id"]) == (
        "outlook_calendar",
        "outlook",
        BOB,
    )
    assert row["calendar_id"] == calendar["id"]
    assert row["raw"]["subject"] == "Weekly"
    assert row["raw"]["id"] == row["platform_id"]


async def test_linked_bots_are_shown_with_their_name_and_join_time(staged: Staged) -> None:
    staged.stage.hold_meeting(ANN, "Weekly", HOUR)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.door.patch("/v1/tenant", {"default_bot_config": {"bot_name": "Acme Notes"}})

    (row,) = (await listed(staged, STORED))["results"]

    (bot,) = await staged.stage.bots()
    assert row["bots"] == [
        {
            "id": bot.id,
            "status": "Scheduled",
            "scheduled_join_time": "2026-11-23T12:58:30+00:00",
            "bot_username": "Acme Notes",
            "platform": "GMeet",
            "is_scheduled": True,
        }
    ]


async def test_a_stale_list_is_synced_and_a_fresh_one_is_not_unless_asked(staged: Staged) -> None:
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    staged.stage.hold_meeting(ANN, "New", HOUR)

    fresh = await listed(staged, EVENTS)
    refused = await listed(staged, f"{EVENTS}?sync=false")
    forced = await listed(staged, f"{EVENTS}?sync=true")
    staged.stage.hold_meeting(ANN, "Newer", 2 * HOUR)
    staged.stage.world.clock.advance(timedelta(seconds=61))
    never = await listed(staged, STORED)
    stale = await listed(staged, EVENTS)

    found = [len(page["results"]) for page in (fresh, refused, forced, never, stale)]
    assert found == [0, 0, 1, 1, 2]
    assert [bot["status"] for bot in stale["results"][1]["bots"]] == ["Scheduled"]


async def many(staged: Staged, count: int) -> None:
    for number in range(count):
        staged.stage.hold_meeting(ANN, f"Meeting {number}", (number + 1) * HOUR, link=ZOOM)
    await staged.stage.onboard(Provider.GOOGLE, ANN)


async def test_pages_are_turned_both_ways_by_the_cursor_alone(staged: Staged) -> None:
    await many(staged, 5)
    whole = ids(await listed(staged, STORED))

    first = await listed(staged, f"{EVENTS}?limit=2&provider=google")
    second = await listed(staged, f"{EVENTS}?cursor={first['next']}")
    third = await listed(staged, f"{EVENTS}?cursor={second['next']}&provider=google")
    back = await listed(staged, f"{EVENTS}?cursor={second['previous']}")

    assert [ids(page) for page in (first, second, third)] == [whole[:2], whole[2:4], whole[4:]]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    assert (first["previous"], third["next"]) == (None, None)
    assert ids(back) == whole[:2]


async def test_a_later_page_is_of_the_list_that_was_begun(staged: Staged) -> None:
    await many(staged, 3)
    first = await listed(staged, f"{EVENTS}?limit=2")
    staged.stage.world.clock.advance(timedelta(seconds=61))
    staged.stage.hold_meeting(ANN, "New", 5 * HOUR)

    later = await listed(staged, f"{EVENTS}?cursor={first['next']}")
    asked = await listed(staged, f"{EVENTS}?cursor={first['next']}&sync=true")

    assert (len(later["results"]), len(asked["results"])) == (1, 2)


async def test_time_passing_does_not_spoil_a_cursor(staged: Staged) -> None:
    await many(staged, 3)
    first = await listed(staged, f"{STORED}?limit=2")

    await staged.stage.pass_time(3 * HOUR)
    second = await listed(staged, f"{STORED}?cursor={first['next']}")

    assert len(second["results"]) == 1


async def test_a_cursor_of_another_list_or_person_is_refused(staged: Staged) -> None:
    await many(staged, 3)
    await staged.stage.connect(Provider.OUTLOOK, BOB, customer_user_id="bob")
    mine = f"{STORED}?user_id={await only(staged, 'ann')}"
    cursor = (await listed(staged, f"{mine}&limit=2"))["next"]

    refused = [
        await staged.door.get(path)
        for path in (
            f"{mine}&cursor={cursor}&provider=outlook",
            f"{STORED}?user_id={await only(staged, 'bob')}&cursor={cursor}",
            f"{mine}&cursor=nonsense",
            f"{mine}&cursor=%C3%A4",
        )
    ]

    assert [answer.status_code for answer in refused] == [400] * 4
    assert {answer.json()["code"] for answer in refused} == {"invalid_cursor"}


async def test_a_cursor_that_was_tampered_with_reaches_no_further(staged: Staged) -> None:
    await many(staged, 3)
    cursor = (await listed(staged, f"{STORED}?limit=2"))["next"]
    kept: Json = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    bent: list[Json] = [
        {"limit": 1_000_000},
        {"limit": 0},
        {"platform_calendar_id": "\x00"},
        {"account_id": "\x00"},
        {"time_min": "2026-11-23T00:00:00"},
        {"provider": "yahoo"},
        {"at": "nonsense"},
    ]

    refused = [
        await staged.door.get(f"{STORED}?cursor={written(kept | change)}") for change in bent
    ]
    moved = await staged.door.get(f"{STORED}?cursor={written(kept | {'limit': 1})}")

    assert [answer.status_code for answer in refused] == [400] * len(bent)
    assert {answer.json()["code"] for answer in refused} == {"invalid_cursor"}
    assert len(moved.json()["results"]) == 1


def written(kept: Json) -> str:
    return urlsafe_b64encode(msgspec.json.encode(kept)).rstrip(b"=").decode()


async def only(staged: Staged, customer_user_id: str) -> str:
    found = await listed(staged, f"/v1/calendar/users?customer_user_id={customer_user_id}")
    return str(found["results"][0]["id"])


async def test_filters_by_account_calendar_and_time(staged: Staged) -> None:
    directory = staged.stage.world.directory
    owner = directory.account("google", ANN)
    assert owner is not None
    team = directory.add_calendar(owner, "Team")
    staged.stage.hold_meeting(ANN, "Own", HOUR, link=ZOOM)
    staged.stage.hold_meeting(ANN, "Shared", 2 * HOUR, calendar=team.id)
    staged.stage.hold_meeting(BOB, "Outlook", 3 * HOUR, link=MEET)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)

    queries = {
        "": ["Own", "Shared", "Outlook"],
        "provider=google": ["Own", "Shared"],
        "provider=microsoft": ["Outlook"],
        f"account_id={BOB}": ["Outlook"],
        f"calendar_id={team.id}": ["Shared"],
        "calendar_id=primary": ["Own", "Outlook"],
        "calendar_id=primary&provider=google": ["Own"],
        "calendar_id=unheard-of": [],
        "time_min=2026-11-23T13:40:00Z": ["Shared", "Outlook"],
        "time_max=2026-11-23T13:40:00": ["Own"],
        "time_min=2026-11-23T15:40:00+02:00&time_max=2026-11-23T14:10:00Z": ["Shared"],
        "time_min=2026-11-24": [],
    }
    for query, titles in queries.items():
        page = await listed(staged, f"{EVENTS}?sync=true&{query}")
        assert [title_of(row) for row in page["results"]] == titles, query


def title_of(row: Json) -> Any:
    return row["raw"].get("summary") or row["raw"].get("subject")


async def test_copies_of_a_meeting_are_shown_once_on_request(staged: Staged) -> None:
    staged.stage.hold_meeting(ANN, "Together", HOUR, BOB)
    staged.stage.hold_meeting(ANN, "Alone", 2 * HOUR, link=ZOOM)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)

    copies = await listed(staged, STORED)
    unique = await listed(staged, f"{STORED}?cleanup_duplicates=true")
    his = await listed(staged, f"{STORED}?cleanup_duplicates=true&provider=outlook")
    first = await listed(staged, f"{STORED}?cleanup_duplicates=true&limit=1")
    second = await listed(staged, f"{STORED}?cursor={first['next']}")

    assert [title_of(row) for row in copies["results"]] == ["Together", "Together", "Alone"]
    assert [title_of(row) for row in unique["results"]] == ["Together", "Alone"]
    assert [title_of(row) for row in his["results"]] == ["Together"]
    assert ids(first) + ids(second) == ids(unique)


async def test_a_copy_that_was_deleted_does_not_hide_the_one_that_stands(staged: Staged) -> None:
    world = staged.stage.world
    meeting = staged.stage.hold_meeting(BOB, "Together", HOUR, ANN)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.pass_time(timedelta(seconds=1))
    await staged.stage.onboard(Provider.OUTLOOK, BOB)
    hers = world.directory.account("google", ANN)
    assert hers is not None
    edits.delete_copy(world, meeting.id, hers)
    await staged.stage.settle()

    unique = await listed(staged, f"{STORED}?cleanup_duplicates=true")

    assert [row["account_id"] for row in unique["results"]] == [BOB]


async def test_only_the_account_that_is_asked_for_is_synced(staged: Staged) -> None:
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)
    staged.stage.world.faults.add("microsoft", "503_json", -1)

    hers = await listed(staged, f"{EVENTS}?sync=true&provider=google")
    his = await listed(staged, f"{EVENTS}?sync=true&account_id={BOB}")

    assert (hers["partial_errors"], list(his["partial_errors"])) == ({}, [f"outlook::{BOB}"])


async def test_an_account_that_cannot_be_synced_is_shown_as_it_was(staged: Staged) -> None:
    staged.stage.hold_meeting(ANN, "Hers", HOUR, link=ZOOM)
    staged.stage.hold_meeting(BOB, "His", 2 * HOUR)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    await staged.stage.onboard(Provider.OUTLOOK, BOB)
    staged.stage.world.faults.add("microsoft", "503_json", -1)

    page = await listed(staged, f"{EVENTS}?sync=true")

    assert [title_of(row) for row in page["results"]] == ["Hers", "His"]
    assert list(page["partial_errors"]) == [f"outlook::{BOB}"]
    assert "503" in page["partial_errors"][f"outlook::{BOB}"]


async def test_a_deleted_meeting_is_no_longer_listed(staged: Staged) -> None:
    meeting = staged.stage.hold_meeting(ANN, "Weekly", HOUR)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    edits.cancel(staged.stage.world, meeting.id)

    page = await listed(staged, f"{EVENTS}?sync=true")

    assert page["results"] == []
    assert [bot.status for bot in await staged.stage.bots()] == ["cancelled"]


async def test_parameters_that_cannot_be_read_are_named(staged: Staged) -> None:
    refused = {
        query: await staged.door.get(f"{EVENTS}?{query}")
        for query in (
            "limit=0",
            "limit=101",
            "sync=perhaps",
            "time_min=yesterday",
            "provider=yahoo",
            "cleanup_duplicates=2",
            "time_min=2026-11-24T00:00:00Z&time_max=2026-11-23T00:00:00Z",
        )
    }

    told = {query: answer.json()["errors"][0]["pointer"] for query, answer in refused.items()}
    assert {answer.status_code for answer in refused.values()} == {400}
    assert told == {query: f"/query/{query.partition('=')[0]}" for query in refused}


async def test_a_tenant_without_people_has_no_events(staged: Staged) -> None:
    nothing = {"next": None, "previous": None, "results": [], "has_more": False}

    for path in (EVENTS, STORED):
        assert await listed(staged, path) == nothing | {"partial_errors": {}}
