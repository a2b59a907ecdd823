"""What every fleet must do behind the one port, each against its own wire format."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from meetbot_calendar.errors import (
    GiveUp,
    InstallationFault,
    MeetbotError,
    Missing,
    OutcomeUnknown,
    TryLater,
)
from meetbot_calendar.gateways.fleets.choice import open_fleet
from meetbot_calendar.gateways.fleets.line import Account
from tests.gateways.fleet_stand import FLEETS, KEY, MEET, VENDORS, Stand, stand_of

SENDS_TO_FIND = {"meetbot", "meetstream"}


@pytest.fixture(params=FLEETS)
async def each(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    async with stand_of(request.param) as stand:
        yield stand


@pytest.fixture(params=VENDORS)
async def vendor(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    async with stand_of(request.param) as stand:
        yield stand


async def refusal(stand: Stand, **changes: object) -> MeetbotError:
    with pytest.raises(MeetbotError) as raised:
        await stand.fleet.send(stand.order(**changes))
    return raised.value


async def test_a_bot_is_sent_at_once_even_to_what_has_begun(each: Stand) -> None:
    sent = await each.fleet.send(each.order())

    assert [bot.id for bot in each.made] == [sent]
    assert each.made[0].step_at == each.now + timedelta(seconds=3)
    assert each.state.refused == []


async def test_an_order_whose_answer_was_lost_is_found_and_is_one_bot(each: Stand) -> None:
    each.trouble("lose_answer")

    lost = await refusal(each)
    found = await each.fleet.find(each.order())

    assert isinstance(lost, OutcomeUnknown)
    assert [found] == [bot.id for bot in each.made]


async def test_the_same_order_sent_again_never_makes_a_second_bot(each: Stand) -> None:
    sent = await each.fleet.send(each.order())

    try:
        assert await each.fleet.send(each.order()) == sent
    except (OutcomeUnknown, TryLater):
        assert each.name in ("attendee", "vexa")  # say no more than that there is one
    assert await each.fleet.find(each.order()) == sent
    assert len(each.made) == 1


async def test_an_order_that_never_arrived_is_not_found(each: Stand) -> None:
    await each.fleet.send(each.order(bot_id="bot_2", key="bot_2", meeting_url=f"{MEET[:-1]}k"))

    found = await each.fleet.find(each.order())

    is_new = found is not None and found != each.made[0].id
    assert is_new if each.name in SENDS_TO_FIND else found is None


async def test_two_bots_of_ours_may_be_in_one_meeting_where_the_fleet_lets_them(
    each: Stand,
) -> None:
    first = await each.fleet.send(each.order())

    if each.name == "vexa":
        taken = await refusal(each, bot_id="bot_2", key="bot_2", tenant_id="ten_2")
        assert (type(taken), taken.code) == (TryLater, "room_taken")
        return
    second = await each.fleet.send(each.order(bot_id="bot_2", key="bot_2", tenant_id="ten_2"))
    assert [bot.id for bot in each.made] == [first, second]
    assert await each.fleet.find(each.order()) == first


@pytest.mark.parametrize("kind", ["full", "throttled"])
async def test_a_fleet_without_room_is_tried_later(each: Stand, kind: str) -> None:
    each.trouble(kind)

    refused = await refusal(each)
    sent = await each.fleet.send(each.order(attempt=2))

    assert (type(refused), refused.code) == (TryLater, "fleet_busy")
    assert [bot.id for bot in each.made] == [sent]


@pytest.mark.parametrize(
    ("name", "kind", "seconds"),
    [
        ("meetbot", "full", 30),
        ("recall", "full", 30),
        ("recall", "throttled", 20),
        ("attendee", "throttled", 20),
        ("meetstream", "full", 30),
        ("meetingbaas", "throttled", 20),
        ("vexa", "throttled", 20),
    ],
)
async def test_a_fleets_own_wait_is_kept(name: str, kind: str, seconds: int) -> None:
    async with stand_of(name) as stand:
        stand.trouble(kind)
        refused = await refusal(stand)

    assert isinstance(refused, TryLater)
    assert refused.after == timedelta(seconds=seconds)


CODES = {"meetingbaas": "fst_err_invalid_meeting_platform", "vexa": "fleet_refused"}


async def test_a_bad_link_is_given_up_and_told(each: Stand) -> None:
    each.trouble("bad_link")

    refused = await refusal(each, meeting_url=f"{MEET}?pwd=hush")

    assert (type(refused), refused.code) == (GiveUp, CODES.get(each.name, "bad_link"))
    assert "hush" not in f"{refused} {refused.detail}"
    assert each.made == []


async def test_a_key_that_is_refused_is_the_operators_to_mend(each: Stand) -> None:
    each.trouble("unauthorized")

    refused = await refusal(each)

    assert (type(refused), refused.code) == (InstallationFault, "fleet_closed")
    assert KEY not in f"{refused} {refused.detail}"


async def test_an_account_without_means_is_the_operators_to_mend(vendor: Stand) -> None:
    vendor.trouble("unpaid")

    refused = await refusal(vendor)

    assert (type(refused), refused.code) == (InstallationFault, "fleet_closed")


async def test_a_fleet_that_broke_leaves_the_outcome_unknown(vendor: Stand) -> None:
    vendor.trouble("broken")

    refused = await refusal(vendor)
    found = await vendor.fleet.find(vendor.order())

    assert isinstance(refused, OutcomeUnknown)
    assert (found is not None) == (vendor.name in SENDS_TO_FIND)


async def test_without_our_key_nothing_is_sent_looked_up_or_believed(each: Stand) -> None:
    account = Account(url=f"{each.site.url}/{each.end}", api_key="", callback_secret="")
    keyless = open_fleet(each.name, each.transport, account)
    read = keyless.read_report if each.name == "meetbot" else keyless.read_notice

    for asked in (keyless.send(each.order()), keyless.find(each.order()), keyless.ask("1")):
        with pytest.raises(InstallationFault):
            await asked
    with pytest.raises(InstallationFault):
        read({"webhook-id": "a", "webhook-timestamp": "1"}, b"{}", each.now)
    assert each.made == []


async def test_a_bot_is_recalled_before_it_joins_and_as_often_as_one_likes(each: Stand) -> None:
    sent = await each.fleet.send(each.order())

    await each.fleet.recall(sent)
    await each.fleet.recall(sent)

    assert [bot.status for bot in each.made] == ["recalled"]


async def test_a_bot_is_recalled_from_its_meeting(each: Stand) -> None:
    sent = await each.fleet.send(each.order())
    await each.pass_time(10)
    before = each.made[0].status

    await each.fleet.recall(sent)

    assert (before, each.made[0].status) == ("joined", "recalled")


async def test_recalling_what_is_over_or_was_never_there_is_fine(each: Stand) -> None:
    sent = await each.fleet.send(each.order())
    await each.pass_time(10)
    await each.pass_time(100)

    await each.fleet.recall(sent)
    await each.fleet.recall("999999")

    assert [bot.status for bot in each.made] == ["completed"]


async def test_a_recall_that_is_refused_for_our_key_says_so(each: Stand) -> None:
    sent = await each.fleet.send(each.order())
    each.state.config = msgspec.structs.replace(each.state.config, api_key="another")

    with pytest.raises(InstallationFault):
        await each.fleet.recall(sent)


LINKS = {
    "recall": "https://media.recall.example/{}.mp4?signed",
    "attendee": "https://media.attendee.example/{}.mp4",
    "meetstream": "https://media.meetstream.example/{}.mp4",
    "meetingbaas": "https://media.meetingbaas.example/{}/video.mp4",
    "vexa": None,  # only with our key
}


async def test_a_bot_that_fell_silent_is_asked_about(each: Stand) -> None:
    each.site.world.faults.add(f"{each.end}.reports", "drop", times=-1)
    sent = await each.fleet.send(each.order())

    before = await each.fleet.ask(sent)
    await each.pass_time(10)
    inside = await each.fleet.ask(sent)
    await each.pass_time(100)
    after = await each.fleet.ask(sent)

    assert before is None
    assert inside is not None
    assert after is not None
    assert (inside.kind, after.kind, after.duration_seconds) == ("joined", "completed", 60.0)
    link = LINKS.get(each.name, f"{each.site.url}/fleet/recordings/{{}}.mp4")
    assert after.recording_url == (link.format(sent) if link else None)
    assert each.us.heard == []
    assert await each.fleet.ask("999999") is None


async def test_a_bot_that_was_not_let_in_is_told_when_asked_about(each: Stand) -> None:
    each.trouble("fail", "reports", reason="removed_by_host")
    sent = await each.fleet.send(each.order())
    await each.pass_time(10)

    told = await each.fleet.ask(sent)

    assert told is not None
    assert told.kind == "failed"
    assert told.reason in ("removed_by_host", "denied_by_host")


async def test_each_fleet_has_one_door_for_its_reports(each: Stand) -> None:
    doors = [each.fleet.read_report, each.fleet.read_notice]
    other = doors[1 if each.name == "meetbot" else 0]

    with pytest.raises(Missing):
        other({}, b"{}", each.now)


def test_an_account_shows_neither_its_key_nor_its_secret() -> None:
    account = Account(url="https://x.example", api_key="key-1", callback_secret="secret-1")

    assert repr(account) == "Account(https://x.example)"
