"""Attempts by rule: patterns that never end, documents that swell, names that lead elsewhere."""

import time
from datetime import timedelta
from typing import Any

import pytest

from tests.attacks.scene import EVE, Scene

LONG = 2.0  # seconds that no rule may take, whatever the machine does beside


def nested(depth: int) -> Any:
    rule: Any = True
    for _ in range(depth):
        rule = {"!": [rule]}
    return rule


def rule_set(when: Any, **more: Any) -> dict[str, Any]:
    return {"default": "skip", "rules": [{"name": "x", "action": "record", "when": when}], **more}


REFUSED: dict[str, Any] = {
    "nested 65 deep": rule_set(nested(65)),
    "nested 150 deep": rule_set(nested(150)),
    "larger than 64 KiB": rule_set({"in": ["x" * 70_000, {"var": "title"}]}),
    "101 rules": {"default": "skip", "rules": rule_set(True)["rules"] * 101},
    "an unknown operator": rule_set({"__import__": ["os"]}),
    "an operator of another engine": rule_set({"log": 1, "eval": "1"}),
    "a variable of Python's": rule_set({"var": "__class__.__mro__"}),
    "a variable of JavaScript's": rule_set({"var": "constructor.prototype"}),
    "a variable beyond the facts": rule_set({"var": "../../tenant.secret"}),
    "a pattern that backtracks elsewhere": rule_set({"matches": [{"var": "title"}, "(a)\\1"]}),
    "a pattern that looks around": rule_set({"matches": [{"var": "title"}, "(?=a)b"]}),
    "a pattern that swells": rule_set({"matches": [{"var": "title"}, "((a{1000}){1000}){1000}"]}),
    "a pattern that does not end": rule_set({"matches": [{"var": "title"}, "("]}),
    "an action of one's own": {"default": "explode", "rules": []},
    "a field of one's own": rule_set(True, tenant_id="ten_other"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_rule_set_that_could_do_harm_is_refused_with_its_place(
    scene: Scene, what: str
) -> None:
    path = f"/v1/calendar/users/{scene.mallory.user_id}/rules"
    before = (await scene.mallory.tenant.get(path)).json()

    answer = await scene.mallory.tenant.put(path, REFUSED[what])

    assert answer.status_code in (400, 413, 422), answer.text
    assert answer.status_code != 422 or answer.json()["errors"]
    assert (await scene.mallory.tenant.get(path)).json() == before


BOMBS: dict[str, Any] = {
    "a classic of backtracking": {"matches": ["a" * 30_000 + "!", "(a+)+$"]},
    "another": {"matches": ["a" * 30_000, "(a|a)*b"]},
    "many choices": {"matches": ["x" * 10_000, "(.*)(.*)(.*)(.*)(.*)y"]},
    "loops in loops": {
        "map": [
            list(range(300)),
            {"map": [list(range(300)), {"map": [list(range(300)), {"var": ""}]}]},
        ]
    },
    "doubling": {"reduce": [list(range(200)), {"cat": [{"var": "accumulator"}] * 2}, "x" * 100]},
    "merging": {"reduce": [list(range(200)), {"merge": [{"var": "accumulator"}] * 2}, [1]]},
    "numbers without end": {"*": [1e308] * 50},
    "dividing by nothing": {"/": [1, 0]},
    "a remainder of nothing": {"%": [1, 0]},
    "a text from beyond": {"substr": ["abc", -(10**15), 10**15]},
}


@pytest.mark.parametrize("what", BOMBS)
async def test_a_rule_that_would_take_for_ever_is_refused_or_ends_soon(
    scene: Scene, what: str
) -> None:
    path = f"/v1/calendar/users/{scene.mallory.user_id}/rules/preview"
    begun = time.process_time()

    answer = await scene.mallory.tenant.post(path, rule_set(BOMBS[what]))

    assert time.process_time() - begun < LONG
    assert answer.status_code in (200, 422), answer.text
    assert len(answer.content) < 1 << 20


async def test_rules_of_one_tenant_see_no_fact_of_another(scene: Scene) -> None:
    path = f"/v1/calendar/users/{scene.mallory.user_id}/rules/preview"
    scene.mallory.stage.hold_meeting(EVE, "Our own", timedelta(hours=1))
    await scene.mallory.stage.settle()
    seen = rule_set({"in": ["acme.example", {"cat": [{"var": "attendee_emails"}]}]})

    told = (await scene.mallory.tenant.post(path, seen)).json()["results"]

    decided = [row["decision"] for row in told]
    assert {d["action"] for d in decided if d["source"] in ("rule", "default")} == {"skip"}
