"""Rules: saved in versions, tried without effect, restored, taken away."""

from datetime import timedelta

import pytest

from tests.journeys.stage import MEET
from tests.web.house import Json
from tests.web.staged import RECORD_ALL, SKIP_ALL, Staged

STANDUPS: Json = {
    "default": "record",
    "rules": [
        {
            "name": "standups",
            "action": "skip",
            "when": {"matches": [{"var": "title"}, "(?i)stand-?up"]},
        }
    ],
}


async def test_saved_rules_take_effect_at_once_and_say_so(staged: Staged) -> None:
    await staged.meet("Kick-off", hours=1, link=MEET)
    await staged.meet("Daily standup", hours=3, link="https://zoom.us/j/5551112222")
    ann = await staged.ann()
    path = f"/v1/calendar/users/{ann}/rules"

    first = (await staged.door.put(path, RECORD_ALL)).json()
    second = (await staged.door.put(path, STANDUPS)).json()

    assert first["effects"] == {"scheduled": 2, "cancelled": 0, "unchanged": 0}
    assert second == {
        "version": 2,
        "updated_at": "2026-11-23T12:00:00Z",
        "rules": STANDUPS["rules"],
        "default": "record",
        "effects": {"scheduled": 0, "cancelled": 1, "unchanged": 1},
    }
    statuses = {bot.content.title: bot.status for bot in await staged.stage.bots()}
    assert statuses == {"Kick-off": "scheduled", "Daily standup": "cancelled"}


async def test_rules_that_are_not_there_are_missing_and_versions_stay(staged: Staged) -> None:
    ann = await staged.ann()
    path = f"/v1/calendar/users/{ann}/rules"

    before = await staged.door.get(path)
    await staged.door.put(path, SKIP_ALL)
    read = (await staged.door.get(path)).json()
    removed = await staged.door.delete(path)
    after = await staged.door.get(path)
    again = await staged.door.delete(path)
    versions = (await staged.door.get(f"{path}/versions")).json()["results"]

    assert (before.status_code, before.json()["code"]) == (404, "no_rules")
    assert (read["version"], read["default"], read["rules"]) == (1, "skip", [])
    assert removed.json() == {"scheduled": 0, "cancelled": 0, "unchanged": 0}
    assert (after.status_code, again.status_code) == (404, 404)
    assert [(row["version"], row["removed"]) for row in versions] == [(2, True), (1, False)]
    assert all(row["saved_by"].startswith("key_") for row in versions)


async def test_of_two_editors_the_second_is_told_that_somebody_saved_meanwhile(
    staged: Staged,
) -> None:
    ann = await staged.ann()
    path = f"/v1/calendar/users/{ann}/rules"
    seen = (await staged.door.put(path, SKIP_ALL)).headers["etag"]

    first = await staged.door.put(path, STANDUPS, If_Match=seen)
    second = await staged.door.put(path, RECORD_ALL, If_Match=seen)
    removed = await staged.door.delete(path, If_Match=seen)
    unread = await staged.door.put(path, RECORD_ALL, If_Match="newest")
    standing = await staged.door.get(path)

    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    assert (second.status_code, second.json()["code"]) == (412, "rules_changed")
    assert (removed.status_code, unread.status_code) == (412, 400)
    assert (standing.headers["etag"], standing.json()["rules"]) == ('"2"', STANDUPS["rules"])


async def test_a_trace_tells_what_each_rule_made_of_an_event(staged: Staged) -> None:
    await staged.meet("Daily standup", hours=3, link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", STANDUPS)
    events = (await staged.door.get(f"/v1/calendar/users/{ann}/events")).json()["results"]

    event = await staged.door.get(f"/v1/calendar/users/{ann}/events/{events[0]['id']}?trace=true")
    tried = await staged.door.post(f"/v1/calendar/users/{ann}/rules/preview", {"trace": True})

    steps = event.json()["decision"]["trace"]
    assert [(step["rule"], step["outcome"]) for step in steps] == [
        (STANDUPS["rules"][0]["name"], "matched")
    ]
    assert steps[0]["because"] == {"title": "Daily standup"}
    assert tried.json()["results"][0]["decision"]["trace"] == steps
    assert "trace" not in events[0]["decision"]


async def test_an_earlier_version_is_restored_as_the_newest(staged: Staged) -> None:
    ann = await staged.ann()
    path = f"/v1/calendar/users/{ann}/rules"
    await staged.door.put(path, STANDUPS)
    await staged.door.put(path, SKIP_ALL)

    restored = (await staged.door.post(f"{path}/restore", {"version": 1})).json()
    missing = await staged.door.post(f"{path}/restore", {"version": 9})

    assert (restored["version"], restored["rules"]) == (3, STANDUPS["rules"])
    assert missing.status_code == 404


async def test_rules_are_tried_without_any_effect(staged: Staged) -> None:
    await staged.meet("Kick-off", hours=1, link=MEET)
    await staged.meet("Daily standup", hours=3, link="https://zoom.us/j/5551112222")
    ann = await staged.ann()
    path = f"/v1/calendar/users/{ann}/rules"
    await staged.door.put(path, RECORD_ALL)

    tried = (await staged.door.post(f"{path}/preview", STANDUPS)).json()["results"]
    standing = (await staged.door.post(f"{path}/preview", {})).json()["results"]

    assert [(r["event"]["title"], r["decision"]["action"], r["changes"]) for r in tried] == [
        ("Kick-off", "record", False),
        ("Daily standup", "skip", True),
    ]
    assert tried[1]["decision"]["rule"] == "standups"
    assert {row["decision"]["action"] for row in standing} == {"record"}
    assert {bot.status for bot in await staged.stage.bots()} == {"scheduled"}


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"rules": [{"name": "x", "action": "record", "when": {"frob": [1]}}]}', "/rules/0/when"),
        (b'{"rules": [{"name": "x", "action": "record", "when": {"var": "titel"}}]}', "/rules/0"),
        (b'{"rules": [{"name": "x", "action": "dance", "when": true}]}', "/rules/0/action"),
        (b'{"rules": [], "default": "maybe"}', "/default"),
        (b'{"rules": [], "colour": "red"}', "/colour"),
        (b'{"rules": [], "rules": []}', "/rules"),
        (b"[]", ""),
        (b"nonsense", ""),
        (b'{"rules": ' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
        (b'{"rules": [{"name": "' + b"x" * 70_000 + b'"}]}', ""),
    ],
)
async def test_rules_that_cannot_be_are_refused_with_their_place(
    staged: Staged, raw: bytes, pointer: str
) -> None:
    ann = await staged.ann()

    answer = await staged.door.send("PUT", f"/v1/calendar/users/{ann}/rules", raw)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_rules")
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


async def test_a_preview_refuses_what_saving_would(staged: Staged) -> None:
    ann = await staged.ann()
    body = {"rules": [{"name": "x", "action": "record", "when": {"frob": []}}]}

    answer = await staged.door.post(f"/v1/calendar/users/{ann}/rules/preview", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_rules")


async def test_nobodys_rules_are_not_there(staged: Staged) -> None:
    path = "/v1/calendar/users/mcu_nobody/rules"

    answers = [
        await staged.door.get(path),
        await staged.door.put(path, SKIP_ALL),
        await staged.door.delete(path),
        await staged.door.post(f"{path}/preview", {}),
        await staged.door.post(f"{path}/restore", {"version": 1}),
        await staged.door.get(f"{path}/versions"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 6


async def test_attributes_are_read_by_rules_when_they_change(staged: Staged) -> None:
    await staged.meet("Kick-off", hours=1, link=MEET)
    ann = await staged.ann()
    when = {"==": [{"var": "user.attributes.team"}, "sales"]}
    rules = {"default": "skip", "rules": [{"name": "sales", "action": "record", "when": when}]}
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", rules)

    changed = await staged.door.patch(
        f"/v1/calendar/users/{ann}", {"attributes": {"team": "sales"}}
    )
    await staged.stage.settle()

    assert changed.json()["attributes"] == {"team": "sales"}
    assert [bot.status for bot in await staged.stage.bots()] == ["scheduled"]


async def test_the_vocabulary_and_ready_made_rules_are_there_to_read(staged: Staged) -> None:
    schema = (await staged.door.get("/v1/calendar/event-schema")).json()
    presets = (await staged.door.get("/v1/calendar/rule-presets")).json()["results"]

    assert "is_one_on_one" in schema["properties"]
    assert {"name", "title", "sentence", "rule"} == set(presets[0])


async def test_a_policy_rule_beats_a_persons_own(staged: Staged) -> None:
    await staged.meet("Kick-off", hours=1, link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    never = {"rules": [{"name": "never", "action": "skip", "when": {"!": [False]}}]}

    await staged.door.patch("/v1/tenant", {"policy_rules": never})
    await staged.stage.pass_time(timedelta(seconds=1))

    assert [bot.status for bot in await staged.stage.bots()] == ["cancelled"]
