"""calendarList.list and .get (providers.md 2.1)."""

from typing import Any

import pytest

from tests.sandbox.site import ANN, BOB, Reader, Site, ids

LIST = "/users/me/calendarList"
HOLIDAYS = "de.german#holiday@group.v.calendar.google.com"


def share_team(site: Site, role: Any = "reader") -> str:
    """Bob shares a team calendar with Ann; return its id."""
    bob = site.world.directory.account("google", BOB)
    ann = site.world.directory.account("google", ANN)
    assert ann
    assert bob
    team = site.world.directory.add_calendar(bob, "Team")
    site.world.directory.share(team, ann, role)
    return team.id


async def listed(reader: Reader, **params: Any) -> dict[str, Any]:
    answer = await reader.get(LIST, **params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def refused(reader: Reader, **params: Any) -> tuple[int, str]:
    answer = await reader.get(LIST, **params)
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


async def test_the_primary_calendar_is_named_by_its_owners_address(site: Site) -> None:
    reader = await site.reader()

    body = await listed(reader)

    assert body["kind"] == "calendar#calendarList"
    assert "nextSyncToken" in body
    (entry,) = body["items"]
    assert entry.pop("etag").startswith('"')
    assert entry == {
        "kind": "calendar#calendarListEntry",
        "id": ANN,
        "summary": ANN,
        "timeZone": "Europe/Berlin",
        "colorId": "14",
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "accessRole": "owner",
        "defaultReminders": [{"method": "popup", "minutes": 10}],
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        "primary": True,
        "selected": True,
    }


async def test_a_shared_calendar_names_its_owner_and_my_role(site: Site) -> None:
    team = share_team(site)
    reader = await site.reader()

    entry = (await listed(reader))["items"][1]

    shown = {name: entry.get(name) for name in ("id", "accessRole", "dataOwner", "primary")}
    assert shown == {"id": team, "accessRole": "reader", "dataOwner": BOB, "primary": None}


async def test_the_list_pages_and_ends_with_a_sync_token(site: Site) -> None:
    team = share_team(site)
    reader = await site.reader()

    first = await listed(reader, maxResults=1)
    second = await listed(reader, maxResults=1, pageToken=first["nextPageToken"])

    assert (ids(first), ids(second)) == ([ANN], [team])
    assert "nextSyncToken" not in first
    assert "nextPageToken" not in second


async def test_a_delta_tells_of_added_and_lost_calendars_only(site: Site) -> None:
    team = share_team(site)
    reader = await site.reader()
    token = (await listed(reader))["nextSyncToken"]

    quiet = await listed(reader, syncToken=token)
    calendar = site.world.directory.calendar(team)
    ann = site.world.directory.account("google", ANN)
    assert calendar
    assert ann
    site.world.directory.unshare(calendar, ann)
    after = await listed(reader, syncToken=token)

    assert quiet["items"] == []
    assert [(i["id"], i.get("deleted")) for i in after["items"]] == [(team, True)]


async def test_hidden_and_lower_roles_are_left_out_of_a_full_list_on_request(site: Site) -> None:
    team = share_team(site, "freeBusyReader")
    reader = await site.reader()
    site.world.state.entries[-1].hidden = True

    plain = await listed(reader)
    hidden = await listed(reader, showHidden="true")
    roles = await listed(reader, showHidden="true", minAccessRole="reader")

    assert ids(plain) == [ANN]
    assert ids(hidden) == [ANN, team]
    assert ids(roles) == [ANN]


@pytest.mark.parametrize("name", ["minAccessRole", "showOwnOrganizationOnly"])
async def test_a_sync_token_forbids_narrowing(site: Site, name: str) -> None:
    reader = await site.reader()
    token = (await listed(reader))["nextSyncToken"]

    assert await refused(reader, syncToken=token, **{name: "reader"}) == (400, "invalid")


async def test_a_foreign_or_called_off_sync_token_needs_a_full_sync(site: Site) -> None:
    ann, bob = await site.reader(ANN), await site.reader(BOB)
    token = (await listed(ann))["nextSyncToken"]
    site.world.faults.add("google.calendars", "410", account=ANN)

    assert await refused(bob, syncToken=token) == (410, "fullSyncRequired")
    assert await refused(ann, syncToken=token) == (410, "fullSyncRequired")
    assert (await listed(ann, syncToken=token))["items"] == []


async def test_one_entry_can_be_read_by_its_encoded_id(site: Site) -> None:
    ann = site.world.directory.account("google", ANN)
    assert ann
    site.world.directory.add_calendar(ann, "Feiertage", HOLIDAYS, generated=True)
    reader = await site.reader()

    found = await reader.get(f"{LIST}/{HOLIDAYS.replace('#', '%23').replace('@', '%40')}")
    own = await reader.get(f"{LIST}/primary")
    none = await reader.get(f"{LIST}/nothing")

    assert (found.json()["id"], found.json()["accessRole"]) == (HOLIDAYS, "reader")
    assert (own.json()["id"], none.status_code) == (ANN, 404)


async def test_event_scopes_do_not_open_the_calendar_list(site: Site) -> None:
    scope = "https://www.googleapis.com/auth/calendar.events.readonly"
    reader = await site.reader(scope=scope)

    assert await refused(reader) == (403, "insufficientPermissions")
    assert (await reader.events())["items"] == []
