"""The control API: the world moved over HTTP, from this machine alone."""

from pathlib import Path
from typing import Any

import httpx
import msgspec

from meetbot_calendar.sandbox.app import create_app
from meetbot_calendar.sandbox.world import World
from tests.sandbox.site import ANN, BOB, Site, StillClock

MEETING = {
    "organizer": ANN,
    "title": "Review",
    "start": "2026-11-23T10:00:00",
    "end": "2026-11-23T11:00:00",
    "zone": "Europe/Berlin",
    "attendees": [{"email": BOB}],
    "recurrence": "RRULE:FREQ=WEEKLY;COUNT=3",
}
SECOND = "20261130T090000Z"


async def sent(site: Site, path: str, body: Any, status: int = 201) -> Any:
    answer = await site.http.post(f"/sandbox{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_story_can_be_told_over_http_alone(site: Site) -> None:
    await sent(site, "/people", {"provider": "google", "email": "cy@x.test", "zone": "UTC"})
    team = await sent(site, "/calendars", {"provider": "google", "owner": ANN, "name": "Team"})
    role = {"calendar": team["id"], "provider": "google", "email": BOB, "role": "reader"}
    shared = await sent(site, "/calendars/share", role)
    taken = await sent(site, "/calendars/share", role | {"role": None})
    forgotten = await sent(site, "/calendars/forget", {"calendar": team["id"]})
    gone = await sent(site, "/calendars/delete", {"calendar": team["id"]})

    assert [each["id"] for each in shared["calendars"]] == [BOB, team["id"]]
    assert [each["id"] for each in taken["calendars"]] == [BOB]
    assert (forgotten["removed"], gone["removed"]) == (False, True)


async def test_a_meeting_is_held_moved_answered_split_and_cancelled(site: Site) -> None:
    made = (await sent(site, "/meetings", MEETING))["id"]
    path = f"/meetings/{made}"
    times = {"start": "2026-11-30T15:00:00", "end": "2026-11-30T16:00:00", "slot": SECOND}

    moved = await sent(site, f"{path}/move", times)
    linked = await sent(site, f"{path}/link", {"link": "https://zoom.us/j/1"})
    answered = await sent(site, f"{path}/respond", {"email": BOB, "response": "declined"})
    invited = await sent(site, f"{path}/invite", {"email": "r@room.test", "resource": True})
    edited = await sent(site, f"{path}/edit", {"facts": {"title": "Other"}})
    await sent(site, f"{path}/touch", {})
    split = await sent(site, f"{path}/split", {"slot": "20261207T090000Z", "title": "New"})
    deleted = await sent(site, f"{path}/delete-copy", {"provider": "google", "email": BOB})
    repeated = await sent(site, f"{path}/repeat", {"recurrence": []})
    cancelled = await sent(site, f"{path}/cancel", {})

    assert moved["changes"][SECOND]["start"] == "2026-11-30T14:00:00Z"
    assert linked["link"] == "https://zoom.us/j/1"
    assert answered["guests"][0]["response"] == "declined"
    assert [guest["resource"] for guest in invited["guests"]] == [False, True]
    assert (edited["title"], split["title"]) == ("Other", "New")
    assert deleted["removed_for"] == [f"google:{BOB}"]
    assert (repeated["recurrence"], cancelled["cancelled"]) == ([], True)
    listed = (await site.http.get("/sandbox/meetings")).json()
    assert [meeting["id"] for meeting in listed] == [made, split["id"]]


async def test_native_rows_come_and_go(site: Site) -> None:
    event = {"calendar": ANN, "event": {"id": "e1", "summary": "Raw"}}

    put = await sent(site, "/events", event)
    rows = (await site.http.get("/sandbox/rows", params={"calendar": ANN})).json()
    removed = await sent(site, "/events/remove", event)

    assert put == {"id": "e1", "change": 1}
    assert [(row["id"], row["body"]) for row in rows] == [("e1", {"summary": "Raw"})]
    assert removed == {"removed": True}


async def test_a_folder_of_recorded_events_is_loaded_as_recorded_or_brought_here(
    site: Site, tmp_path: Path
) -> None:
    event = {"event": {"id": "e1", "start": {"date": "2020-01-06"}, "end": {"date": "2020-01-07"}}}
    (tmp_path / "one.json").write_bytes(msgspec.json.encode(event))
    body = {"folder": str(tmp_path), "calendar": ANN}

    loaded = await sent(site, "/samples", body | {"to_present": False})
    before = (await site.http.get("/sandbox/rows", params={"calendar": ANN})).json()
    await sent(site, "/samples", body)
    after = (await site.http.get("/sandbox/rows", params={"calendar": ANN})).json()

    assert loaded == {"loaded": 1}
    assert before[0]["body"]["start"] == {"date": "2020-01-06"}
    assert after[0]["body"]["start"] == {"date": "2026-11-23"}


async def test_trouble_the_clock_and_the_grants_obey(site: Site) -> None:
    reader = await site.reader()
    await sent(site, "/faults", {"target": "google.events", "kind": "429"})
    first = (await reader.get("/calendars/primary/events")).status_code
    moved = await sent(site, "/clock/advance", {"seconds": 60})
    revoked = await sent(site, "/grants/revoke", {"provider": "google", "email": ANN})
    second = (await reader.get("/calendars/primary/events")).status_code

    assert (first, second) == (429, 401)
    assert moved == {"now": "2026-11-20T12:01:00Z", "skipped_seconds": 60.0}
    assert revoked == {"revoked": 1}


async def test_faults_can_be_listed_and_called_off(site: Site) -> None:
    await sent(site, "/faults", {"target": "google.events", "kind": "429", "times": -1})

    listed = (await site.http.get("/sandbox/faults")).json()
    cleared = await site.http.delete("/sandbox/faults", params={"target": "google"})

    assert [(fault["target"], fault["times"]) for fault in listed] == [("google.events", -1)]
    assert cleared.json() == {"left": 0}


async def test_requests_are_remembered_without_secrets(site: Site) -> None:
    reader = await site.reader()
    await reader.events(syncToken=(await reader.events())["nextSyncToken"])

    found = (await site.http.get("/sandbox/requests", params={"path": "/events"})).json()
    every = (await site.http.get("/sandbox/requests")).text
    tokens = (await site.http.get("/sandbox/requests", params={"path": "/token"})).json()

    assert [(each["method"], each["status"], each["account"]) for each in found] == [
        ("GET", 200, ANN),
        ("GET", 200, ANN),
    ]
    assert "syncToken" in found[1]["query"]
    assert tokens[0]["note"] == "authorization_code"
    assert "state-1" not in every
    assert reader.token not in every
    await site.http.delete("/sandbox/requests")
    assert (await site.http.get("/sandbox/requests")).json() == []


async def test_secrets_of_watches_clients_and_grants_are_not_shown(site: Site) -> None:
    reader = await site.reader()
    body = {"id": "c1", "type": "web_hook", "address": "https://127.0.0.1:1/x", "token": "hush"}
    await reader.post("/calendars/primary/events/watch", body)

    shown = [
        await site.http.get(f"/sandbox/{name}")
        for name in ("watches", "clients", "grants", "people", "calendars", "clock")
    ]

    text = "".join(each.text for each in shown)
    assert [each.status_code for each in shown] == [200] * 6
    assert "c1" in text
    assert not any(secret in text for secret in ("hush", "secret-1", reader.token))
    assert (await site.http.get("/sandbox")).json()["watches"] == 1


async def test_what_is_not_here_is_404_and_what_makes_no_sense_400(site: Site) -> None:
    await sent(site, "/meetings/none/cancel", {}, 404)
    await sent(site, "/calendars/delete", {"calendar": "none"}, 404)
    await sent(site, "/meetings", MEETING | {"zone": "Europe/Nowhere"}, 400)
    await sent(site, "/meetings", MEETING | {"recurrence": "RRULE:FREQ=NEVER"}, 400)
    await sent(site, "/meetings", MEETING | {"colour": "red"}, 400)
    await sent(site, "/clock/advance", {"seconds": -1}, 400)

    assert (await site.http.get("/sandbox/meetings")).json() == []


async def test_another_machine_is_turned_away_from_control_alone() -> None:
    world = World(StillClock())
    far = httpx.ASGITransport(create_app(world), client=("192.0.2.1", 5000))
    async with httpx.AsyncClient(  # noqa: TID251 - the test's own end
        transport=far, base_url="http://sandbox"
    ) as http:
        control = await http.get("/sandbox/clock")
        google = await http.get("/google/v1/userinfo")

    assert (control.status_code, google.status_code) == (403, 401)
