"""Rules, overrides and policy become bots: one for each meeting that is wanted."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import decide, policy, rule_sets, steer, sync, users
from meetbot_calendar.journeys.steer import BotPatch
from meetbot_calendar.journeys.users import UserChange
from meetbot_calendar.sandbox import edits
from meetbot_calendar.storage import decisions
from meetbot_calendar.storage.decisions import Override
from tenants.identity import CalendarUserId, OptOut
from tests.journeys.stage import ANN, BOB, MEET, PEOPLE, Stage
from tests.journeys.trouble import silence

HOUR = timedelta(hours=1)
LEAD = timedelta(seconds=90)
ZOOM = "https://us02web.zoom.us/j/81234567890"

both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


def rule(action: str, title: str, **more: Any) -> dict[str, Any]:
    when = {"==": [{"var": "title"}, title]}
    return {"name": f"{action} {title}", "action": action, "when": when} | more


def document(*rules: dict[str, Any], default: str = "skip") -> dict[str, Any]:
    return {"default": default, "rules": list(rules)}


async def decided(stage: Stage) -> dict[str, tuple[str, str, str]]:
    """Return action, source and reason of the standing decision, by title."""
    rows = await stage.look(
        "select d.event_id, d.action, d.source, d.reason from decisions d"
        " join events e on e.id = d.event_id and e.decided_version = d.version"
    )
    titles = {event.id: event.content.title for event in await stage.events()}
    return {str(titles[row[0]]): row[1:] for row in rows if row[0] in titles}


async def live(stage: Stage) -> list[str | None]:
    """Return what the bots that are still to come, or out, are for."""
    standing = ("scheduled", "dispatching", "dispatched", "joined")
    found = sorted(await stage.bots(), key=lambda bot: bot.start)
    return [bot.content.title for bot in found if bot.status in standing]


async def save(stage: Stage, user_id: CalendarUserId, *rules: dict[str, Any], default: str) -> Any:
    doc = document(*rules, default=default)
    return await rule_sets.save_rules(stage.services, stage.context, user_id, doc)


async def override(stage: Stage, user_id: CalendarUserId, title: str, action: Any) -> None:
    """Let a person say yes or no to one event."""
    (event,) = [event for event in await stage.events() if event.content.title == title]
    said = Override(event_id=event.id, action=action, actor="ann", created_at=stage.now)
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await decisions.save_override(session, said)
    await decide.redecide(stage.services, stage.context, user_id)


async def settle_policy(stage: Stage, **changes: Any) -> None:
    await policy.change_own(stage.services, stage.context, changes)
    await stage.settle()


async def test_the_first_rule_that_matches_decides_and_else_the_default(stage: Stage) -> None:
    for number, title in enumerate(["Sales", "Lunch", "Other"], 2):
        stage.hold_meeting(ANN, title, number * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)

    saving = await save(
        stage, user_id, rule("record", "Sales"), rule("skip", "Sales"), rule("skip", "Lunch"),
        default="record",
    )  # fmt: skip

    assert await decided(stage) == {
        "Sales": ("record", "rule", "matched"),
        "Lunch": ("skip", "rule", "matched"),
        "Other": ("record", "default", "no_match"),
    }
    assert await live(stage) == ["Sales", "Other"]
    assert (saving.effects.scheduled, saving.effects.cancelled) == (0, 1)


async def test_reasons_beat_each_other_in_their_order(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Plain", 2 * HOUR)
    stage.hold_meeting(ANN, "Linkless", 3 * HOUR, link="")
    stage.hold_meeting(ANN, "Secret", 4 * HOUR, "boss@quiet.example")
    stage.hold_meeting(ANN, "Policy", 5 * HOUR)
    declined = stage.hold_meeting("eve@other.example", "Declined", 6 * HOUR, ANN)
    edits.respond(stage.world, declined.id, ANN, "declined")
    user_id = await stage.onboard(Provider.GOOGLE, ANN)

    await settle_policy(
        stage, opt_out=OptOut(domains=("quiet.example",)), policy_rules=document(
            rule("skip", "Policy"), rule("skip", "Secret")
        ) | {"default": None},
    )  # fmt: skip
    for title in ("Linkless", "Secret"):
        await override(stage, user_id, title, "record")

    assert await decided(stage) == {
        "Plain": ("record", "default", "no_match"),
        "Linkless": ("skip", "precondition", "no_meeting_link"),
        "Secret": ("skip", "policy", "opted_out"),
        "Policy": ("skip", "policy", "matched"),
        "Declined": ("skip", "precondition", "declined"),
    }
    assert await live(stage) == ["Plain"]


async def test_a_persons_word_beats_rules_policy_and_later_syncs(stage: Stage) -> None:
    wanted = stage.hold_meeting(ANN, "Wanted", 2 * HOUR)
    stage.hold_meeting(ANN, "Unwanted", 3 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    await save(stage, user_id, rule("record", "Unwanted"), default="skip")

    await override(stage, user_id, "Wanted", "record")
    await override(stage, user_id, "Unwanted", "skip")
    edits.edit(stage.world, wanted.id, location="Elsewhere")
    await stage.settle()
    await save(stage, user_id, rule("record", "Unwanted"), default="skip")

    assert await live(stage) == ["Wanted"]
    assert (await decided(stage))["Wanted"] == ("record", "override", "manual")
    (bot,) = [bot for bot in await stage.bots() if bot.status == "scheduled"]
    assert bot.source == "manual"


async def test_a_bot_that_a_person_cancelled_stays_cancelled(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()

    await steer.cancel_bot(stage.services, stage.context, bot.id)
    edits.move(stage.world, held.id, stage.now + 4 * HOUR, stage.now + 5 * HOUR)
    await stage.settle()
    await save(stage, user_id, default="record")

    assert await live(stage) == []
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.cancelled"]


async def test_what_is_decided_again_alike_writes_and_tells_nothing(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    told, rows = await stage.told(), await stage.look("select xmin, updated_at from bots")
    stage.world.clock.advance(timedelta(minutes=1))

    effects = await decide.redecide(stage.services, stage.context, user_id)

    assert (effects.scheduled, effects.cancelled, effects.unchanged) == (0, 0, 1)
    assert await stage.told() == told
    assert await stage.look("select xmin, updated_at from bots") == rows
    assert len(await stage.look("select decided_at from decisions")) == 1


async def test_a_change_of_rules_decides_everything_anew(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Sales", 2 * HOUR)
    stage.hold_meeting(ANN, "Lunch", 3 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)

    saving = await save(stage, user_id, rule("record", "Lunch"), default="skip")
    first = await live(stage)
    again = await rule_sets.restore_rules(stage.services, stage.context, user_id, 1)
    await rule_sets.remove_rules(stage.services, stage.context, user_id)

    assert (saving.effects.cancelled, first) == (1, ["Lunch"])
    assert again.effects.scheduled == 1
    assert await live(stage) == []
    assert [kind for kind in await stage.told_of_bots() if kind != "bot.scheduled"] == [
        "bot.cancelled"
    ] * 3


async def test_the_tenants_default_rules_hold_for_who_has_none(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Sales", 2 * HOUR)
    stage.hold_meeting(ANN, "Lunch", 3 * HOUR)
    await stage.connect(Provider.GOOGLE, ANN)
    await stage.settle()
    before = await live(stage)

    await settle_policy(stage, default_rules=document(rule("record", "Sales")))

    assert (before, await live(stage)) == ([], ["Sales"])


async def test_a_persons_attributes_speak_in_rules_and_changes_of_them_count(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "1:1", 2 * HOUR, "boss@acme.example")
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    when = {"in": [{"var": "user.attributes.manager_email"}, {"var": "attendee_emails"}]}
    await save(stage, user_id, {"name": "boss", "action": "skip", "when": when}, default="record")
    before = await live(stage)

    change = UserChange(attributes={"manager_email": "boss@acme.example"})
    await users.change_user(stage.services, stage.context, user_id, change)
    await stage.settle()

    assert (before, await live(stage)) == (["1:1"], [])


@pytest.mark.parametrize("organizer", [ANN, BOB])
async def test_two_people_of_one_meeting_share_one_bot_whoever_organises(
    stage: Stage, organizer: str
) -> None:
    guest = BOB if organizer == ANN else ANN
    stage.hold_meeting(organizer, "Both", 2 * HOUR, guest)

    ann = await stage.onboard(Provider.GOOGLE, ANN, "ann")
    bob = await stage.onboard(Provider.OUTLOOK, BOB, "bob")

    (bot,) = await stage.bots()
    assert (set(bot.user_ids), len(bot.event_ids)) == ({ann, bob}, 2)
    assert await stage.told_of_bots() == ["bot.scheduled"]


@pytest.mark.parametrize("organizer", [ANN, BOB])
async def test_occurrences_of_a_shared_series_share_a_bot_each(
    stage: Stage, organizer: str
) -> None:
    guest = BOB if organizer == ANN else ANN
    stage.hold_meeting(
        organizer, "Daily", 2 * HOUR, guest, recurrence="RRULE:FREQ=DAILY;COUNT=3", link=ZOOM
    )

    await stage.onboard(Provider.GOOGLE, ANN, "ann")
    await stage.onboard(Provider.OUTLOOK, BOB, "bob")

    assert [len(bot.event_ids) for bot in await stage.bots()] == [2, 2, 2]


@pytest.mark.parametrize("organizer", [ANN, BOB])
async def test_a_shared_meeting_that_moves_keeps_its_one_bot(stage: Stage, organizer: str) -> None:
    guest = BOB if organizer == ANN else ANN
    held = stage.hold_meeting(organizer, "Both", 2 * HOUR, guest)
    await stage.onboard(Provider.GOOGLE, ANN, "ann")
    await stage.onboard(Provider.OUTLOOK, BOB, "bob")

    start = stage.now + 5 * HOUR
    edits.move(stage.world, held.id, start, start + HOUR)
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.start, bot.join_at, bot.status) == (start, start - LEAD, "scheduled")


async def test_two_people_decided_at_the_same_instant_share_one_bot(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Both", 2 * HOUR, BOB)
    people = []
    for (provider, email), name in zip(PEOPLE, ("ann", "bob"), strict=True):
        connected = await stage.connect(provider, email, customer_user_id=name)
        await stage.record_everything(connected.user_id)
        people.append(connected.user_id)
    for calendar_id in await stage.look("select id from calendars"):
        await sync.sync(stage.services, stage.context.tenant_id, calendar_id)

    deciding = (decide.decide(stage.services, stage.context.tenant_id, each) for each in people)
    await asyncio.gather(*deciding)

    assert [set(bot.user_ids) for bot in await stage.bots()] == [set(people)]
    assert await stage.told_of_bots() == ["bot.scheduled"]


async def test_a_shared_meeting_is_left_only_when_nobody_wants_it(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Both", 2 * HOUR, BOB)
    ann = await stage.onboard(Provider.GOOGLE, ANN, "ann")
    bob = await stage.onboard(Provider.OUTLOOK, BOB, "bob")

    await save(stage, ann, default="skip")
    (one_left,) = await stage.bots()
    await save(stage, bob, default="skip")
    (none_left,) = await stage.bots()

    assert (one_left.status, one_left.user_ids) == ("scheduled", (bob,))
    assert none_left.status == "cancelled"


async def test_a_tenant_may_have_a_bot_for_each_person(stage: Stage) -> None:
    await settle_policy(stage, dedupe="user")
    stage.hold_meeting(ANN, "Both", 2 * HOUR, BOB)

    ann = await stage.onboard(Provider.GOOGLE, ANN, "ann")
    bob = await stage.onboard(Provider.OUTLOOK, BOB, "bob")

    assert {bot.user_ids for bot in await stage.bots()} == {(ann,), (bob,)}
    await stage.pass_time(2 * HOUR - LEAD)
    assert len(stage.ordered) == 2


async def test_one_person_with_two_accounts_in_a_meeting_has_one_bot(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Both", 2 * HOUR, BOB)

    await stage.onboard(Provider.GOOGLE, ANN, "ann")
    await stage.onboard(Provider.OUTLOOK, BOB, "ann")

    assert [len(bot.event_ids) for bot in await stage.bots()] == [2]


async def test_a_standing_room_at_two_times_is_two_meetings(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Early", 2 * HOUR, link=MEET)
    stage.hold_meeting(ANN, "Late", 4 * HOUR, link=MEET)

    await stage.onboard(Provider.GOOGLE, ANN)

    assert await live(stage) == ["Early", "Late"]


@both
async def test_a_moved_meeting_moves_its_bot(stage: Stage, provider: Provider, email: str) -> None:
    held = stage.hold_meeting(email, "Weekly", 2 * HOUR)
    await stage.onboard(provider, email)

    start = stage.now + 5 * HOUR
    edits.move(stage.world, held.id, start, start + HOUR)
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.join_at, bot.generation) == ("scheduled", start - LEAD, 2)
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.rescheduled"]


@both
async def test_a_cancelled_meeting_cancels_its_bot(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Weekly", 2 * HOUR)
    await stage.onboard(provider, email)

    edits.cancel(stage.world, held.id)
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.reason) == ("cancelled", "cancelled")
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.cancelled"]


async def test_a_meeting_that_loses_its_link_loses_its_bot(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)

    edits.change_link(stage.world, held.id, "")
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.reason) == ("cancelled", "no_meeting_link")


async def test_a_meeting_that_moves_into_the_past_cancels_its_bot(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)

    edits.move(stage.world, held.id, stage.now - 2 * HOUR, stage.now - HOUR)
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.reason) == ("cancelled", "ended")


@both
async def test_a_meeting_that_moves_after_its_bot_left_recalls_it_and_sends_another(
    stage: Stage, provider: Provider, email: str
) -> None:
    held = stage.hold_meeting(email, "Weekly", timedelta(minutes=1))
    await stage.onboard(provider, email)

    start = stage.now + 5 * HOUR
    edits.move(stage.world, held.id, start, start + HOUR)
    await stage.settle()
    await stage.pass_time(5 * HOUR - LEAD)

    assert sorted(bot.status for bot in stage.fleet.bots.values()) == ["accepted", "recalled"]
    assert sorted(bot.status for bot in await stage.bots()) == ["cancelled", "dispatched"]


async def test_a_meeting_cancelled_after_its_bot_left_recalls_it(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", timedelta(minutes=1))
    await stage.onboard(Provider.GOOGLE, ANN)

    edits.cancel(stage.world, held.id)
    await stage.settle()

    assert [bot.status for bot in stage.fleet.bots.values()] == ["recalled"]
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched", "bot.cancelled"]


async def test_another_link_after_its_bot_left_sends_another_bot(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", timedelta(minutes=1))
    await stage.onboard(Provider.GOOGLE, ANN)

    edits.change_link(stage.world, held.id, ZOOM)
    await stage.settle()

    found = [(bot.status, bot.body["meeting_url"]) for bot in stage.fleet.bots.values()]
    assert found == [("recalled", MEET), ("accepted", ZOOM)]


async def test_another_spelling_of_its_room_leaves_the_bot_that_is_there(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", timedelta(minutes=1), link=ZOOM)
    await stage.onboard(Provider.GOOGLE, ANN)

    edits.change_link(stage.world, held.id, f"{ZOOM}?pwd=x&from=addon")
    await stage.settle()

    assert [bot.status for bot in stage.fleet.bots.values()] == ["accepted"]
    assert await stage.told_of_bots() == ["bot.scheduled", "bot.dispatched"]


async def test_what_a_person_set_goes_along_with_a_meeting_whose_bot_had_left(
    stage: Stage,
) -> None:
    held = stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()
    earlier = BotPatch(join_at=bot.start - timedelta(minutes=10), bot_config={"bot_name": "Hand"})
    await steer.patch_bot(stage.services, stage.context, bot.id, earlier)
    await stage.pass_time(2 * HOUR - timedelta(minutes=10))

    start = stage.now + 5 * HOUR
    edits.move(stage.world, held.id, start, start + HOUR)
    await stage.settle()
    await stage.pass_time(5 * HOUR - timedelta(minutes=10))

    names = [order["bot_config"]["bot_name"] for order in stage.ordered]
    statuses = [bot.status for bot in stage.fleet.bots.values()]
    assert (names, statuses) == (["Hand", "Hand"], ["recalled", "accepted"])


async def test_what_a_person_set_stands_when_rules_take_a_bot_and_give_it_back(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()
    by_hand = BotPatch(bot_config={"bot_name": "Hand"})
    await steer.patch_bot(stage.services, stage.context, bot.id, by_hand)

    await save(stage, user_id, default="skip")
    await save(stage, user_id, default="record")

    found = {bot.status: bot.content.hand_config for bot in await stage.bots()}
    assert found == {"cancelled": {"bot_name": "Hand"}, "scheduled": {"bot_name": "Hand"}}


@both
async def test_a_meeting_found_late_is_joined_at_once(
    stage: Stage, provider: Provider, email: str
) -> None:
    await stage.onboard(provider, email)

    stage.hold_meeting(email, "Running", -timedelta(minutes=10))
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.join_at) == ("dispatched", stage.now)


async def test_a_tenant_may_forbid_joining_late(stage: Stage) -> None:
    await settle_policy(stage, join_late=False)
    stage.hold_meeting(ANN, "Running", -timedelta(minutes=10))

    await stage.onboard(Provider.GOOGLE, ANN)

    assert await stage.bots() == []


async def test_nor_is_a_meeting_joined_late_that_was_moved_to_before_now(stage: Stage) -> None:
    await settle_policy(stage, join_late=False)
    held = stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)

    start = stage.now - timedelta(minutes=5)
    edits.move(stage.world, held.id, start, start + HOUR)
    await stage.settle()

    assert [(bot.status, bot.reason) for bot in await stage.bots()] == [("cancelled", "late")]
    assert stage.ordered == []


async def test_a_meeting_that_is_over_is_not_joined(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Over", -HOUR)

    await stage.onboard(Provider.GOOGLE, ANN)

    assert await stage.bots() == []


async def test_a_join_time_set_by_hand_moves_along_with_the_meeting(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()
    earlier = BotPatch(join_at=bot.start - timedelta(minutes=10), bot_config={"bot_name": "Hand"})
    await steer.patch_bot(stage.services, stage.context, bot.id, earlier)

    start = stage.now + 5 * HOUR
    edits.move(stage.world, held.id, start, start + HOUR)
    await stage.settle()

    (bot,) = await stage.bots()
    assert bot.join_at == start - timedelta(minutes=10)
    assert bot.content.hand_config == {"bot_name": "Hand"}


async def test_a_served_meeting_has_no_other_bot_wherever_it_is_moved_to(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Weekly", timedelta(minutes=2))
    await stage.onboard(Provider.GOOGLE, ANN)
    for _ in range(4):
        await stage.pass_time(timedelta(minutes=1))
    silence(stage)

    edits.edit(stage.world, held.id, title="Renamed")
    await stage.pass_time(timedelta(minutes=5))
    renamed = [bot.status for bot in await stage.bots()]
    edits.move(stage.world, held.id, stage.now + 3 * HOUR, stage.now + 4 * HOUR)
    await stage.pass_time(timedelta(minutes=5))

    assert renamed == ["completed"]
    assert [bot.status for bot in await stage.bots()] == ["completed"]


@both
async def test_a_preview_changes_nothing(stage: Stage, provider: Provider, email: str) -> None:
    stage.hold_meeting(email, "Sales", 2 * HOUR)
    stage.hold_meeting(email, "Lunch", 3 * HOUR)
    user_id = await stage.onboard(provider, email)
    told = await stage.told()

    shown = await decide.preview(
        stage.services, stage.context, user_id, document(rule("record", "Sales"))
    )

    assert [(row.title, row.decision.action, row.changes) for row in shown] == [
        ("Sales", "record", False),
        ("Lunch", "skip", True),
    ]
    assert (await live(stage), await stage.told()) == (["Sales", "Lunch"], told)
