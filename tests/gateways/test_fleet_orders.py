"""What each fleet is asked for, word by word."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from meetbot_calendar.errors import GiveUp, OutcomeUnknown, TryLater
from meetbot_calendar.gateways.fleets.choice import open_fleet
from meetbot_calendar.gateways.fleets.line import Account
from tests.gateways.fleet_stand import KEY, MEET, VENDORS, Stand, stand_of
from tests.loopback import Heard, listening, says

SETTINGS: dict[str, Any] = {
    "bot_name": "Notes",
    "bot_message": "Hello",
    "bot_image_url": "https://acme.example/bot.png",
    "automatic_leave": {"waiting_room_timeout": 600},
}
MARKS = {"meetbot_bot_id": "bot_1", "meetbot_tenant_id": "ten_1"}
OTHERS = {"automatic_leave": {"waiting_room_timeout": 600}}
ORDERED: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "recall": (
        "/recall/api/v1/bot/",
        {"authorization": f"Token {KEY}", "idempotency-key": "bot_1-1"},
        {
            "meeting_url": MEET,
            "bot_name": "Notes",
            "chat": {"on_bot_join": {"send_to": "everyone", "message": "Hello"}},
            "metadata": MARKS,
        },
    ),
    "attendee": (
        "/attendee/api/v1/bots",
        {"authorization": f"Token {KEY}"},
        {
            "meeting_url": MEET,
            "bot_name": "Notes",
            "bot_chat_message": {"to": "everyone", "message": "Hello"},
            "deduplication_key": "bot_1",
            "metadata": MARKS,
        },
    ),
    "meetstream": (
        "/meetstream/api/v1/bots/create_bot",
        {"authorization": f"Token {KEY}", "idempotency-key": "bot_1"},
        {
            "meeting_link": MEET,
            "bot_name": "Notes",
            "bot_message": "Hello",
            "bot_image_url": "https://acme.example/bot.png",
            "custom_attributes": MARKS,
        },
    ),
    "meetingbaas": (
        "/meetingbaas/v2/bots",
        {"x-meeting-baas-api-key": KEY},
        {
            "meeting_url": MEET,
            "bot_name": "Notes",
            "entry_message": "Hello",
            "bot_image": "https://acme.example/bot.png",
            "allow_multiple_bots": False,
            "extra": MARKS,
        },
    ),
    "vexa": ("/vexa/bots", {"x-api-key": KEY}, {"meeting_url": MEET, "bot_name": "Notes"}),
}
OTHERS_BODY = {"bot_name": "Notes", "meeting_url": MEET, "extra": {"meetbot_bot_id": "bot_2"}}
KEPT_WITH_A_BOT = {
    "recall": "metadata",
    "attendee": "metadata",
    "meetstream": "custom_attributes",
    "meetingbaas": "extra",
}


def asked(stand: Stand) -> Heard:
    return next(heard for heard in stand.site.heard if heard.method == "POST")


async def sent_with(name: str, config: dict[str, Any]) -> Any:
    """Return the body of an order with these settings, whatever the fleet makes of it."""
    taken = says(b'{"id": "1", "bot_id": "1", "data": {"bot_id": "1"}}', 201)
    async with listening(taken) as end, stand_of(name) as stand:
        account = Account(url=end.url, api_key=KEY, callback_secret="")
        fleet = open_fleet(name, stand.transport, account)
        await fleet.send(stand.order(bot_config=config))
    return json.loads(end.heard[0].body)


@pytest.mark.parametrize("name", VENDORS)
async def test_an_order_is_in_the_fleets_own_words_under_our_key(name: str) -> None:
    path, headers, body = ORDERED[name]
    # Attendee refuses what it does not know, so another test hands strange keys through.
    config = {key: SETTINGS[key] for key in ("bot_name", "bot_message", "bot_image_url")}

    async with stand_of(name) as stand:
        await stand.fleet.send(stand.order(bot_config=config))
        heard = asked(stand)

    assert heard.target == path
    assert headers.items() <= heard.headers.items()
    assert json.loads(heard.body) == body


@pytest.mark.parametrize("name", VENDORS)
async def test_settings_that_are_not_ours_are_handed_through(name: str) -> None:
    body = await sent_with(name, SETTINGS)

    assert body == ORDERED[name][2] | OTHERS


@pytest.mark.parametrize("name", VENDORS)
async def test_a_bot_without_settings_has_what_the_fleet_demands(name: str) -> None:
    body = await sent_with(name, {})

    demanded = {} if name in ("recall", "vexa") else {"bot_name": "Notetaker"}
    ours = {"bot_name", "bot_message", "bot_chat_message", "chat", "entry_message"}
    pictures = {"bot_image_url", "bot_image"}
    plain = {k: v for k, v in ORDERED[name][2].items() if k not in ours | pictures}
    assert body == plain | demanded


@pytest.mark.parametrize("name", VENDORS)
async def test_settings_cannot_lead_a_bot_elsewhere_or_pass_it_off_as_anothers(name: str) -> None:
    forged: dict[str, Any] = {
        "meeting_url": "https://meet.google.com/evi-levi-lev",
        "meeting_link": "https://meet.google.com/evi-levi-lev",
        "join_at": "2027-01-01T00:00:00Z",
        "deduplication_key": "bot_2",
        "allow_multiple_bots": True,
        "platform": "zoom",
        "native_meeting_id": "1234567890",
        "metadata": {"meetbot_bot_id": "bot_2", "team": "x"},
        "custom_attributes": {"meetbot_bot_id": "bot_2", "team": "x", "size": 3},
        "extra": {"meetbot_bot_id": "bot_2", "team": "x"},
    }

    body = await sent_with(name, forged)

    assert "join_at" not in body
    link = "meeting_link" if name == "meetstream" else "meeting_url"
    assert body[link] == MEET
    if where := KEPT_WITH_A_BOT.get(name):
        assert MARKS.items() | {("team", "x")} <= body[where].items()
    if name == "meetstream":  # which wants texts there
        assert body["custom_attributes"]["size"] == "3"
    own = {
        "attendee": ("deduplication_key", "bot_1"),
        "meetingbaas": ("allow_multiple_bots", False),
    }
    if name in own:
        assert body[own[name][0]] == own[name][1]
    assert name != "vexa" or not body.keys() & {"platform", "native_meeting_id"}


async def test_attendee_is_given_our_address_and_what_the_settings_name() -> None:
    async with stand_of("attendee") as stand:
        account = Account(
            url=f"{stand.site.url}/attendee",
            api_key=KEY,
            callback_secret="",
            reports_url="https://us.example/v1/fleets/attendee/reports",
        )
        hook = {"url": "https://acme.example/hook", "triggers": ["transcript.update"]}
        fleet = open_fleet("attendee", stand.transport, account)
        await fleet.send(stand.order(bot_config={"webhooks": [hook]}))
        heard = asked(stand)

    ours = {"url": account.reports_url, "triggers": ["bot.state_change"]}
    assert json.loads(heard.body)["webhooks"] == [ours, hook]


@pytest.mark.parametrize(
    "config",
    [
        {"colour": "red"},
        {"webhooks": [{"url": f"https://acme.example/{n}", "triggers": []} for n in range(3)]},
        {"webhooks": [{"url": "https://acme.example/1", "triggers": []}] * 2},
        {"webhooks": [{"url": "http://acme.example/1", "triggers": []}]},
    ],
)
async def test_attendee_refuses_settings_that_it_does_not_know_or_allow(
    config: dict[str, Any],
) -> None:
    async with stand_of("attendee") as stand:
        with pytest.raises(GiveUp) as raised:
            await stand.fleet.send(stand.order(bot_config=config))

    assert raised.value.code == "fleet_refused"


async def test_recall_keeps_a_refusal_under_its_key_so_a_new_attempt_takes_another() -> None:
    async with stand_of("recall") as stand:
        stand.trouble("full")
        for _ in range(2):  # the second time from what is kept
            with pytest.raises(TryLater):
                await stand.fleet.send(stand.order())
        sent = await stand.fleet.send(stand.order(attempt=2))

        keys = [h.headers["idempotency-key"] for h in stand.site.heard if h.method == "POST"]
        assert keys == ["bot_1-1", "bot_1-1", "bot_1-2"]
        assert [bot.id for bot in stand.made] == [sent]
        later = await stand.fleet.send(stand.order(attempt=3))
        assert await stand.fleet.find(stand.order()) == later


async def test_recall_deletes_a_bot_that_waits_to_be_started() -> None:
    async with stand_of("recall") as stand:
        sent = await stand.fleet.send(stand.order())
        stand.trouble("unstarted")
        stand.trouble("undispatched")

        await stand.fleet.recall(sent)

        assert [bot.status for bot in stand.made] == ["recalled"]
        assert stand.site.heard[-1].method == "DELETE"


async def test_recall_is_asked_again_to_call_back_a_bot_that_was_started_meanwhile() -> None:
    async with stand_of("recall") as stand:
        sent = await stand.fleet.send(stand.order())
        stand.trouble("unstarted")

        with pytest.raises(TryLater):
            await stand.fleet.recall(sent)
        await stand.fleet.recall(sent)

        assert [bot.status for bot in stand.made] == ["recalled"]


async def test_recalls_bot_that_has_ended_counts_as_called_back_though_it_is_called_unstarted() -> (
    None
):
    async with stand_of("recall") as stand:
        sent = await stand.fleet.send(stand.order())
        await stand.pass_time(10)
        await stand.pass_time(100)
        stand.trouble("unstarted")

        await stand.fleet.recall(sent)

        asked_for = [heard.method for heard in stand.site.heard][-3:]
        assert asked_for == ["POST", "DELETE", "GET"]
        assert [bot.status for bot in stand.made] == ["completed"]


async def test_attendee_frees_a_key_when_its_bot_has_ended() -> None:
    async with stand_of("attendee") as stand:
        first = await stand.fleet.send(stand.order())
        await stand.fleet.recall(first)
        second = await stand.fleet.send(stand.order())

        assert [bot.id for bot in stand.made] == [first, second]
        assert await stand.fleet.find(stand.order()) == second


async def test_meetingbaas_passes_the_lock_of_anothers_bot_and_waits_behind_one_unexplained() -> (
    None
):
    async with stand_of("meetingbaas") as stand:
        await stand.fleet.send(stand.order())
        other = stand.order(bot_id="bot_2")
        stand.made[0].ended_at = stand.now
        stand.made[0].status = "completed"
        with pytest.raises(OutcomeUnknown):  # nobody's live bot holds the link
            await stand.fleet.send(other)

        stand.made[0].status = "joined"
        await stand.fleet.send(other)

        flags = [bot.body["allow_multiple_bots"] for bot in stand.made]
        assert flags == [False, True]


async def test_meetingbaas_is_asked_again_to_call_back_a_bot_that_is_queued() -> None:
    async with stand_of("meetingbaas") as stand:
        sent = await stand.fleet.send(stand.order())
        stand.trouble("queued")

        with pytest.raises(TryLater):
            await stand.fleet.recall(sent)
        await stand.fleet.recall(sent)

        assert [bot.status for bot in stand.made] == ["recalled"]


async def test_meetingbaas_is_looked_through_page_by_page_for_our_bot() -> None:
    async with stand_of("meetingbaas") as stand:
        sent = await stand.fleet.send(stand.order())
        for number in range(300):  # as at the top of an hour
            other = msgspec.structs.replace(stand.made[0], id=f"other-{number}", body=OTHERS_BODY)
            stand.state.bots[other.id] = other

        assert await stand.fleet.find(stand.order()) == sent
        looks = [heard for heard in stand.site.heard if heard.method == "GET"]
        assert len(looks) == 2


async def test_vexas_room_is_free_again_when_the_bot_in_it_has_left() -> None:
    async with stand_of("vexa") as stand:
        first = await stand.fleet.send(stand.order())
        await stand.fleet.recall(first)
        await stand.pass_time(1)
        second = await stand.fleet.send(stand.order(bot_id="bot_2"))
        await stand.fleet.recall(first)  # late, and not of the second

        assert [bot.status for bot in stand.made] == ["recalled", "accepted"]
        assert await stand.fleet.find(stand.order()) == second


async def test_vexas_listing_is_read_to_its_end() -> None:
    async with stand_of("vexa") as stand:
        sent = await stand.fleet.send(stand.order())
        for number in range(120):
            other = msgspec.structs.replace(stand.made[0], id=str(number + 2), status="completed")
            stand.state.bots[other.id] = other

        assert await stand.fleet.find(stand.order()) == sent
        assert len([h for h in stand.site.heard if h.method == "GET"]) == 2


async def test_a_look_that_fails_says_neither_yes_nor_no() -> None:
    async with listening(says(b"", 503, {"retry-after": "7"})) as end:
        for name in VENDORS:
            async with stand_of(name) as stand:
                account = Account(url=end.url, api_key=KEY, callback_secret="")
                fleet = open_fleet(name, stand.transport, account)
                with pytest.raises(TryLater) as raised:
                    await fleet.find(stand.order())
            assert raised.value.after == timedelta(seconds=7)
