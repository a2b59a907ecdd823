"""A series that moves or is split keeps what a person said of it and of its occurrences."""

from datetime import timedelta

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox.edits import move, split
from tests.journeys.stage import ANN, PEOPLE, Stage
from tests.journeys.test_by_hand import DAILY, DAY, EVE, HOUR, WEEKLY, at_desk

MINUTE = timedelta(minutes=1)
SOON = timedelta(minutes=6)


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
@pytest.mark.parametrize("by", [HOUR, DAY])
async def test_a_series_that_moves_takes_along_what_was_said_of_single_occurrences(
    stage: Stage, provider: Provider, email: str, by: timedelta
) -> None:
    series = stage.hold_meeting(email, "Weekly", 2 * HOUR, recurrence=f"{WEEKLY};COUNT=8")
    user_id = await stage.onboard(provider, email)
    desk = await at_desk(stage, provider, email)
    assert desk.user_id == user_id
    _, second, third, *_ = await stage.events()
    await desk.schedule(second, bot_config=EVE)
    await desk.unschedule(third)

    begin = series.start
    move(stage.world, series.id, begin + by, series.end + by)
    await stage.pass_time(SOON)

    coming = [bot for bot in await stage.bots() if bot.status == "scheduled"]
    starts = {bot.start - by for bot in coming}
    (eve,) = [bot for bot in coming if bot.source == "manual"]
    assert (eve.start - by, eve.content.bot_config) == (begin + 7 * DAY, EVE)
    assert begin + 14 * DAY not in starts
    assert len(coming) >= 3


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
@pytest.mark.parametrize("by", [HOUR, -HOUR, DAY])
async def test_a_series_that_moves_is_scheduled_as_far_as_it_was(
    stage: Stage, provider: Provider, email: str, by: timedelta
) -> None:
    series = stage.hold_meeting(email, "Weekly", 2 * HOUR, recurrence=f"{WEEKLY};COUNT=8")
    desk = await at_desk(stage, provider, email)
    begin = series.start
    first, *_ = await stage.events()
    await desk.schedule(first, all_occurrences=True, limit=6, bot_config=EVE)
    await desk.unschedule(first, from_time=begin + 35 * DAY)

    move(stage.world, series.id, begin + by, series.end + by)
    await stage.pass_time(SOON)
    scheduled = [bot for bot in await stage.bots() if bot.status == "scheduled"]
    at_once = sorted(bot.start - by for bot in scheduled)
    await stage.pass_time(14 * DAY)
    await stage.pass_time(14 * DAY)

    weeks = [begin + number * 7 * DAY for number in range(5)]
    assert at_once == weeks[: len(at_once)]
    assert len(at_once) >= 4
    kept = [bot for bot in await stage.bots() if bot.status != "cancelled"]
    assert sorted(bot.start - by for bot in kept) == weeks
    assert [bot.content.bot_config for bot in kept] == [EVE] * 5


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_a_series_that_moves_remembers_where_the_host_removed_a_bot(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.world.faults.add("fleet.reports", "fail", reason="removed_by_host")
    series = stage.hold_meeting(email, "Weekly", MINUTE, recurrence=f"{WEEKLY};COUNT=3")
    begin, end = series.start, series.end
    await stage.onboard(provider, email)
    for _ in range(3):
        await stage.pass_time(MINUTE)

    for by in (HOUR, 3 * HOUR):
        move(stage.world, series.id, begin + by, end + by)
        await stage.pass_time(SOON)

    standing = [bot for bot in await stage.bots() if bot.status != "cancelled"]
    assert sorted((bot.start, bot.status, bot.stopped_by) for bot in standing) == [
        (begin, "failed", "host"),
        (begin + 7 * DAY + 3 * HOUR, "scheduled", None),
        (begin + 14 * DAY + 3 * HOUR, "scheduled", None),
    ]


async def test_the_second_half_of_a_split_series_is_what_the_whole_was(stage: Stage) -> None:
    series = stage.hold_meeting(ANN, "Daily", 2 * HOUR, recurrence=f"{DAILY};COUNT=9")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, _, third, *_ = await stage.events()
    await desk.schedule(first, all_occurrences=True, limit=4)
    await stage.pass_time(SOON)
    await desk.unschedule(third)

    split(stage.world, series.id, "20261124T140000Z")
    await stage.pass_time(SOON)

    found = [row[0] for row in await desk.bots() if row[1] == "scheduled"]
    assert found == ["11-23 14:00", "11-24 14:00", "11-26 14:00"]


async def test_the_second_half_may_be_held_at_another_hour(stage: Stage) -> None:
    series = stage.hold_meeting(ANN, "Daily", 2 * HOUR, recurrence=f"{DAILY};COUNT=9")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, all_occurrences=True, limit=4)

    later = split(stage.world, series.id, "20261125T140000Z")
    move(stage.world, later.id, later.start + HOUR, later.end + HOUR)
    await stage.pass_time(SOON)

    found = [row[0] for row in await desk.bots() if row[1] == "scheduled"]
    assert found == ["11-23 14:00", "11-24 14:00", "11-25 15:00", "11-26 15:00"]


async def test_a_followed_series_that_is_split_is_followed_on(stage: Stage) -> None:
    series = stage.hold_meeting(ANN, "Daily", 2 * HOUR, recurrence=f"{DAILY};COUNT=9")
    desk = await at_desk(stage, Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    await desk.schedule(first, follow=True)

    split(stage.world, series.id, "20261124T140000Z")
    await stage.pass_time(SOON)
    await stage.pass_time(DAY)

    assert [row[0] for row in await desk.bots()] == ["11-23 14:00", "11-24 14:00"]
