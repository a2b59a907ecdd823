"""The main job with fleets of other makes: sent, reported on in their way, and told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import finding, policy, steer
from tests.gateways.fleet_stand import VENDORS, posted
from tests.journeys.stage import ANN, Stage, set_stage

MINUTE = timedelta(minutes=1)
ALL = ["bot.scheduled", "bot.dispatched", "bot.joined", "bot.completed"]
LINKS = {
    "recall": "https://media.recall.example/{}.mp4?signed",
    "attendee": "https://media.attendee.example/{}.mp4",
    "meetstream": "https://media.meetstream.example/{}.mp4",
    "meetingbaas": "https://media.meetingbaas.example/{}/video.mp4",
}


@pytest.fixture(params=VENDORS)
async def stage(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    async with set_stage(database_url, tmp_path, fleet=request.param) as found:
        yield found


async def left(stage: Stage) -> None:
    """Send a bot that joins at once and records for a minute."""
    stage.hold_meeting(ANN, "Weekly", timedelta(seconds=90))
    await stage.onboard(Provider.GOOGLE, ANN)


async def run(stage: Stage) -> None:
    """Let the bot join, record and end."""
    for _ in range(3):
        await stage.pass_time(MINUTE)


async def test_a_bot_is_sent_reported_on_and_told_of_once_with_what_it_brought(
    stage: Stage,
) -> None:
    for distortion in ("forged", "repeat", "out_of_order"):
        stage.world.faults.add(f"{stage.fleet_end}.reports", distortion)
    await left(stage)

    await run(stage)

    (bot,) = await stage.bots()
    (made,) = stage.fleet.bots.values()
    assert await stage.told_of_bots() == ALL
    assert (bot.status, bot.fleet_bot_id, bot.duration_seconds) == ("completed", made.id, 60.0)
    link = LINKS.get(stage.fleet_end)
    assert bot.content.recording_url == (link.format(made.id) if link else None)
    answers = [answer for report in made.reports for answer in report.answers]
    assert set(answers) == {204, 401}  # what was forged was refused


async def test_the_settings_of_a_bot_are_those_of_the_moment_it_leaves(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", 2 * MINUTE)
    await stage.onboard(Provider.GOOGLE, ANN)
    layers = {"bot_name": "Acme Notes", "recording_settings": {"format": "mp4"}}
    await policy.change_own(stage.services, stage.context, {"default_bot_config": layers})

    await stage.pass_time(MINUTE)

    (made,) = stage.fleet.bots.values()
    assert layers.items() <= made.body.items()
    assert "Weekly" not in f"{made.body}"


async def test_a_bot_whose_answer_was_lost_is_asked_about_and_is_one(stage: Stage) -> None:
    stage.world.faults.add(f"{stage.fleet_end}.bots", "lose_answer")
    await left(stage)

    await run(stage)
    await run(stage)

    (bot,) = await stage.bots()
    assert [made.id for made in stage.fleet.bots.values()] == [bot.fleet_bot_id]
    # Vexa's reports name no bot of ours, so one that comes before its number is known is lost.
    unheard = {"bot.joined"} if stage.fleet_end == "vexa" else set()
    assert await stage.told_of_bots() == [kind for kind in ALL if kind not in unheard]


async def test_a_bot_that_a_person_cancels_is_called_back_and_its_end_changes_nothing(
    stage: Stage,
) -> None:
    await left(stage)
    await stage.pass_time(MINUTE)
    (bot,) = await stage.bots()

    await steer.cancel_bot(stage.services, stage.context, bot.id)
    await stage.settle()
    await run(stage)

    (after,) = await stage.bots()
    assert (after.status, after.stopped_by) == ("cancelled", "person")
    assert [made.status for made in stage.fleet.bots.values()] == ["recalled"]
    assert await stage.told_of_bots() == [*ALL[:3], "bot.cancelled"]


async def test_what_a_cancelled_bot_recorded_is_fetched_though_its_recall_came_too_late(
    stage: Stage,
) -> None:
    await left(stage)
    stage.world.faults.add(f"{stage.fleet_end}.bots", "503", times=-1)
    await stage.pass_time(MINUTE)
    (bot,) = await stage.bots()

    await steer.cancel_bot(stage.services, stage.context, bot.id)
    await run(stage)

    (after,) = await stage.bots()
    (made,) = stage.fleet.bots.values()
    link = LINKS.get(stage.fleet_end)
    assert (after.status, after.stopped_by, after.duration_seconds) == ("cancelled", "person", 60.0)
    assert after.content.recording_url == (link.format(made.id) if link else None)
    assert await stage.told_of_bots() == [*ALL[:3], "bot.cancelled"]


async def test_a_bot_that_the_host_would_not_let_in_is_remembered_as_such(stage: Stage) -> None:
    stage.world.faults.add(f"{stage.fleet_end}.reports", "fail", reason="removed_by_host")
    await left(stage)

    await run(stage)

    (bot,) = await stage.bots()
    assert (bot.status, bot.stopped_by) == ("failed", "host")


def failure_of(name: str, mark: str, now: str) -> Any:
    """Return what a fleet says of a bot of its own number x (999) that failed, under a mark."""
    marks = {"meetbot_bot_id": mark}
    return {
        "recall": {"event": "bot.fatal", "data": {"bot": {"id": "x", "metadata": marks}}},
        "attendee": {
            "trigger": "bot.state_change",
            "bot_id": "x",
            "bot_metadata": marks,
            "data": {"new_state": "fatal_error", "created_at": now},
        },
        "meetstream": {
            "event": "bot.stopped",
            "bot_event": "bot.failed",
            "bot_id": "x",
            "custom_attributes": marks,
        },
        "meetingbaas": {"event": "bot.failed", "data": {"bot_id": "x"}, "extra": marks},
        "vexa": {"data": {"meeting": {"id": 999, "status": "failed"}}},
    }[name]


async def test_news_of_a_bot_that_is_not_the_one_we_sent_is_passed_over(stage: Stage) -> None:
    await left(stage)
    (bot,) = await stage.bots()

    statuses = []
    for mark in ("bot_of_another_installation", bot.id):
        said = failure_of(stage.fleet_end, mark, stage.now.isoformat())
        heard = posted(stage.fleet_end, said, stage.now)
        url = f"{stage.product_url}/v1/fleets/{stage.fleet_end}/reports"
        answer = await stage.transport.request(
            "POST", url, headers=heard.headers, content=heard.body
        )
        statuses.append(answer.status)

    assert statuses == [204, 204]
    assert await stage.told_of_bots() == ALL[:2]


async def test_another_fleets_reports_have_no_door_here(stage: Stage) -> None:
    url = f"{stage.product_url}/v1/fleets/meetbot/reports"

    answer = await stage.transport.request("POST", url, content=b"{}")

    assert answer.status == 404


async def test_a_bot_that_another_of_ours_sent_into_the_room_is_not_taken_for_it(
    stage: Stage,
) -> None:
    await left(stage)
    (bot,) = await stage.bots()
    (made,) = stage.fleet.bots.values()
    assert bot.content.order is not None
    another = msgspec.structs.replace(bot.content.order, bot_id="bot_2", key="bot_2")

    assert await finding.find(stage.services, bot.content.order) == made.id
    assert await finding.find(stage.services, another) != made.id
