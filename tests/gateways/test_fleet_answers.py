"""Answers of fleets that their simulators do not give: odd, rare, or only told of in passing."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from meetbot_calendar.bots.fleet import Fleet
from meetbot_calendar.errors import (
    GiveUp,
    InstallationFault,
    MeetbotError,
    OutcomeUnknown,
    TryLater,
)
from meetbot_calendar.gateways.fleets.choice import address_of, open_fleet
from meetbot_calendar.gateways.fleets.line import Account
from meetbot_calendar.gateways.transport import Transport, open_transport
from tests.gateways.fleet_stand import KEY, MEET, ORDER, VENDORS
from tests.journeys.surroundings import plainly
from tests.loopback import listening, says


def client(name: str, transport: Transport, url: str) -> Fleet:
    return open_fleet(name, transport, Account(url=url, api_key=KEY, callback_secret=""))


async def refusal(name: str, status: int, body: Any, **headers: str) -> MeetbotError:
    """Return what sending says when the fleet answers this."""
    answer = says(msgspec.json.encode(body), status, headers)
    async with listening(answer) as end, open_transport(plainly()) as transport:
        with pytest.raises(MeetbotError) as raised:
            await client(name, transport, end.url).send(ORDER)
    return raised.value


@pytest.mark.parametrize(
    ("name", "status", "body", "error", "code"),
    [
        ("recall", 409, {"detail": "in flight"}, OutcomeUnknown, "outcome_unknown"),
        ("recall", 403, {}, InstallationFault, "fleet_closed"),
        ("recall", 402, {}, InstallationFault, "fleet_closed"),
        (
            "attendee",
            400,
            {"error": "Zoom credentials are required to create a Zoom bot."},
            InstallationFault,
            "fleet_closed",
        ),
        (
            "attendee",
            400,
            {"error": "An error occurred while creating the bot. Error ID: 7"},
            TryLater,
            "fleet_busy",
        ),
        ("attendee", 400, {"error": "Deduplication key already in use."}, OutcomeUnknown, None),
        ("attendee", 400, {"meeting_url": ["?pwd=hush"]}, GiveUp, "bad_link"),
        ("meetstream", 401, {}, InstallationFault, "fleet_closed"),
        ("meetstream", 507, {}, OutcomeUnknown, "outcome_unknown"),
        ("meetingbaas", 402, {"code": "X"}, InstallationFault, "fleet_closed"),
        ("vexa", 403, {"detail": "Bot concurrency limit reached"}, TryLater, "fleet_busy"),
        ("vexa", 403, {"detail": "invalid token"}, InstallationFault, "fleet_closed"),
        (
            "vexa",
            503,
            {"detail": "No transcription backend is configured"},
            InstallationFault,
            "fleet_closed",
        ),
        ("vexa", 503, {"detail": "no capacity"}, TryLater, "fleet_busy"),
        ("vexa", 409, {"detail": "A bot is already active"}, TryLater, "room_taken"),
    ],
)
async def test_a_refusal_is_told_apart_by_what_its_fleet_says(
    name: str, status: int, body: Any, error: type[MeetbotError], code: str | None
) -> None:
    refused = await refusal(name, status, body)

    assert (type(refused), refused.code) == (error, code or refused.code)
    assert "hush" not in refused.detail


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("body", [{}, [], {"id": None, "bot_id": {}, "data": "x"}, "hello"])
async def test_a_bot_that_was_taken_without_an_id_is_asked_about(name: str, body: Any) -> None:
    assert isinstance(await refusal(name, 201, body), OutcomeUnknown)


@pytest.mark.parametrize("name", VENDORS)
async def test_a_fleet_elsewhere_is_the_operators_to_mend(name: str) -> None:
    refused = await refusal(name, 302, {}, location="https://login.example")

    assert (type(refused), refused.code) == (InstallationFault, "fleet_closed")


@pytest.mark.parametrize("name", ["recall", "attendee", "meetingbaas", "vexa"])
async def test_a_look_answered_with_a_page_says_neither_yes_nor_no(name: str) -> None:
    async with (
        listening(says(b"<html>Hello")) as end,
        open_transport(plainly()) as transport,
    ):
        with pytest.raises(TryLater):
            await client(name, transport, end.url).find(ORDER)


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("vexa", {"meetings": [{"id": 1, "status": "completed"}], "has_more": True}),
        ("meetingbaas", {"success": True, "data": [], "cursor": "bW9yZQ=="}),
    ],
)
async def test_a_fleets_bots_are_not_looked_through_without_end(name: str, page: Any) -> None:
    async with (
        listening(says(msgspec.json.encode(page))) as end,
        open_transport(plainly()) as transport,
    ):
        with pytest.raises(TryLater):
            await client(name, transport, end.url).find(ORDER)

    assert len(end.heard) == 10


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("recall", {"results": [{"id": "1", "metadata": {"meetbot_bot_id": "bot_2"}}]}),
        ("attendee", {"results": [{"id": "1", "deduplication_key": "bot_2"}, {"id": "2"}]}),
        ("meetingbaas", {"data": [{"bot_id": "1", "extra": {"meetbot_bot_id": "bot_2"}}]}),
    ],
)
async def test_a_bot_is_not_taken_for_ours_by_a_fleet_that_overlooks_what_we_asked_for(
    name: str, page: Any
) -> None:
    async with (
        listening(says(msgspec.json.encode(page))) as end,
        open_transport(plainly()) as transport,
    ):
        assert await client(name, transport, end.url).find(ORDER) is None


async def test_a_stranger_in_another_room_is_not_our_vexa_bot() -> None:
    other = {"id": 1, "status": "active", "constructed_meeting_url": f"{MEET[:-1]}x"}
    ours = {"id": 2, "status": "active", "data": {"constructed_meeting_url": f"{MEET}?authuser=1"}}
    over = {"id": 3, "status": "completed", "constructed_meeting_url": MEET}
    rows = {"meetings": [other, over, ours], "has_more": False}
    async with (
        listening(says(msgspec.json.encode(rows))) as end,
        open_transport(plainly()) as transport,
    ):
        assert await client("vexa", transport, end.url).find(ORDER) == "2"


@pytest.mark.parametrize("status", ["needs_help", "needs_human_help", "stopping"])
async def test_a_vexa_bot_is_found_and_called_back_until_its_meeting_has_ended(status: str) -> None:
    meeting = {"id": 2, "status": status, "platform": "google_meet", "native_meeting_id": "abc"}
    row = meeting | {"constructed_meeting_url": MEET}
    answer = msgspec.json.encode(meeting | {"meetings": [row], "has_more": False})
    async with listening(says(answer)) as end, open_transport(plainly()) as transport:
        fleet = client("vexa", transport, end.url)
        found = await fleet.find(ORDER)
        await fleet.recall("2")

    assert found == "2"
    assert [(heard.method, heard.target) for heard in end.heard[1:]] == [
        ("GET", "/meetings/2"),
        ("DELETE", "/bots/google_meet/abc"),
    ]


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize(("status", "error"), [(429, TryLater), (500, OutcomeUnknown)])
async def test_a_recall_that_is_not_answered_well_is_made_again(
    name: str, status: int, error: type[MeetbotError]
) -> None:
    if name == "vexa":
        error = TryLater  # it looks first whose the room is
    async with (
        listening(says(b"{}", status, {"retry-after": "9"})) as end,
        open_transport(plainly()) as transport,
    ):
        with pytest.raises(error) as raised:
            await client(name, transport, end.url).recall("1")

    assert isinstance(raised.value, TryLater)
    assert raised.value.after == timedelta(seconds=9)


def test_each_vendor_has_its_own_address_and_ours_has_none() -> None:
    assert {name: address_of(name, None) for name in [*VENDORS, "meetbot"]} == {
        "recall": "https://us-east-1.recall.ai",
        "attendee": "https://app.attendee.dev",
        "meetstream": "https://api.meetstream.ai",
        "meetingbaas": "https://api.meetingbaas.com",
        "vexa": "https://api.cloud.vexa.ai",
        "meetbot": "",
    }
    assert (
        address_of("recall", "https://eu-central-1.recall.ai") == "https://eu-central-1.recall.ai"
    )


@pytest.mark.parametrize("name", ["recall", "attendee", "meetstream"])
async def test_an_address_may_hold_the_version_already(name: str) -> None:
    answer = says(b'{"id": "1", "bot_id": "1"}', 201)
    async with listening(answer) as end, open_transport(plainly()) as transport:
        for url in (end.url, f"{end.url}/", f"{end.url}/api/v1", f"{end.url}/api/v1/"):
            await client(name, transport, url).send(ORDER)

    assert len({heard.target for heard in end.heard}) == 1
