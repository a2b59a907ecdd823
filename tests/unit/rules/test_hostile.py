"""Rules and data made to stall a worker, fill its memory or reach out of the language."""

from typing import Any

import pytest

from rules import evaluate
from rules.budget import LONGEST_TEXT, OutOfBudget
from rules.decision import Case, decide
from rules.facts import AttendeeFact, Facts, UserFact
from rules.parse import parse_rule_set

ITEMS = list(range(100_000))
CURRENT = {"var": "current"}
TOTAL = {"var": "accumulator"}


def loops(depth: int, body: Any) -> Any:
    """Nest loops over a list that stands in the rule, which is what makes work grow in powers."""
    for _ in range(depth):
        body = {"map": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], body]}
    return body


def squared(op: str, seed: Any) -> Any:
    return {"reduce": [{"var": "items"}, {op: [TOTAL, TOTAL]}, seed]}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "logic",
    [
        loops(8, True),
        loops(20, {"+": [1, 1]}),
        {"all": [[1] * 100, {"all": [[1] * 100, {"all": [[1] * 100, {"all": [[1] * 100, 1]}]}]}]},
        squared("cat", "ab"),
        squared("merge", [1]),
        {"reduce": [{"var": "items"}, {"merge": [TOTAL, [TOTAL]]}, []]},
        {"reduce": [{"var": "items"}, {"cat": [TOTAL, {"var": "accumulator"}, "x"]}, "x"]},
        {"cat": {"map": [{"var": "items"}, "x" * 50_000]}},
        {"cat": [{"reduce": [{"var": "items"}, [TOTAL, TOTAL], "ab"]}]},
        {"==": [{"reduce": [{"var": "items"}, [TOTAL, TOTAL], "ab"]}, "x"]},
        {"reduce": [{"var": "items"}, [TOTAL, TOTAL], "ab"]},
        {"map": [{"var": "items"}, list(range(1_000))]},
        {"map": [{"var": "items"}, {"map": [[1] * 50, {"substr": ["x" * 9_000, 1]}]}]},
        {"reduce": [{"var": "items"}, {"if": [{"in": [[1], TOTAL]}, 1, TOTAL]}, {"var": "items"}]},
        {"reduce": [{"var": "items"}, {"if": [{"==": [TOTAL, "x"]}, 1, TOTAL]}, {"var": "items"}]},
        {"reduce": [{"var": "items"}, {"if": [{"intersects": [TOTAL, TOTAL]}, TOTAL]}, [1] * 999]},
        {"intersects": [{"var": "items"}, {"var": "items"}]},
    ],
)
def test_work_without_end_runs_out_of_budget(logic: Any) -> None:
    with pytest.raises(OutOfBudget):
        evaluate(logic, {"items": ITEMS})


@pytest.mark.timeout(20)
@pytest.mark.parametrize("op", ["+", "*", "-", "max"])
def test_numbers_do_not_grow_without_end(op: str) -> None:
    value = evaluate(
        {"reduce": [{"var": "items"}, {op: [TOTAL, TOTAL]}, 3]}, {"items": ITEMS[:20_000]}
    )

    assert value in {3, 0, float("inf")}


def test_text_is_built_up_to_a_limit() -> None:
    half = "x" * (LONGEST_TEXT // 2)

    assert len(evaluate({"cat": [{"var": ""}, {"var": ""}]}, half)) == LONGEST_TEXT
    with pytest.raises(OutOfBudget):
        evaluate({"cat": [{"var": ""}, {"var": ""}, "x"]}, half)


def test_large_data_is_handed_through_as_it_is() -> None:
    data = [[0]] * 1_500_000

    assert evaluate({"var": ""}, data) is data


@pytest.mark.parametrize(
    "path",
    [
        *("__class__", "title.__class__", "__class__.__mro__", "append", "items.append"),
        *("title.upper", "constructor", "__proto__", "toString", "items.__len__"),
    ],
)
def test_no_path_reaches_what_python_or_javascript_would_add(path: str) -> None:
    data = {"title": "x", "items": [1]}

    assert evaluate({"var": [path, "nothing"]}, data) == "nothing"
    assert evaluate({"missing": [path]}, data) == [path]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("pattern", "found"),
    [("(a+)+$", False), ("(a|a)*$", True), ("(.*a){30}", True), ("(?i)(a|b|ab)*c", False)],
)
def test_patterns_that_choke_backtracking_are_harmless(pattern: str, found: bool) -> None:
    assert evaluate({"matches": [{"var": "t"}, pattern]}, {"t": "a" * 50_000 + "!"}) is found


def hostile_case(when: Any, then: Any = True) -> Case:
    document = {
        "rules": [
            {"name": "hostile", "action": "skip", "when": when},
            {"name": "after", "action": "record", "when": then},
        ]
    }
    guests = tuple(AttendeeFact(email=f"guest{number}@acme.com") for number in range(2_000))
    facts = Facts(
        title="t" * 1_000,
        description="d" * 16_000,
        attendees=guests,
        attendee_emails=tuple(guest.email or "" for guest in guests),
        user=UserFact(attributes={"tree": nested(900)}),
    )
    return Case(facts=facts, has_link=True, has_times=True, rule_set=parse_rule_set(document))


def nested(depth: int) -> Any:
    tree: Any = "leaf"
    for _ in range(depth):
        tree = [tree]
    return tree


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "when",
    [
        {"some": [{"var": "attendees"}, {"none": [list(range(900)), {"<": [{"var": ""}, 0]}]}]},
        {"all": [{"var": "attendees"}, loops(6, 1)]},
        {"reduce": [{"var": "attendee_emails"}, {"cat": [TOTAL, TOTAL, CURRENT]}, ""]},
        {"matches": [{"var": "description"}, "(?:.*[a-z]){200}!"]},
        {"==": [{"var": "user.attributes.tree"}, "x"]},
        {"cat": [{"var": "user.attributes.tree"}]},
    ],
)
def test_a_rule_that_runs_out_of_budget_is_passed_over_and_named(when: Any) -> None:
    decision = decide(hostile_case(when))

    assert (decision.action, decision.rule) == ("record", "after")
    assert decision.errors == ("hostile",)


def test_a_list_of_customers_costs_next_to_nothing_in_a_loop() -> None:
    customers = [f"customer{number}.com" for number in range(1_900)]
    when = {"some": [{"var": "attendees"}, {"in": [{"var": "domain"}, customers]}]}

    decision = decide(hostile_case(when))

    assert decision.errors == ()


@pytest.mark.timeout(20)
def test_a_hundred_hostile_rules_end_in_one_decision() -> None:
    when = {"all": [{"var": "attendees"}, {"all": [[1] * 100, {"!!": {"var": ""}}]}]}
    names = [f"rule {number}" for number in range(100)]
    document = {"rules": [{"name": name, "action": "skip", "when": when} for name in names]}
    case = hostile_case(True)

    decision = decide(
        Case(
            facts=case.facts,
            has_link=True,
            has_times=True,
            policy=case.rule_set and parse_rule_set(document),
            auto_schedule=True,
        )
    )

    assert (decision.action, decision.source, decision.reason) == ("record", "auto", "rule_error")
    assert decision.errors == tuple(names)
