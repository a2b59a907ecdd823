"""What the fleet reports, once and for all, however it arrives."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from meetbot_calendar.bots.fleet import Report
from meetbot_calendar.bots.model import BotId
from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import Invalid, Missing, Tampered
from meetbot_calendar.journeys import complete, decide, erase, recall, steer
from meetbot_calendar.sandbox.fleet_bots import FleetConfig
from meetbot_calendar.storage import bots, usage
from tests.journeys.stage import ANN, Stage
from tests.journeys.trouble import Meanwhile

HOUR = timedelta(hours=1)
SOON = timedelta(seconds=60)
ALL = ["bot.scheduled", "bot.dispatched", "bot.joined", "bot.completed"]


async def left(stage: Stage) -> BotId:
    """Send a bot; it joins in a minute and a half and records for a minute."""
    stage.hold_meeting(ANN, "Weekly", timedelta(seconds=90))
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()
    return bot.id


async def run(stage: Stage) -> None:
    """Let the bot join, record and end."""
    for _ in range(4):
        await stage.pass_time(SOON)


async def report(stage: Stage, bot_id: BotId, kind: str, **data: Any) -> None:
    """Report as the fleet would, with its signature."""
    body = msgspec.json.encode(
        {"type": kind, "timestamp": stage.now.isoformat().replace("+00:00", "Z"), "data": data}
    )
    signature = Webhook(FleetConfig().callback_secret).sign("msg_1", stage.now, body.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(stage.now.timestamp())),
        "webhook-signature": signature,
    }
    await complete.take_report(stage.services, bot_id, headers, body)


async def test_a_bot_that_joined_and_recorded_is_told_of(stage: Stage) -> None:
    await left(stage)

    await run(stage)

    (bot,) = await stage.bots()
    (_, data) = (await stage.told())[-1]
    assert await stage.told_of_bots() == ALL
    assert (bot.status, bot.duration_seconds, bot.content.report_reason) == ("completed", 60, None)
    assert data["recording_url"] == bot.content.recording_url
    assert data["transcript_url"] == bot.content.transcript_url
    assert (data["status"], data["duration_seconds"], "reason" in data) == ("completed", 60, False)


@pytest.mark.parametrize("distortion", ["repeat", "out_of_order", "contradict"])
async def test_reports_that_come_twice_late_or_out_of_order_change_nothing(
    stage: Stage, distortion: str
) -> None:
    stage.world.faults.add("fleet.reports", distortion, times=-1)
    await left(stage)

    await run(stage)

    (bot,) = await stage.bots()
    assert (bot.status, await stage.told_of_bots()) == ("completed", ALL)
    assert bot.stopped_by is None


async def test_an_end_without_a_beginning_is_an_end(stage: Stage) -> None:
    stage.world.faults.add("fleet.reports", "drop")
    await left(stage)

    await run(stage)

    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched", "bot.completed"]


async def test_a_bot_that_failed_says_why_and_no_other_is_sent(stage: Stage) -> None:
    stage.world.faults.add("fleet.reports", "fail", reason="waiting_room_timeout")
    await left(stage)

    await run(stage)
    (bot,) = await stage.bots()
    await decide.redecide(stage.services, stage.context, bot.user_ids[0])

    (_, data) = (await stage.told())[-1]
    assert (data["status"], data["reason"]) == ("failed", "waiting_room_timeout")
    assert [(bot.status, bot.stopped_by) for bot in await stage.bots()] == [("failed", None)]


async def test_a_bot_that_the_host_removed_is_remembered_as_such(stage: Stage) -> None:
    stage.world.faults.add("fleet.reports", "fail", reason="removed_by_host")
    await left(stage)

    await run(stage)

    (bot,) = await stage.bots()
    assert (bot.status, bot.stopped_by) == ("failed", "host")


async def test_a_forged_report_is_refused(stage: Stage) -> None:
    bot_id = await left(stage)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(stage.now.timestamp())),
        "webhook-signature": "v1,Zm9yZ2Vk",
    }

    with pytest.raises(Tampered):
        await complete.take_report(stage.services, bot_id, headers, b"{}")

    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched"]


async def test_a_genuine_report_of_an_unknown_bot_is_missing(stage: Stage) -> None:
    await left(stage)

    with pytest.raises(Missing):
        await report(stage, BotId("bot_unknown"), "bot.joined")


async def test_a_genuine_report_that_makes_no_sense_is_invalid(stage: Stage) -> None:
    bot_id = await left(stage)

    with pytest.raises(Invalid):
        await report(stage, bot_id, "bot.exploded")


async def test_a_report_of_a_bot_that_never_left_changes_nothing(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()

    await report(stage, bot.id, "bot.joined")

    (after,) = await stage.bots()
    assert (after.status, await stage.told_of_bots()) == ("scheduled", ["bot.scheduled"])


async def test_a_report_after_a_person_cancelled_changes_nothing(stage: Stage) -> None:
    bot_id = await left(stage)
    await steer.cancel_bot(stage.services, stage.context, bot_id)

    await report(stage, bot_id, "bot.completed", duration_seconds=5.0)

    (bot,) = await stage.bots()
    assert (bot.status, bot.stopped_by) == ("cancelled", "person")


async def given_up(stage: Stage, **values: Any) -> BotId:
    """Have a person cancel a bot that is out, and its recall find nothing, or what is said here."""
    bot_id = await left(stage)
    await steer.cancel_bot(stage.services, stage.context, bot_id)
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await bots.record(session, bot_id, {"due_at": None} | values, stage.now)
    return bot_id


async def test_a_cancelled_bot_that_joins_all_the_same_is_called_back(stage: Stage) -> None:
    await given_up(stage)

    await run(stage)

    (bot,) = await stage.bots()
    assert [each.status for each in stage.fleet.bots.values()] == ["recalled"]
    assert (bot.status, await stage.told_of_bots()) == (
        "cancelled",
        ["bot.scheduled", "bot.dispatched", "bot.cancelled"],
    )


async def test_a_cancelled_bot_that_joins_is_called_back_under_the_name_it_is_reported_by(
    stage: Stage,
) -> None:
    bot_id = await given_up(stage, fleet_bot_id=None)
    joined = Report(kind="joined", at=stage.now)

    news = await complete.record(
        stage.services, stage.context.tenant_id, bot_id, joined, "fb_000001"
    )
    (found,) = await stage.look("select recall_fleet_bot_id, due_at from bots")
    await stage.settle()

    assert (news, found) == (True, ("fb_000001", stage.now))
    assert [each.status for each in stage.fleet.bots.values()] == ["recalled"]
    assert await stage.look("select recall_fleet_bot_id, due_at from bots") == [(None, None)]


async def test_a_cancelled_bot_that_never_left_is_not_called_back(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()
    await steer.cancel_bot(stage.services, stage.context, bot.id)

    await report(stage, bot.id, "bot.joined")

    assert await stage.look("select due_at from bots") == [None]


async def test_a_bot_that_is_named_during_a_recall_is_called_back_as_well(stage: Stage) -> None:
    bot_id = await given_up(stage)

    async def answer() -> None:
        async with stage.services.database.tenant(stage.context.tenant_id) as session:
            named = {"recall_fleet_bot_id": "fb_late", "due_at": stage.now}
            await bots.record(session, bot_id, named, stage.now)

    fleet: Any = Meanwhile(stage.services.fleet, "recall", answer)
    talking = msgspec.structs.replace(stage.services, fleet=fleet)
    (bot,) = await stage.bots()

    await recall.recall(talking, bot)

    found = await stage.look("select recall_fleet_bot_id, due_at from bots")
    assert found == [("fb_late", stage.now)]


async def test_what_a_bot_recorded_until_a_person_stopped_it_is_kept_once(stage: Stage) -> None:
    bot_id = await left(stage)
    stage.fleet.config.recording_seconds = 1800.0
    await run(stage)
    (joined,) = await stage.bots()
    await steer.cancel_bot(stage.services, stage.context, bot_id)
    data = {"recording_url": "https://f/r", "transcript_url": "https://f/t"}

    await report(stage, bot_id, "bot.completed", duration_seconds=5.0, **data)
    await report(stage, bot_id, "bot.completed", duration_seconds=9.0, recording_url="https://f/x")

    (bot,) = await stage.bots()
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        used = await usage.in_all(session, stage.now - HOUR, stage.now + HOUR)
    assert (joined.status, bot.status, bot.stopped_by) == ("joined", "cancelled", "person")
    assert (bot.content.recording_url, bot.content.transcript_url, bot.duration_seconds) == (
        "https://f/r",
        "https://f/t",
        5.0,
    )
    assert (used.bots, used.recorded_seconds) == ({"cancelled": 1}, 5.0)
    assert (await stage.told_of_bots())[-1] == "bot.cancelled"


async def test_nothing_is_kept_of_what_a_bot_brings_from_people_who_were_erased(
    stage: Stage,
) -> None:
    bot_id = await left(stage)
    (bot,) = await stage.bots()
    await erase.erase_user(stage.services, stage.context, bot.user_ids[0])

    await report(stage, bot_id, "bot.completed", recording_url="https://f/r", duration_seconds=5.0)

    (bot,) = await stage.bots()
    assert (bot.reason, bot.content.recording_url, bot.duration_seconds) == ("erased", None, None)


@pytest.mark.parametrize(
    "reason",
    [
        "removed_by_host",
        "Host_Removed",
        "EVICTED",
        "ejected",
        "bot_removed",
        "removed_from_meeting",
        "kicked",
    ],
)
async def test_a_bot_that_the_host_removed_while_it_recorded_is_remembered_as_such(
    stage: Stage, reason: str
) -> None:
    bot_id = await left(stage)

    await report(stage, bot_id, "bot.completed", reason=reason)

    (bot,) = await stage.bots()
    assert (bot.status, bot.stopped_by, bot.content.report_reason) == ("completed", "host", reason)


@pytest.mark.parametrize(("data", "seconds"), [({}, 300.0), ({"duration_seconds": 7.0}, 7.0)])
async def test_a_bot_that_does_not_say_how_long_it_recorded_did_so_since_it_joined(
    stage: Stage, data: dict[str, float], seconds: float
) -> None:
    stage.fleet.config.recording_seconds = 1800.0
    bot_id = await left(stage)
    await report(stage, bot_id, "bot.joined")
    stage.world.clock.advance(timedelta(minutes=5))

    await report(stage, bot_id, "bot.completed", **data)

    (bot,) = await stage.bots()
    assert (bot.status, bot.duration_seconds) == ("completed", seconds)
