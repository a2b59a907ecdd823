"""The client and the simulated fleet, each held to the other's reading of the contract."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from meetbot_calendar.bots.fleet import Fleet, Order, Report
from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import (
    GiveUp,
    InstallationFault,
    MeetbotError,
    OutcomeUnknown,
    Tampered,
    TryLater,
)
from meetbot_calendar.gateways.fleets.meetbot import MeetbotFleet
from meetbot_calendar.gateways.transport import Transport, open_transport
from meetbot_calendar.sandbox.fleet_bots import FleetConfig
from tests.gateways.far_ends import NOW, Site, standing
from tests.loopback import listening, says

CONFIG = FleetConfig()
ORDER = Order(
    key="bot_1",
    bot_id="bot_1",
    tenant_id="ten_1",
    meeting_url="https://zoom.us/j/1",
    platform="zoom",
    join_at=NOW + timedelta(minutes=1),
    bot_config={"bot_name": "Notes"},
    metadata={"event_id": "evt_1"},
    callback_url="http://127.0.0.1:1/v1/bots/bot_1/status",
)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with open_transport() as opened:
        yield opened


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with standing(Provider.GOOGLE) as opened:
        yield opened


@pytest.fixture
def fleet(transport: Transport, site: Site) -> Fleet:
    return MeetbotFleet(
        transport,
        url=f"{site.url}/fleet",
        api_key=CONFIG.api_key,
        callback_secret=CONFIG.callback_secret,
    )


async def test_an_order_sent_twice_is_one_bot(fleet: Fleet) -> None:
    sent = await fleet.send(ORDER)

    assert await fleet.find(ORDER) == sent
    assert await fleet.send(msgspec.structs.replace(ORDER, key="bot_2")) != sent


async def test_another_order_under_the_same_key_is_refused_for_good(fleet: Fleet) -> None:
    await fleet.send(ORDER)

    with pytest.raises(GiveUp) as raised:
        await fleet.send(msgspec.structs.replace(ORDER, meeting_url="https://zoom.us/j/2"))

    assert raised.value.code == "idempotency_conflict"


async def test_a_lost_answer_is_found_to_have_been_an_order(fleet: Fleet, site: Site) -> None:
    site.world.faults.add("fleet.bots", "lose_answer")

    with pytest.raises(OutcomeUnknown):
        await fleet.send(ORDER)

    assert await fleet.find(ORDER) == "fb_000001"


@pytest.mark.parametrize(
    ("trouble", "error", "code"),
    [
        ("503", TryLater, "fleet_busy"),
        ("507", TryLater, "fleet_busy"),
        ("429", TryLater, "fleet_busy"),
        ("bad_link", GiveUp, "bad_link"),
        ("unauthorized", InstallationFault, "fleet_closed"),
    ],
)
async def test_the_fleets_troubles_say_what_to_do_about_them(
    fleet: Fleet, site: Site, trouble: str, error: type[MeetbotError], code: str
) -> None:
    site.world.faults.add("fleet.bots", trouble)

    with pytest.raises(MeetbotError) as raised:
        await fleet.send(ORDER)

    assert (type(raised.value), raised.value.code) == (error, code)
    assert await fleet.send(ORDER) == "fb_000001"


async def test_a_full_fleet_names_its_wait(fleet: Fleet, site: Site) -> None:
    site.world.faults.add("fleet.bots", "507")

    with pytest.raises(TryLater) as raised:
        await fleet.send(ORDER)

    assert raised.value.after == timedelta(seconds=30)


async def test_without_our_key_only_the_operator_can_help(transport: Transport, site: Site) -> None:
    fleet = MeetbotFleet(transport, url=f"{site.url}/fleet", api_key="", callback_secret="")

    with pytest.raises(InstallationFault):
        await fleet.send(ORDER)
    with pytest.raises(InstallationFault):
        fleet.read_report({"webhook-id": "a", "webhook-timestamp": "1"}, b"{}", NOW)


async def test_a_bot_is_recalled_however_often_and_an_unknown_one_is_fine(fleet: Fleet) -> None:
    sent = await fleet.send(ORDER)

    await fleet.recall(sent)
    await fleet.recall(sent)
    await fleet.recall("fb_999999")


async def test_reports_are_signed_as_we_verify_and_forged_ones_are_not(
    fleet: Fleet, transport: Transport, site: Site
) -> None:
    async with listening(says(b"", 204)) as us:
        order = msgspec.structs.replace(ORDER, callback_url=f"{us.url}/v1/bots/bot_1/status")
        site.world.faults.add("fleet.reports", "forged")
        await fleet.send(order)
        for _ in range(2):
            site.world.clock.advance(timedelta(seconds=70))
            await transport.request("POST", f"{site.url}/sandbox/fleet/run")

    now = site.world.clock.now()
    forged, *true = us.heard
    with pytest.raises(Tampered):
        fleet.read_report(forged.headers, forged.body, now)
    read = [fleet.read_report(heard.headers, heard.body, now) for heard in true]
    assert [report.kind for report in read] == ["joined", "completed"]
    signed = true[0].headers["webhook-id"]
    assert read[0] == Report(kind="joined", at=NOW + timedelta(seconds=63), message_id=signed)
    assert read[1].duration_seconds == 60.0
    assert read[1].recording_url is not None


async def test_a_bot_that_fell_silent_is_asked_about(
    fleet: Fleet, transport: Transport, site: Site
) -> None:
    site.world.faults.add("fleet.reports", "drop", times=-1)
    sent = await fleet.send(ORDER)
    told = [await fleet.ask(sent)]

    for seconds in (70, 70):
        site.world.clock.advance(timedelta(seconds=seconds))
        await transport.request("POST", f"{site.url}/sandbox/fleet/run")
        told.append(await fleet.ask(sent))

    waiting, joined, completed = told
    assert (waiting, await fleet.ask("fb_999999")) == (None, None)
    assert joined == Report(kind="joined", at=NOW + timedelta(seconds=63))
    assert completed is not None
    assert (completed.kind, completed.duration_seconds) == ("completed", 60.0)
