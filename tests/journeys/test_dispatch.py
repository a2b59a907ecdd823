"""Bots leave on time, once; and come back when they must."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import (
    decide,
    dispatch,
    policy,
    rule_sets,
    steer,
    sync,
    tenants,
    users,
)
from meetbot_calendar.journeys.dispatch import Departing
from meetbot_calendar.journeys.steer import BotPatch
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.journeys.users import UserChange
from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.meetings import Meeting
from meetbot_calendar.storage import bot_leases
from tenants.identity import TenantContext, TenantId
from tenants.secrets.key_provider import KeyGone
from tests.journeys.stage import ANN, BOB, MEET, Stage
from tests.journeys.trouble import Act, Meanwhile, silence

HOUR = timedelta(hours=1)
LEAD = timedelta(seconds=90)
SECOND = timedelta(seconds=1)
AT_ONCE = timedelta(0)
BOTS = "fleet.bots"
REFUSED = "the fleet does not let us in (401): check its URL and key"


async def waiting(stage: Stage, **facts: Any) -> Meeting:
    """Hold a meeting in two hours that a bot waits for."""
    held = stage.hold_meeting(ANN, "Weekly", 2 * HOUR, **facts)
    await stage.onboard(Provider.GOOGLE, ANN)
    return held


async def due(stage: Stage, **facts: Any) -> Meeting:
    """Stand at the very instant at which the bot leaves; it has not left yet."""
    held = await waiting(stage, **facts)
    silence(stage)
    stage.fleet.config.join_delay_seconds = 600.0
    stage.world.clock.advance(2 * HOUR - LEAD)
    return held


async def taken(stage: Stage) -> Departing:
    """Hold the one bot that is due."""
    (bot,) = [bot for bot in await stage.bots() if bot.status != "cancelled"]
    (held,) = await dispatch.hold(stage.services, stage.context.tenant_id, [bot.id], AT_ONCE)
    return held


async def fired(stage: Stage, *held: Departing) -> list[str]:
    done = await dispatch.fire(stage.services, held)
    return [each.outcome for each in done]


async def status(stage: Stage) -> list[str]:
    return sorted(bot.status for bot in await stage.bots())


def at_fleet(stage: Stage) -> list[str]:
    return [bot.status for bot in stage.fleet.bots.values()]


def while_asking(stage: Stage, act: Act, call: str = "send") -> Stage:
    """Return the stage with a fleet during one call to which something else happens."""
    fleet: Any = Meanwhile(stage.services.fleet, call, act)
    services = msgspec.structs.replace(stage.services, fleet=fleet)
    return msgspec.structs.replace(stage, services=services)


async def resync(stage: Stage) -> None:
    """Read every calendar, and decide."""
    for calendar_id, user_id in await stage.look("select id, user_id from calendars"):
        await sync.sync(stage.services, stage.context.tenant_id, calendar_id)
        await decide.decide(stage.services, stage.context.tenant_id, user_id)


async def test_ninety_seconds_ahead_and_not_one_earlier(stage: Stage) -> None:
    await waiting(stage)

    await stage.pass_time(2 * HOUR - LEAD - SECOND)
    before = at_fleet(stage)
    await stage.pass_time(SECOND)

    assert (before, at_fleet(stage)) == ([], ["accepted"])
    (bot,) = await stage.bots()
    assert (bot.status, bot.dispatched_at, bot.fleet_bot_id, bot.attempts) == (
        "dispatched", stage.now, "fb_000001", 1,
    )  # fmt: skip


async def test_an_order_says_whose_meeting_it_is_under_a_key_of_its_own(stage: Stage) -> None:
    await due(stage)

    await stage.settle()

    (bot,), (event,), (order,) = await stage.bots(), await stage.events(), stage.ordered
    assert stage.fleet.keys == {bot.id: "fb_000001"}
    assert order == {
        "bot_id": bot.id,
        "tenant_id": stage.context.tenant_id,
        "meeting_url": MEET,
        "platform": "google_meet",
        "join_at": bot.join_at.isoformat().replace("+00:00", "Z"),
        "bot_config": {},
        "metadata": {
            "event_id": event.id,
            "ical_uid": event.ical_uid,
            "title": "Weekly",
            "meetbot_calendar_user_id": bot.user_ids[0],
            "customer_user_id": "ann",
        },
        "callback_url": f"{stage.product_url}/v1/bots/{bot.id}/status",
    }


async def test_settings_of_a_bot_lie_in_layers_read_as_it_leaves(stage: Stage) -> None:
    await due(stage)
    (bot,), layers = await stage.bots(), {n: n for n in ("tenant", "user", "rule", "hand")}
    context, services = stage.context, stage.services
    tenant = {"a": "tenant", **layers, "user": 0, "rule": 0, "hand": 0}
    await policy.change_own(services, context, {"default_bot_config": tenant})
    change = UserChange(bot_config={"b": "user", "user": "user", "rule": 1, "hand": 1})
    await users.change_user(services, context, bot.user_ids[0], change)
    rule = {"name": "all", "action": "record", "when": True}
    document = {"rules": [rule | {"bot_config": {"c": "rule", "rule": "rule", "hand": 2}}]}
    await rule_sets.save_rules(services, context, bot.user_ids[0], document)
    await steer.patch_bot(
        services, context, bot.id, BotPatch(bot_config={"d": "hand", "hand": "hand"})
    )

    await stage.settle()

    expected = {"a": "tenant", "b": "user", "c": "rule", "d": "hand"} | layers
    assert stage.ordered[0]["bot_config"] == expected


@pytest.mark.parametrize(("kind", "wait"), [("503", 45), ("507", 45), ("429", 45)])
async def test_a_full_fleet_is_asked_again_when_it_says(stage: Stage, kind: str, wait: int) -> None:
    stage.world.faults.add(BOTS, kind, retry_after=wait)
    await due(stage)

    await stage.settle()
    first = await status(stage)
    await stage.pass_time(timedelta(seconds=wait) - SECOND)
    second = at_fleet(stage)
    await stage.pass_time(SECOND)

    assert (first, second, at_fleet(stage)) == (["scheduled"], [], ["accepted"])
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched"]


async def test_a_link_that_nobody_can_join_is_a_failure_and_told(stage: Stage) -> None:
    stage.world.faults.add(BOTS, "bad_link")
    await due(stage)

    await stage.settle()
    await resync(stage)

    ((kind, data),) = [told for told in await stage.told() if told[0] == "bot.failed"]
    assert (kind, data["status"], data["reason"]) == ("bot.failed", "failed", "bad_link")
    assert await status(stage) == ["failed"]


async def test_a_fleet_that_does_not_let_us_in_is_tried_for_as_long_as_the_meeting_lasts(
    stage: Stage,
) -> None:
    stage.world.faults.add(BOTS, "unauthorized", times=2)
    await due(stage)

    await stage.settle()
    for _ in range(2):
        await stage.pass_time(timedelta(minutes=1))

    assert (await status(stage), len(stage.fleet.refused)) == (["dispatched"], 2)


async def test_the_operator_is_told_that_a_bot_cannot_be_asked_about_or_called_back(
    stage: Stage,
) -> None:
    stage.world.faults.add("fleet.reports", "drop", times=-1)
    await due(stage)
    await stage.settle()
    (bot,) = await stage.bots()
    stage.fleet.config.api_key = "another"

    stage.world.clock.advance(bot.end + HOUR - stage.now)
    asked = await dispatch.fire(stage.services, [await taken(stage)])
    await steer.cancel_bot(stage.services, stage.context, bot.id)
    tenant_id = stage.context.tenant_id
    held = await dispatch.hold(stage.services, tenant_id, [bot.id], AT_ONCE)
    called = await dispatch.fire(stage.services, held)

    done = [(each.outcome, each.fault) for each in (*asked, *called)]
    assert done == [("later", REFUSED), ("later", REFUSED)]


async def test_a_bot_that_never_left_is_missed_when_its_meeting_is_over(stage: Stage) -> None:
    stage.world.faults.add(BOTS, "503", times=-1, retry_after=600)
    await due(stage)

    for _ in range(5):
        await stage.pass_time(timedelta(minutes=10))

    ((_, data),) = [told for told in await stage.told() if told[0] == "bot.missed"]
    assert (await status(stage), data["reason"], stage.ordered) == (["missed"], "ended", [])


async def test_a_lost_answer_is_asked_about_and_one_bot_goes(stage: Stage) -> None:
    stage.world.faults.add(BOTS, "lose_answer")
    await due(stage)

    await stage.settle()
    unknown = await status(stage)
    await stage.pass_time(timedelta(seconds=10))

    assert (unknown, await status(stage)) == (["dispatching"], ["dispatched"])
    (bot,) = stage.fleet.bots.values()
    assert bot.repeats == 1
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched"]


async def test_an_order_is_asked_about_as_it_left_though_its_meeting_was_edited(
    stage: Stage,
) -> None:
    stage.world.faults.add(BOTS, "lose_answer")
    held = await due(stage)
    await stage.settle()

    edits.edit(stage.world, held.id, title="Renamed")
    await policy.change_own(stage.services, stage.context, {"default_bot_config": {"x": 1}})
    await resync(stage)
    await stage.pass_time(timedelta(seconds=10))

    assert (await status(stage), at_fleet(stage)) == (["dispatched"], ["accepted"])
    assert stage.fleet.refused == []


async def test_a_lost_answer_whose_meeting_was_cancelled_meanwhile_is_called_back(
    stage: Stage,
) -> None:
    stage.world.faults.add(BOTS, "lose_answer")
    held = await due(stage)
    await stage.settle()

    edits.cancel(stage.world, held.id)
    await policy.change_own(stage.services, stage.context, {"default_bot_config": {"x": 1}})
    await resync(stage)
    await stage.settle()

    assert (await status(stage), at_fleet(stage)) == (["cancelled"], ["recalled"])


async def test_a_plan_that_changes_while_the_fleet_is_asked_calls_the_bot_back(
    stage: Stage,
) -> None:
    held = await due(stage)

    async def cancel() -> None:
        edits.cancel(stage.world, held.id)
        await resync(stage)

    talking = while_asking(stage, cancel)
    await fired(talking, await taken(stage))
    await stage.settle()

    assert (await status(stage), at_fleet(stage)) == (["cancelled"], ["recalled"])


async def test_a_move_while_the_fleet_is_asked_recalls_one_bot_and_plans_another(
    stage: Stage,
) -> None:
    held = await due(stage)

    async def move() -> None:
        edits.move(stage.world, held.id, stage.now + 3 * HOUR, stage.now + 4 * HOUR)
        await resync(stage)

    talking = while_asking(stage, move)
    await fired(talking, await taken(stage))
    await stage.settle()

    assert (await status(stage), at_fleet(stage)) == (["cancelled", "scheduled"], ["recalled"])


@pytest.mark.parametrize("trouble", ["503", "unauthorized", "bad_link", "lose_answer"])
async def test_trouble_with_a_bot_that_was_given_up_meanwhile_ends_with_none_out(
    stage: Stage, trouble: str
) -> None:
    stage.world.faults.add(BOTS, trouble)
    held = await due(stage)

    async def cancel() -> None:
        edits.cancel(stage.world, held.id)
        await resync(stage)

    talking = while_asking(stage, cancel)
    await fired(talking, await taken(stage))
    for _ in range(3):
        await stage.pass_time(timedelta(seconds=20))

    assert (await status(stage), set(at_fleet(stage)) <= {"recalled"}) == (["cancelled"], True)
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.cancelled"]


async def test_a_report_that_overtakes_the_answer_is_told_in_order(stage: Stage) -> None:
    await due(stage)
    stage.fleet.config.join_delay_seconds = 0.0

    talking = while_asking(stage, stage.fleet_reports)
    await fired(talking, await taken(stage))
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.fleet_bot_id) == ("joined", "fb_000001")
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched", "bot.joined"]


async def test_a_bot_is_held_once(stage: Stage) -> None:
    await due(stage)
    first = await taken(stage)

    again = await dispatch.hold(
        stage.services, stage.context.tenant_id, [first.held.bot_id], AT_ONCE
    )

    assert again == ()


async def test_a_bot_that_was_taken_anew_as_its_plan_changed_leaves_once(stage: Stage) -> None:
    held = await due(stage)
    (bot,) = await stage.bots()
    taking = (stage.services, stage.context.tenant_id, [bot.id], AT_ONCE)
    first = await dispatch.hold(*taking)
    edits.edit(stage.world, held.id, title="Weekly, renamed")
    await resync(stage)
    second = await dispatch.hold(*taking)

    outcomes = await fired(stage, *first, *second)

    assert (len(first), len(second), outcomes) == (1, 1, ["dispatched"])
    assert len(stage.world.journal.find("/fleet/bots")) == 1
    assert [order["metadata"]["title"] for order in stage.ordered] == ["Weekly, renamed"]


async def test_who_holds_a_bot_too_long_may_not_fire_it(stage: Stage) -> None:
    await due(stage)
    slow = await taken(stage)
    stage.world.clock.advance(timedelta(seconds=31))
    quick = await taken(stage)

    outcomes = [*await fired(stage, quick), *await fired(stage, slow)]

    assert outcomes == ["dispatched", "dropped"]
    assert (await status(stage), at_fleet(stage)) == (["dispatched"], ["accepted"])


async def test_a_bot_that_is_fired_twice_leaves_once(stage: Stage) -> None:
    await due(stage)
    held = await taken(stage)

    outcomes = [*await fired(stage, held), *await fired(stage, held)]

    assert outcomes == ["dispatched", "dropped"]
    (bot,) = stage.fleet.bots.values()
    assert (bot.repeats, await status(stage)) == (0, ["dispatched"])


async def test_a_bot_that_was_called_back_and_fired_late_stays_home(stage: Stage) -> None:
    await due(stage)
    held = await taken(stage)
    await steer.cancel_bot(stage.services, stage.context, held.held.bot_id)

    assert await fired(stage, held) == ["dropped"]
    await stage.settle()
    assert (await status(stage), stage.ordered) == (["cancelled"], [])


async def test_a_worker_that_dies_with_a_bot_in_hand_is_followed_by_another(
    stage: Stage,
) -> None:
    await due(stage)
    await taken(stage)

    await stage.settle()
    before = stage.ordered
    await stage.pass_time(timedelta(seconds=31))

    assert (before, at_fleet(stage)) == ([], ["accepted"])


async def test_bots_that_leave_together_are_told_one_by_one(stage: Stage) -> None:
    for number in range(5):
        link = f"https://meet.google.com/abc-defg-hi{'jklmn'[number]}"
        stage.hold_meeting(ANN, f"M{number}", 2 * HOUR, link=link)
    await stage.onboard(Provider.GOOGLE, ANN)
    stage.world.faults.add(BOTS, "bad_link")
    stage.world.faults.add(BOTS, "lose_answer")
    stage.fleet.config.join_delay_seconds = 600.0

    await stage.pass_time(2 * HOUR - LEAD)
    at_first = await status(stage)
    await stage.pass_time(timedelta(seconds=10))

    assert at_first == [*["dispatched"] * 3, "dispatching", "failed"]
    assert await status(stage) == [*["dispatched"] * 4, "failed"]
    assert len(stage.ordered) == 4


async def test_a_recall_that_fails_is_tried_again(stage: Stage) -> None:
    held = await due(stage)
    await stage.settle()

    edits.cancel(stage.world, held.id)
    stage.world.faults.add(BOTS, "503", retry_after=5)
    await resync(stage)
    await stage.settle()
    before = at_fleet(stage)
    await stage.pass_time(timedelta(seconds=5))

    assert (before, at_fleet(stage)) == (["accepted"], ["recalled"])


async def test_a_bot_that_fell_silent_is_asked_about_an_hour_after_the_meeting(
    stage: Stage,
) -> None:
    stage.world.faults.add("fleet.reports", "drop", times=-1)
    await due(stage)
    await stage.settle()

    await stage.pass_time(LEAD + HOUR + timedelta(minutes=30) - SECOND)
    (silent,) = await stage.bots()
    await stage.pass_time(SECOND)

    (heard,) = await stage.bots()
    assert (silent.status, heard.status, heard.duration_seconds) == (
        "dispatched", "completed", 60.0,
    )  # fmt: skip
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched", "bot.completed"]


async def test_a_bot_of_which_the_fleet_knows_nothing_either_is_missed(stage: Stage) -> None:
    stage.world.faults.add("fleet.reports", "drop", times=-1)
    stage.world.faults.add("fleet.status", "404", times=-1)
    await due(stage)
    await stage.settle()

    await stage.pass_time(3 * HOUR)

    (bot,) = await stage.bots()
    assert (bot.status, bot.reason) == ("missed", "no_report")


async def test_a_meeting_that_overruns_by_hours_is_recorded_to_its_end(stage: Stage) -> None:
    stage.fleet.config.recording_seconds = 4 * 3600.0
    held = await due(stage)
    await stage.settle()

    for _ in range(2):
        await stage.pass_time(HOUR)
    edits.edit(stage.world, held.id, title="Still going on")
    for _ in range(4):
        await stage.pass_time(HOUR)

    (bot,) = await stage.bots()
    assert (bot.status, bot.duration_seconds) == ("completed", 4 * 3600.0)


@pytest.mark.parametrize("said", ["404", "503"])
async def test_a_bot_that_joined_and_fell_silent_is_given_up_after_half_a_day(
    stage: Stage, said: str
) -> None:
    stage.world.faults.add("fleet.status", said, times=-1)
    await due(stage)
    await stage.settle()
    await stage.pass_time(timedelta(minutes=10))
    stage.world.faults.add("fleet.reports", "drop", times=-1)

    await stage.pass_time(12 * HOUR)
    (still,) = await stage.bots()
    await stage.pass_time(HOUR)

    (bot,) = await stage.bots()
    assert (still.status, bot.status, bot.reason) == ("joined", "missed", "no_report")


async def test_an_order_that_was_never_answered_is_called_back_when_its_meeting_is_over(
    stage: Stage,
) -> None:
    stage.world.faults.add(BOTS, "lose_answer", times=-1)
    stage.world.faults.add("fleet.reports", "drop", times=-1)
    stage.fleet.config.recording_seconds = 4 * 3600.0
    await due(stage)
    await stage.settle()

    await stage.pass_time(LEAD + timedelta(minutes=30))
    unknown = at_fleet(stage)
    stage.world.faults.clear()
    await stage.pass_time(timedelta(seconds=30))

    assert (await status(stage), len(unknown), at_fleet(stage)) == (["missed"], 1, ["recalled"])
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.missed"]


async def test_bots_of_several_tenants_leave_together(stage: Stage) -> None:
    made = await tenants.create_tenant(stage.services, TenantWish(name="Other"))
    context = TenantContext(tenant_id=made.tenant.id, actor="test")
    other = msgspec.structs.replace(stage, context=context)
    other.hold_meeting(BOB, "Theirs", 2 * HOUR)
    await other.onboard(Provider.OUTLOOK, BOB)
    await due(stage)

    left = [await taken(each) for each in (stage, other)]
    outcomes = await fired(stage, *left)

    assert outcomes == ["dispatched", "dispatched"]
    assert {order["tenant_id"] for order in stage.ordered} == {
        stage.context.tenant_id,
        context.tenant_id,
    }
    assert [await status(each) for each in (stage, other)] == [["dispatched"]] * 2


async def test_who_cannot_name_the_lease_marks_nothing(stage: Stage) -> None:
    await due(stage)
    held = (await taken(stage)).held
    stranger = msgspec.structs.replace(held, lease_id="lea_guessed")

    async with stage.services.database.holder(["lea_other"]) as session:
        unseen = await bot_leases.leave(session, [held], now=stage.now, until=stage.now + HOUR)
    async with stage.services.database.holder([held.lease_id]) as session:
        guessed = await bot_leases.leave(session, [stranger], now=stage.now, until=stage.now)

    assert (unseen, guessed, await status(stage)) == (frozenset(), frozenset(), ["scheduled"])


async def hand(stage: Stage, bot_id: BotId) -> None:
    await steer.patch_bot(stage.services, stage.context, bot_id, BotPatch(bot_config={"x": 1}))


async def tenants_own(stage: Stage, bot_id: BotId) -> None:
    del bot_id
    await policy.change_own(stage.services, stage.context, {"default_bot_config": {"x": 1}})


async def persons(stage: Stage, bot_id: BotId) -> None:
    (bot,) = [bot for bot in await stage.bots() if bot.id == bot_id]
    change = UserChange(bot_config={"x": 1})
    await users.change_user(stage.services, stage.context, bot.user_ids[0], change)


@pytest.mark.parametrize("change", [hand, tenants_own, persons])
async def test_settings_that_change_while_a_bot_is_held_are_those_it_leaves_with(
    stage: Stage, change: Any
) -> None:
    await due(stage)
    held = await taken(stage)

    await change(stage, held.held.bot_id)
    first = await fired(stage, held)
    await stage.settle()

    assert (first, [order["bot_config"] for order in stage.ordered]) == (["dropped"], [{"x": 1}])


async def test_a_meeting_that_moves_while_its_bot_is_held_is_served_at_its_new_time(
    stage: Stage,
) -> None:
    meeting = await due(stage)
    held = await taken(stage)

    edits.move(stage.world, meeting.id, stage.now + HOUR, stage.now + 2 * HOUR)
    await resync(stage)
    outcomes = await fired(stage, held)
    await stage.settle()
    early = stage.ordered
    await stage.pass_time(HOUR - LEAD)

    assert (outcomes, early, len(stage.ordered)) == (["dropped"], [], 1)


async def test_a_worker_that_dies_lets_go_of_its_bots_a_second_after_their_instant(
    stage: Stage,
) -> None:
    await due(stage)
    await taken(stage)

    stage.world.clock.advance(SECOND - timedelta(microseconds=1))
    await stage.depart()
    before = stage.ordered
    stage.world.clock.advance(timedelta(microseconds=1))
    await stage.depart()

    assert (before, len(stage.ordered)) == ([], 1)


class WithoutKey:
    """A database in which one tenant's key is gone."""

    def __init__(self, database: Any, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def tenant(self, tenant_id: TenantId) -> Any:
        if tenant_id == self._tenant_id:
            raise KeyGone("it is gone")
        return self._database.tenant(tenant_id)


async def test_one_tenants_trouble_keeps_no_other_tenants_bot(stage: Stage) -> None:
    await due(stage)
    held = await taken(stage)
    theirs = msgspec.structs.replace(
        held.held, tenant_id=TenantId("ten_gone"), bot_id=BotId("bot_theirs")
    )
    gone = msgspec.structs.replace(held, held=theirs, leaving=None)
    database: Any = WithoutKey(stage.services.database, theirs.tenant_id)
    services = msgspec.structs.replace(stage.services, database=database)

    with pytest.raises(KeyGone):
        await dispatch.fire(services, [gone, held])

    assert await status(stage) == ["dispatched"]


async def test_an_unknown_bot_is_held_by_nobody(stage: Stage) -> None:
    await due(stage)

    unknown = BotId("bot_unknown")
    assert await dispatch.hold(stage.services, stage.context.tenant_id, [unknown], AT_ONCE) == ()
