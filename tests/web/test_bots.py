"""Bots: listed, changed, cancelled for good, and reported on by the fleet."""

from datetime import timedelta

import pytest

from meetbot_calendar.calendars.model import Provider
from tenants.storage import users
from tests.journeys.stage import ANN, BOB, MEET
from tests.web.house import Json
from tests.web.staged import RECORD_ALL, Staged

TITLES = {ANN: "Bob's dismissal", BOB: "Talk with Ann"}
ACCOUNTS = {ANN: Provider.GOOGLE, BOB: Provider.OUTLOOK}


async def _one_bot(staged: Staged) -> tuple[str, Json]:
    await staged.meet("Kick-off", hours=1, link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    (bot,) = (await staged.door.get("/v1/bots")).json()["results"]
    return ann, bot


async def test_a_bot_is_told_with_all_that_it_is_for(staged: Staged) -> None:
    ann, bot = await _one_bot(staged)

    read = (await staged.door.get(f"/v1/bots/{bot['id']}")).json()

    assert read == bot
    assert (bot["status"], bot["meeting_url"], bot["platform"]) == (
        "scheduled",
        MEET,
        "google_meet",
    )
    assert bot["join_at"] == "2026-11-23T12:58:30Z"
    assert bot["meetbot_calendar_user_ids"] == [ann]
    assert len(bot["event_ids"]) == 1


async def test_bots_are_filtered(staged: Staged) -> None:
    ann, _ = await _one_bot(staged)

    counts = [
        len((await staged.door.get(f"/v1/bots{query}", **headers)).json()["results"])
        for query, headers in (
            ("?status=scheduled", {}),
            ("?status=completed", {}),
            (f"?user_id={ann}", {}),
            ("", {"X_Customer_User_Id": "ann"}),
            ("?from=2026-11-23T12:58:30Z", {}),
            ("?to=2026-11-23T12:58:30Z", {}),
        )
    ]

    assert counts == [1, 0, 1, 1, 1, 0]


async def test_naming_nobody_or_two_people_is_refused(staged: Staged) -> None:
    ann, _ = await _one_bot(staged)

    nobody = await staged.door.get("/v1/bots", X_Customer_User_Id="nobody")
    two = await staged.door.get(f"/v1/bots?user_id={ann}", X_Customer_User_Id="bob")

    assert (nobody.status_code, two.status_code) == (404, 400)


async def test_a_persons_key_sees_that_persons_bots_alone(staged: Staged) -> None:
    ann, bot = await _one_bot(staged)
    async with staged.stage.services.database.tenant(staged.stage.context.tenant_id) as session:
        other = (await users.ensure(session, "zoe", staged.stage.now))[0].id
    hers, others = await staged.person_key(ann), await staged.person_key(other)

    assert [b["id"] for b in (await hers.get("/v1/bots")).json()["results"]] == [bot["id"]]
    assert (await others.get("/v1/bots")).json()["results"] == []
    assert (await others.get(f"/v1/bots/{bot['id']}")).status_code == 404
    assert (await others.delete(f"/v1/bots/{bot['id']}")).status_code == 404
    assert (await others.patch(f"/v1/bots/{bot['id']}", {})).status_code == 404


async def test_a_bot_is_moved_and_set_by_hand(staged: Staged) -> None:
    _, bot = await _one_bot(staged)
    body = {"join_at": "2026-11-23T12:50:00Z", "bot_config": {"bot_name": "Eve"}}

    changed = (await staged.door.patch(f"/v1/bots/{bot['id']}", body)).json()
    past = await staged.door.patch(f"/v1/bots/{bot['id']}", {"join_at": "2026-11-23T11:00:00Z"})

    assert changed["join_at"] == "2026-11-23T12:50:00Z"
    assert (past.status_code, past.json()["errors"][0]["pointer"]) == (422, "/join_at")


async def test_a_bot_shows_what_was_set_by_hand_over_what_its_rule_set(staged: Staged) -> None:
    await staged.meet("Kick-off", hours=1, link=MEET)
    ann = await staged.ann()
    set_so = {"bot_config": {"bot_name": "Rule", "x": 1}}
    rule = {"name": "All", "when": True, "action": "record"} | set_so
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", {"rules": [rule]})
    (before,) = (await staged.door.get("/v1/bots")).json()["results"]
    path = f"/v1/bots/{before['id']}"

    changed = (await staged.door.patch(path, {"bot_config": {"bot_name": "Eve"}})).json()
    read = (await staged.door.get(path)).json()
    (listed,) = (await staged.door.get("/v1/bots")).json()["results"]
    export = (await staged.door.get(f"/v1/calendar/users/{ann}/export")).json()

    (exported,) = export["bots"]
    assert before["bot_config"] == {"bot_name": "Rule", "x": 1}
    assert changed["bot_config"] == {"bot_name": "Eve", "x": 1}
    assert [read, listed, exported] == [changed] * 3


async def test_a_person_neither_sees_nor_stops_what_is_anothers_of_a_shared_bot(
    staged: Staged,
) -> None:
    staged.stage.hold_meeting(ANN, "Kick-off", timedelta(hours=1), BOB)
    ann = await staged.stage.onboard(Provider.GOOGLE, ANN)
    bob = await staged.stage.onboard(Provider.OUTLOOK, BOB, "bob")
    (bot,) = (await staged.door.get("/v1/bots")).json()["results"]
    hers, his = await staged.person_key(ann), await staged.person_key(bob)
    path = f"/v1/bots/{bot['id']}"

    (listed,) = (await his.get("/v1/bots")).json()["results"]
    read = (await his.get(path)).json()
    export = await his.get(f"/v1/calendar/users/{bob}/export")
    stopped = await his.delete(path)
    gone = await his.get(path)
    after = (await hers.get(path)).json()

    (exported,) = export.json()["bots"]
    assert [row["meetbot_calendar_user_ids"] for row in (listed, read, exported)] == [[bob]] * 3
    assert {event_id for row in (listed, read, exported) for event_id in row["event_ids"]} < set(
        bot["event_ids"]
    )
    assert [name for name in (ann, '"ann"', *after["event_ids"]) if name in export.text] == []
    assert (stopped.status_code, stopped.json()["status"]) == (200, "cancelled")
    assert (stopped.json()["meetbot_calendar_user_ids"], gone.status_code) == ([bob], 404)
    assert (after["status"], after["meetbot_calendar_user_ids"]) == ("scheduled", [ann])


@pytest.mark.parametrize("first", [ANN, BOB])
async def test_a_shared_bot_speaks_to_each_person_in_that_persons_own_words(
    staged: Staged, first: str
) -> None:
    config = {"bot_name": "HR", "custom_attributes": {"case": "B-17"}}
    rule = {"name": "Dismissals", "when": True, "action": "record", "bot_config": config}
    ids = {}
    for email, title in TITLES.items():
        staged.stage.hold_meeting(email, title, timedelta(hours=1))
    for email in sorted(TITLES, key=lambda each: each != first):
        ids[email] = await staged.stage.onboard(ACCOUNTS[email], email, email)
        if email == ANN:
            await staged.door.put(f"/v1/calendar/users/{ids[ANN]}/rules", {"rules": [rule]})
        staged.stage.world.clock.advance(timedelta(seconds=1))
    his = await staged.person_key(ids[BOB])
    (bot,) = (await staged.door.get("/v1/bots")).json()["results"]

    answers = [
        await his.get(path)
        for path in (
            "/v1/bots",
            f"/v1/bots/{bot['id']}",
            f"/v1/calendar/users/{ids[BOB]}/export",
            f"/v1/calendar/users/{ids[BOB]}/events",
            "/v1/calendar/scheduled_bots",
            "/v1/calendar/get_events",
        )
    ]

    assert sorted(bot["meetbot_calendar_user_ids"]) == sorted(ids.values())
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    told = {
        (word, answer.url.path)
        for word in ("dismissal", "Dismissals", "B-17", '"HR"')
        for answer in answers
        if word in answer.text
    }
    assert told == set()
    (listed,) = answers[0].json()["results"]
    assert (listed["id"], listed["title"], listed["rule"]) == (bot["id"], "Talk with Ann", None)


async def test_a_tenants_key_cancels_for_the_person_it_names_or_else_for_all(
    staged: Staged,
) -> None:
    staged.stage.hold_meeting(ANN, "Kick-off", timedelta(hours=1), BOB)
    await staged.stage.onboard(Provider.GOOGLE, ANN)
    bob = await staged.stage.onboard(Provider.OUTLOOK, BOB, "bob")
    (bot,) = (await staged.door.get("/v1/bots")).json()["results"]
    path = f"/v1/bots/{bot['id']}"

    await staged.door.delete(path, X_Customer_User_Id="ann")
    named = (await staged.door.get(path)).json()
    unnamed = (await staged.door.delete(path)).json()

    assert (named["status"], named["meetbot_calendar_user_ids"]) == ("scheduled", [bob])
    assert unnamed["status"] == "cancelled"


async def test_a_cancelled_bot_stays_cancelled(staged: Staged) -> None:
    ann, bot = await _one_bot(staged)

    cancelled = await staged.door.delete(f"/v1/bots/{bot['id']}")
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    await staged.stage.settle()

    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert [bot.status for bot in await staged.stage.bots()] == ["cancelled"]


async def test_the_fleets_report_is_taken_only_with_its_signature(staged: Staged) -> None:
    _, bot = await _one_bot(staged)
    body = {"type": "bot.completed", "timestamp": "2026-11-23T12:00:00Z", "data": {}}

    unsigned = await staged.with_key(None).post(f"/v1/bots/{bot['id']}/status", body)

    assert (unsigned.status_code, unsigned.json()["code"]) == (401, "tampered")
    assert (await staged.door.get(f"/v1/bots/{bot['id']}")).json()["status"] == "scheduled"


async def test_use_is_counted_by_outcome_and_by_person(staged: Staged) -> None:
    ann, _ = await _one_bot(staged)
    await staged.stage.pass_time(timedelta(minutes=58, seconds=30))
    await staged.stage.pass_time(timedelta(minutes=2))
    await staged.stage.pass_time(timedelta(minutes=31))

    usage = (await staged.door.get("/v1/usage")).json()
    none = await staged.door.get("/v1/usage?from=2027-01-01T00:00:00Z&to=2027-02-01T00:00:00Z")
    wrong = await staged.door.get("/v1/usage?from=2027-01-01T00:00:00Z&to=2026-01-01T00:00:00Z")

    assert (usage["from"], usage["bots"], usage["connections"]) == (
        "2026-11-01T00:00:00Z",
        {"completed": 1},
        1,
    )
    assert usage["recorded_seconds"] > 0
    assert [(row["user_id"], row["bots"]) for row in usage["calendar_users"]] == [
        (ann, {"completed": 1})
    ]
    assert none.json()["bots"] == {}
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/query/from")
