"""What readers of a shared calendar may see (providers.md 2.7), and hidden guest lists."""

from typing import Any

import pytest

from meetbot_calendar.sandbox.meetings import Guest
from tests.sandbox.site import ANN, BOB, Site, berlin

BERLIN = "Europe/Berlin"


def hold(site: Site, **facts: Any) -> str:
    return site.world.add_meeting(
        ANN, "Secret plan", berlin(23, 10), berlin(23, 11), BERLIN, **facts
    ).id


async def seen_by_bob(site: Site, role: Any) -> dict[str, Any]:
    bob = site.world.directory.account("google", BOB)
    assert bob
    site.world.directory.share(site.world.state.calendars[ANN], bob, role)
    reader = await site.reader(BOB)
    body = await reader.events(ANN)
    assert body["accessRole"] == role
    event: dict[str, Any] = body["items"][0]
    return event


async def test_free_busy_readers_get_skeletons_and_a_sync_token(site: Site) -> None:
    made = hold(site, link="https://meet.google.com/abc-defg-hij")

    event = await seen_by_bob(site, "freeBusyReader")

    assert event.pop("etag").startswith('"')
    assert event == {
        "kind": "calendar#event",
        "id": made,
        "status": "confirmed",
        "htmlLink": f"https://www.google.com/calendar/event?eid={made}",
        "updated": "2026-11-20T12:00:00.000Z",
        "start": {"dateTime": "2026-11-23T10:00:00+01:00", "timeZone": BERLIN},
        "end": {"dateTime": "2026-11-23T11:00:00+01:00", "timeZone": BERLIN},
        "visibility": "private",
        "iCalUID": f"{made}@google.com",
    }


@pytest.mark.parametrize(
    ("role", "visibility", "shown"),
    [
        ("reader", "default", True),
        ("reader", "private", False),
        ("reader", "confidential", False),
        ("writerWithoutPrivateAccess", "private", False),
        ("writer", "private", True),
        ("owner", "confidential", True),
    ],
)
async def test_private_details_are_for_writers_alone(
    site: Site, role: Any, visibility: Any, shown: bool
) -> None:
    hold(site, visibility=visibility)

    event = await seen_by_bob(site, role)

    assert ("summary" in event) is shown
    assert ("organizer" in event) is shown


async def test_a_calendar_that_is_not_shared_is_not_found(site: Site) -> None:
    hold(site)
    reader = await site.reader(BOB)

    assert await reader.refused(ANN) == (404, "notFound")


async def test_self_means_the_calendars_owner_also_for_other_readers(site: Site) -> None:
    hold(site, attendees=[Guest(email=BOB)])

    event = await seen_by_bob(site, "reader")

    assert [row["email"] for row in event["attendees"] if row.get("self")] == [ANN]


async def test_a_hidden_guest_list_shows_a_guest_only_himself(site: Site) -> None:
    hold(site, attendees=[Guest(email=BOB), Guest(email="c@c.test")], guests_hidden=True)
    bob, ann = await site.reader(BOB), await site.reader(ANN)

    his = (await bob.events())["items"][0]
    hers = (await ann.events())["items"][0]

    assert [row["email"] for row in his["attendees"]] == [BOB]
    assert (his["guestsCanSeeOtherGuests"], his["attendeesOmitted"]) == (False, True)
    assert [row["email"] for row in hers["attendees"]] == [ANN, BOB, "c@c.test"]
