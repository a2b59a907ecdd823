"""What holds for every rule and every event."""

import contextlib
import json
import math
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules import evaluate
from rules.budget import RULE_STEPS, Fuel, OutOfBudget
from rules.decision import Case, decide
from rules.facts import Facts, as_data
from rules.language import UnknownOperator
from rules.parse import Fault, RuleSetInvalid, decode_rule_set, parse_rule_set
from tests.unit.rules.rule_strategies import ANY_JSON, FACTS, RULES


def faults_of(parse: Callable[[Any], object], document: object) -> tuple[Fault, ...]:
    """Give what is wrong with a document; nothing where it is taken."""
    try:
        parse(document)
    except RuleSetInvalid as refusal:
        return refusal.faults
    return ()


def same(left: Any, right: Any) -> bool:
    """Compare JSON values so that NaN equals NaN, and 1 does not equal true."""
    return repr(left) == repr(right)


@given(ANY_JSON, ANY_JSON)
def test_any_json_has_a_value_or_a_stated_error(logic: Any, data: Any) -> None:
    with contextlib.suppress(OutOfBudget, UnknownOperator):
        evaluate(logic, data)


@given(ANY_JSON)
def test_any_json_is_a_rule_set_or_is_refused_with_pointers(document: Any) -> None:
    faults = faults_of(parse_rule_set, document)

    assert all(fault.pointer == "" or fault.pointer[0] == "/" for fault in faults)


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    faults = faults_of(decode_rule_set, body)

    assert faults or same(decode_rule_set(body), json.loads(body))


@given(RULES, FACTS)
def test_a_rule_that_passed_the_door_gives_what_plain_evaluation_gives(
    when: Any, facts: Facts
) -> None:
    try:
        rule = parse_rule_set({"rules": [{"name": "r", "action": "skip", "when": when}]}).rules[0]
    except RuleSetInvalid:
        return

    value = rule.when.run(as_data(facts), Fuel(RULE_STEPS))

    assert same(value, evaluate(when, as_data(facts)))


@given(RULES, FACTS)
def test_a_rule_that_passed_the_door_always_ends_in_a_decision(when: Any, facts: Facts) -> None:
    document = {"default": "skip", "rules": [{"name": "r", "action": "record", "when": when}]}
    try:
        rule_set = parse_rule_set(document)
    except RuleSetInvalid:
        return

    plain = decide(Case(facts=facts, has_link=True, has_times=True, rule_set=rule_set))
    traced = decide(Case(facts=facts, has_link=True, has_times=True, rule_set=rule_set), trace=True)

    assert plain.detail == traced.detail
    assert plain.action in {"record", "skip"}


@given(RULES, FACTS)
def test_evaluating_changes_neither_the_logic_nor_the_data(when: Any, facts: Facts) -> None:
    data = as_data(facts)
    before = repr((when, data))

    evaluate(when, data)

    assert repr((when, data)) == before


@given(st.lists(st.one_of(st.integers(-9, 9), st.floats(-9, 9)), min_size=1, max_size=5))
def test_sums_are_the_sums_of_python(numbers: list[float]) -> None:
    total = evaluate({"+": numbers})

    assert math.isclose(total, sum(numbers), abs_tol=1e-9)
