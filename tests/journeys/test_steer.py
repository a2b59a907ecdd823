"""A person cancels or changes a bot: for whom it counts, and what everybody sees afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.calendars.model import EventId, Provider
from meetbot_calendar.errors import Invalid, Missing
from meetbot_calendar.journeys import decide, plan, reading, steer
from meetbot_calendar.journeys.reading import BotFilter, PageWish
from meetbot_calendar.sandbox.edits import edit
from meetbot_calendar.storage import decisions, event_marks
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import directory
from tests.journeys.killing import watched_database
from tests.journeys.stage import ANN, BOB, PEOPLE, Stage

HOUR = timedelta(hours=1)
LEAD = timedelta(seconds=90)
REFUSED = ("skip", "override", "manual")


async def shared(stage: Stage) -> tuple[Bot, TenantContext, TenantContext]:
    """Plan one bot for a meeting of two people; returns it and what the two act as."""
    stage.hold_meeting(ANN, "Kick-off", HOUR, BOB)
    ann = await stage.onboard(Provider.GOOGLE, ANN)
    bob = await stage.onboard(Provider.OUTLOOK, BOB, "bob")
    (bot,) = await stage.bots()
    return bot, acting(stage, ann), acting(stage, bob)


def acting(stage: Stage, user_id: CalendarUserId) -> TenantContext:
    return msgspec.structs.replace(stage.context, user_id=user_id)


async def decided(stage: Stage) -> dict[CalendarUserId, tuple[str, str, str]]:
    """Return what stands of each person's event."""
    found = {}
    for event in await stage.events():
        seen = await reading.read_event(stage.services, stage.context, event.user_id, event.id)
        if seen.decision is not None:
            said = seen.decision
            found[event.user_id] = (said.action, said.source, said.reason)
    return found


async def own_event(stage: Stage, user_id: CalendarUserId | None) -> EventId:
    (event,) = [each for each in await stage.events() if each.user_id == user_id]
    return event.id


async def test_a_cancelled_bots_events_say_at_once_that_a_person_refused_them(
    stage: Stage,
) -> None:
    bot, ann, bob = await shared(stage)

    done = await steer.cancel_bot(stage.services, stage.context, bot.id)
    seen = await decided(stage)
    await stage.settle()

    assert (done.status, done.reason, done.stopped_by) == ("cancelled", "manual", "person")
    assert (done.event_ids, done.user_ids) == (bot.event_ids, bot.user_ids)
    assert seen == {ann.user_id: REFUSED, bob.user_id: REFUSED}
    assert [each.status for each in await stage.bots()] == ["cancelled"]
    assert (await stage.told_of_bots()).count("bot.cancelled") == 1


async def test_a_no_counts_though_what_was_decided_before_it_still_stands(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (event,) = await stage.events()

    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        no = decisions.Override(event_id=event.id, action="skip", actor="t", created_at=stage.now)
        await decisions.save_override(session, no)
        tenant = await directory.get(session)
        await plan.plan(stage.services, session, tenant, [event.id], stage.now)

    (bot,) = await stage.bots()
    assert (bot.status, bot.reason) == ("cancelled", "manual")


async def test_one_persons_no_to_a_shared_bot_is_no_other_persons(stage: Stage) -> None:
    bot, ann, bob = await shared(stage)
    hers, his = await own_event(stage, ann.user_id), await own_event(stage, bob.user_id)

    done = await steer.cancel_bot(stage.services, ann, bot.id)
    await stage.settle()

    (after,) = await stage.bots()
    seen = await decided(stage)
    assert (done.status, done.event_ids, done.user_ids) == ("cancelled", (hers,), (ann.user_id,))
    assert (after.id, after.status, after.stopped_by) == (bot.id, "scheduled", None)
    assert (after.event_ids, after.user_ids) == ((his,), (bob.user_id,))
    assert (seen[ann.user_id or ""], seen[bob.user_id or ""][0]) == (REFUSED, "record")
    with pytest.raises(Missing):
        await steer.cancel_bot(stage.services, ann, bot.id)


async def test_a_bot_that_the_last_person_refuses_is_stopped_for_good(stage: Stage) -> None:
    bot, ann, bob = await shared(stage)

    for person in (ann, bob):
        await steer.cancel_bot(stage.services, person, bot.id)
    again = await steer.cancel_bot(stage.services, bob, bot.id)
    for person in (ann, bob):
        assert person.user_id is not None
        await decide.redecide(stage.services, stage.context, person.user_id)

    (after,) = await stage.bots()
    assert (after.status, after.reason, after.stopped_by) == ("cancelled", "manual", "person")
    assert again.status == "cancelled"


async def test_a_shared_bot_in_its_meeting_stays_there_for_who_still_wants_it(
    stage: Stage,
) -> None:
    bot, ann, bob = await shared(stage)
    stage.fleet.config.recording_seconds = 1800.0
    await stage.pass_time(HOUR - LEAD)
    await stage.pass_time(2 * LEAD)

    await steer.cancel_bot(stage.services, ann, bot.id)
    await stage.settle()
    (during,) = await stage.bots()
    await steer.cancel_bot(stage.services, bob, bot.id)
    await stage.settle()

    (after,) = await stage.bots()
    assert (during.status, during.user_ids) == ("joined", (bob.user_id,))
    assert (after.status, after.stopped_by) == ("cancelled", "person")
    assert [each.status for each in stage.fleet.bots.values()] == ["recalled"]


async def test_a_person_sees_of_a_shared_bot_nobody_else(stage: Stage) -> None:
    bot, ann, bob = await shared(stage)
    hers = ((await own_event(stage, ann.user_id),), (ann.user_id,))
    change = steer.BotPatch(bot_config={"bot_name": "Eve"})

    changed = await steer.patch_bot(stage.services, ann, bot.id, change)
    read = await reading.read_bot(stage.services, ann, bot.id)
    which, wish = BotFilter(user_id=ann.user_id), PageWish(limit=10)
    (listed,) = (await reading.list_bots(stage.services, ann, which, wish)).results
    (all_of_it,) = await stage.bots()

    assert [(each.event_ids, each.user_ids) for each in (changed, read, listed)] == [hers] * 3
    assert set(all_of_it.user_ids) == {ann.user_id, bob.user_id}
    assert all_of_it.content.hand_config == {"bot_name": "Eve"}


@pytest.mark.parametrize("call", ["cancel", "patch"])
async def test_a_bot_is_steered_in_the_tenants_turn_to_plan(stage: Stage, call: str) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()
    turns: list[Any] = []

    async def look() -> None:
        turns.extend(
            await stage.look(
                "select count(*) from pg_locks where locktype = 'advisory' and granted"
                " and database = (select oid from pg_database where datname = current_database())"
            )
        )

    services = watched_database(stage.services, "UPDATE bots", look)
    if call == "cancel":
        await steer.cancel_bot(services, stage.context, bot.id)
    else:
        change = steer.BotPatch(bot_config={"bot_name": "Eve"})
        await steer.patch_bot(services, stage.context, bot.id, change)

    assert turns == [1]


async def test_a_no_can_be_remembered_while_the_event_is_being_decided(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    (event,) = await stage.events()
    no = decisions.Override(event_id=event.id, action="skip", actor="t", created_at=stage.now)
    tenant = stage.services.database.tenant

    async with tenant(stage.context.tenant_id) as deciding:
        await event_marks.mark_user(deciding, user_id, stage.now)
    async with tenant(stage.context.tenant_id) as deciding:
        held = await event_marks.undecided(deciding, user_id, 10)
        async with tenant(stage.context.tenant_id) as saying:
            await saying.execute(text("set local lock_timeout = '1s'"))
            await decisions.save_override(saying, no)

    assert [row.event.id for row in held] == [event.id]


@pytest.mark.parametrize(("provider", "email"), PEOPLE)
async def test_a_bot_that_is_set_to_join_after_the_end_joins_then(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Overruns", HOUR)
    await stage.onboard(provider, email)
    (bot,) = await stage.bots()
    late = stage.now + 3 * HOUR

    await steer.patch_bot(stage.services, stage.context, bot.id, steer.BotPatch(join_at=late))
    await stage.pass_time(2 * HOUR)
    edit(stage.world, held.id, title="Overran")
    await stage.settle()
    waiting = list(stage.ordered)
    await stage.pass_time(HOUR)

    assert (waiting, [order["bot_id"] for order in stage.ordered]) == ([], [bot.id])
    assert [each.status for each in await stage.bots()] == ["dispatched"]


async def test_a_join_time_far_from_the_meeting_is_refused(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Kick-off", HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()

    for join_at in (stage.now, stage.now + timedelta(days=29), datetime.max.replace(tzinfo=UTC)):
        patch = steer.BotPatch(join_at=join_at)
        with pytest.raises(Invalid) as refused:
            await steer.patch_bot(stage.services, stage.context, bot.id, patch)
        assert refused.value.code == "join_at_out_of_range"
