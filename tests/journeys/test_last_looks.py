"""A calendar is read again just before its bots leave, however long the polling interval is."""

from datetime import timedelta

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import rule_sets
from meetbot_calendar.sandbox import edits
from tests.journeys.stage import ANN, EVERYTHING, PEOPLE, Stage
from tests.journeys.trouble import silence

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


def hourly(stage: Stage) -> Stage:
    """Return a house that polls hourly."""
    house = msgspec.structs.replace(stage.services.house, poll_interval=HOUR)
    services = msgspec.structs.replace(stage.services, house=house)
    return msgspec.structs.replace(stage, services=services)


async def pass_minutes(stage: Stage, number: int) -> None:
    for _ in range(number):
        await stage.pass_time(MINUTE)


@both
async def test_a_bot_that_was_planned_after_the_sync_has_its_calendar_read_before_it_leaves(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage = hourly(stage)
    held = stage.hold_meeting(email, "Soon", timedelta(minutes=20))
    await stage.onboard(provider, email)
    silence(stage)
    await pass_minutes(stage, 12)

    edits.cancel(stage.world, held.id)
    await pass_minutes(stage, 7)

    assert [bot.status for bot in await stage.bots()] == ["cancelled"]


async def test_each_of_several_bots_has_its_own_last_look(stage: Stage) -> None:
    stage = hourly(stage)
    for after in (20, 23, 41):
        stage.hold_meeting(ANN, f"In {after}", after * MINUTE, lasts=5 * MINUTE)
    await stage.onboard(Provider.GOOGLE, ANN)
    silence(stage)
    await pass_minutes(stage, 34)

    for meeting in list(stage.world.state.meetings.values()):
        if meeting.title == "In 41":
            edits.cancel(stage.world, meeting.id)
    await pass_minutes(stage, 7)

    ended = sorted(bot.status for bot in await stage.bots())
    assert ended == ["cancelled", "completed", "completed"]


async def test_rules_that_want_a_bot_soon_have_a_stale_calendar_read_first(
    stage: Stage,
) -> None:
    stage = hourly(stage)
    held = stage.hold_meeting(ANN, "Soon", timedelta(minutes=40))
    connected = await stage.connect(Provider.GOOGLE, ANN)
    none = {"default": "skip", "rules": []}
    await rule_sets.save_rules(stage.services, stage.context, connected.user_id, none)
    await stage.settle()
    silence(stage)
    await pass_minutes(stage, 36)
    edits.cancel(stage.world, held.id)

    await rule_sets.save_rules(stage.services, stage.context, connected.user_id, EVERYTHING)
    await pass_minutes(stage, 2)

    assert [bot.status for bot in await stage.bots()] == ["cancelled"]
