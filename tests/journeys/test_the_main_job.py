"""Calendar in, bots out, for both providers: every journey once, in order."""

from datetime import timedelta

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox.meetings import Guest
from tests.journeys.stage import MEET, PEOPLE, Stage


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_a_meeting_is_recorded_and_the_tenant_is_told(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.listen()
    start = stage.now + timedelta(minutes=30)
    stage.world.add_meeting(
        email, "Kick-off", start, start + timedelta(minutes=30),
        attendees=[Guest(email="dana@customer.example", response="accepted")], link=MEET,
    )  # fmt: skip

    connected = await stage.connect(provider, email)
    await stage.record_everything(connected.user_id)
    await stage.settle()
    await stage.pass_time(timedelta(minutes=28, seconds=29))
    before = list(stage.ordered)
    await stage.pass_time(timedelta(seconds=1))
    await stage.pass_time(timedelta(seconds=90))
    await stage.pass_time(timedelta(minutes=31))

    assert connected.error_code is None
    assert before == []
    assert [order["meeting_url"] for order in stage.ordered] == [MEET]
    assert [(m.type, m.verified) for m in stage.received if m.type.startswith("bot.")] == [
        ("bot.scheduled", True),
        ("bot.dispatched", True),
        ("bot.joined", True),
        ("bot.completed", True),
    ]
    (bot,) = await stage.bots()
    assert (bot.status, bot.join_at) == ("completed", start - timedelta(seconds=90))
