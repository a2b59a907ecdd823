"""What a sync token is bound to, and when it dies (providers.md 2.3)."""

from typing import Any

import pytest

from tests.sandbox.site import ANN, BOB, Reader, Site


async def synced(reader: Reader, **params: Any) -> str:
    """Make a full sync; return its token."""
    token: str = (await reader.events(**params))["nextSyncToken"]
    return token


@pytest.mark.parametrize(
    "name",
    [
        "iCalUID",
        "orderBy",
        "privateExtendedProperty",
        "q",
        "sharedExtendedProperty",
        "timeMin",
        "timeMax",
        "updatedMin",
    ],
)
async def test_a_sync_token_forbids_filters(site: Site, name: str) -> None:
    reader = await site.reader()
    token = await synced(reader)

    refused = await reader.refused(syncToken=token, **{name: "2026-11-20T00:00:00Z"})

    assert refused == (400, "invalid")


async def test_a_sync_token_forbids_hiding_the_deleted(site: Site) -> None:
    reader = await site.reader()
    token = await synced(reader)

    assert await reader.refused(syncToken=token, showDeleted="false") == (400, "invalid")
    assert (await reader.events(syncToken=token, showDeleted="true"))["items"] == []


@pytest.mark.parametrize(
    "changes", [{"singleEvents": "true"}, {"eventTypes": "default"}, {"maxAttendees": "1"}]
)
async def test_a_sync_token_belongs_to_its_parameters(site: Site, changes: dict[str, str]) -> None:
    reader = await site.reader()
    token = await synced(reader)

    assert await reader.refused(syncToken=token, **changes) == (400, "invalid")


async def test_a_dead_token_asks_for_a_full_sync_in_googles_words(site: Site) -> None:
    reader = await site.reader()
    token = await synced(reader)
    site.world.faults.add("google.events", "410")

    answer = await reader.get("/calendars/primary/events", syncToken=token)

    message = "Sync token is no longer valid, a full sync is required."
    error = {
        "domain": "calendar",
        "reason": "fullSyncRequired",
        "message": message,
        "locationType": "parameter",
        "location": "syncToken",
    }
    assert answer.status_code == 410
    assert answer.json() == {"error": {"errors": [error], "code": 410, "message": message}}
    assert (await reader.events(syncToken=token))["items"] == []


async def test_tokens_die_with_another_reader_a_lost_history_and_a_changed_role(
    site: Site,
) -> None:
    ann, bob = await site.reader(ANN), await site.reader(BOB)
    calendar = site.world.state.calendars[ANN]
    account = site.world.directory.account("google", BOB)
    assert account
    site.world.directory.share(calendar, account, "reader")
    mine, theirs = await synced(ann, calendar=ANN), await synced(bob, calendar=ANN)

    foreign = await bob.refused(ANN, syncToken=mine)
    site.world.directory.share(calendar, account, "freeBusyReader")
    role = await bob.refused(ANN, syncToken=theirs)
    calendar.epoch += 1
    history = await ann.refused(ANN, syncToken=mine)
    bogus = await ann.refused(ANN, syncToken="bogus")

    assert {foreign, role, history, bogus} == {(410, "fullSyncRequired")}
