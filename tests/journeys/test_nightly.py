"""The nightly rounds: what was missed by day is made up for, once, whoever makes the round."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import nightly
from meetbot_calendar.journeys.nightly import next_round
from tests.journeys.stage import ANN, BOB, PEOPLE, Stage

HOUR = timedelta(hours=1)


async def run_sql(stage: Stage, statement: str, **given: object) -> None:
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await session.execute(text(statement), given)


async def forget_plans(stage: Stage) -> None:
    """Take away every bot, as if a plan had been lost."""
    await run_sql(stage, "delete from bots")


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_at_midnight_what_the_next_day_holds_is_scheduled_for_who_has_it_automatic(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Tomorrow", 14 * HOUR)
    stage.hold_meeting(email, "In two days", 40 * HOUR, link="https://zoom.us/j/5551112222")
    await stage.connect(provider, email)
    await stage.settle()
    await run_sql(stage, "update calendar_users set auto_schedule = true")
    await forget_plans(stage)

    await stage.pass_time(11 * HOUR)
    before = await stage.bots()
    await stage.pass_time(HOUR)

    assert before == []
    assert [bot.content.title for bot in await stage.bots()] == ["Tomorrow"]


async def test_who_has_it_off_is_left_alone(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Tomorrow", 14 * HOUR)
    await stage.connect(Provider.GOOGLE, ANN)

    await stage.pass_time(12 * HOUR)

    assert await stage.bots() == []


async def test_two_workers_make_one_round_and_a_missed_one_is_made_up_for(stage: Stage) -> None:
    await stage.connect(Provider.GOOGLE, ANN)
    await stage.settle()
    services, tenant_id = stage.services, stage.context.tenant_id

    early = await nightly.schedule_all(services, tenant_id)
    stage.world.clock.advance(3 * 24 * HOUR)  # nobody was there for three nights
    both = await asyncio.gather(
        *(nightly.schedule_all(services, tenant_id) for _ in range(2)),
        *(nightly.renew_watches(services, tenant_id) for _ in range(2)),
    )
    again = await nightly.schedule_all(services, tenant_id)

    assert early is None
    assert sorted(made.kind for made in both if made is not None) == ["nightly", "renewal"]
    assert again is None
    assert await stage.look("select nightly_due_at, renewal_due_at from tenants") == [
        (datetime(2026, 11, 27, tzinfo=UTC), datetime(2026, 11, 27, 3, tzinfo=UTC))
    ]


async def test_a_round_whose_worker_died_is_made_by_another(stage: Stage) -> None:
    await stage.connect(Provider.GOOGLE, ANN)
    await stage.settle()
    until = stage.now + timedelta(minutes=5)
    await run_sql(stage, "update tenants set nightly_due_at = :until", until=until)

    at_once = await nightly.schedule_all(stage.services, stage.context.tenant_id)
    stage.world.clock.advance(timedelta(minutes=5))
    later = await nightly.schedule_all(stage.services, stage.context.tenant_id)

    assert at_once is None
    assert later is not None


async def test_at_three_the_watches_that_end_within_two_days_are_renewed(stage: Stage) -> None:
    for provider, email in ((Provider.GOOGLE, ANN), (Provider.OUTLOOK, BOB)):
        await stage.connect(provider, email, customer_user_id=email)
    await stage.settle()
    ends = "select max(expires_at) from watches group by calendar_id"
    soon = stage.now + 60 * HOUR
    await run_sql(stage, "update watches set expires_at = :soon", soon=soon)  # due by no row

    await stage.pass_time(14 * HOUR)
    before = set(await stage.look(ends))
    await stage.pass_time(HOUR)
    after = set(await stage.look(ends))

    assert before == {stage.now - 15 * HOUR + 60 * HOUR}
    assert min(after) > stage.now + 4 * 24 * HOUR
    assert set(await stage.look("select push from calendars where selected")) == {"active"}


@pytest.mark.parametrize(
    ("now", "nightly_at", "renewal_at"),
    [
        ("2026-11-23T00:00:00", "2026-11-24T00:00:00", "2026-11-23T03:00:00"),
        ("2026-11-23T02:59:59", "2026-11-24T00:00:00", "2026-11-23T03:00:00"),
        ("2026-11-23T03:00:00", "2026-11-24T00:00:00", "2026-11-24T03:00:00"),
        ("2026-12-31T23:59:59", "2027-01-01T00:00:00", "2027-01-01T03:00:00"),
    ],
)
def test_the_next_round_is_the_next_such_hour(now: str, nightly_at: str, renewal_at: str) -> None:
    instant = datetime.fromisoformat(now).replace(tzinfo=UTC)

    found = [next_round(instant, kind).replace(tzinfo=None) for kind in ("nightly", "renewal")]

    assert [each.isoformat() for each in found] == [nightly_at, renewal_at]
