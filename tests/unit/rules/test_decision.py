from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from rules.decision import Case, Decision, Step, decide
from rules.facts import AttendeeFact, Facts, UserFact
from rules.parse import RuleSet, parse_policy, parse_rule_set

FACTS = Facts(
    title="Weekly stand-up",
    domains=("acme.com", "customer.com"),
    attendee_count=3,
    is_internal=False,
    my_response="accepted",
)
RECORDS = {"rules": [{"name": "all", "action": "record", "when": True}]}
SKIPS = {"rules": [{"name": "none", "action": "skip", "when": True}]}


def rules(*listed: dict[str, Any], default: str | None = None) -> RuleSet:
    return parse_rule_set({"rules": list(listed), "default": default})


def rule(name: str, action: str, when: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "action": action, "when": when} | more


def case(**more: Any) -> Case:
    return Case(**{"facts": FACTS, "has_link": True, "has_times": True} | more)


@pytest.mark.parametrize(
    ("more", "reason", "detail"),
    [
        (
            {"has_link": False},
            "no_meeting_link",
            "The event has no meeting link that a bot could join.",
        ),
        (
            {"facts": Facts(is_all_day=True)},
            "all_day",
            "The event is all day: it has no hour at which a bot could join.",
        ),
        ({"has_times": False}, "no_times", "The event has no start and end."),
        ({"is_cancelled": True}, "cancelled", "The event is cancelled."),
        (
            {"is_over": True, "facts": Facts(end=datetime(2026, 11, 20, 10, tzinfo=UTC))},
            "ended",
            "The event ended at 2026-11-20T10:00:00Z.",
        ),
    ],
)
def test_an_event_that_no_bot_could_join_is_skipped(
    more: dict[str, Any], reason: str, detail: str
) -> None:
    decision = decide(case(override="record", rule_set=parse_rule_set(RECORDS), **more))

    assert decision == Decision(action="skip", source="precondition", reason=reason, detail=detail)


def test_obstacles_speak_in_the_contracts_order() -> None:
    facts = Facts(is_all_day=True)
    everything = {"has_link": False, "has_times": False, "is_cancelled": True, "is_over": True}
    reasons = []
    for cleared in ({}, {"has_link": True}, {"facts": Facts()}, {"has_times": True}):
        everything |= cleared
        reasons.append(decide(case(**{"facts": facts} | everything)).reason)
    reasons.append(decide(case(is_cancelled=True, is_over=True)).reason)

    assert reasons == ["no_meeting_link", "all_day", "no_times", "cancelled", "cancelled"]


def test_an_opt_out_beats_a_persons_choice_and_every_rule() -> None:
    sentence = "bob@customer.com has opted out of being recorded."

    decision = decide(case(opted_out=sentence, override="record", rule_set=parse_rule_set(RECORDS)))

    assert decision == Decision(action="skip", source="policy", reason="opted_out", detail=sentence)


@pytest.mark.parametrize(
    ("override", "detail"),
    [
        ("record", "A person chose this event to be recorded."),
        ("skip", "A person chose this event not to be recorded."),
    ],
)
def test_a_persons_choice_beats_a_refusal_the_policy_and_the_rules(
    override: str, detail: str
) -> None:
    other = RECORDS if override == "skip" else SKIPS
    facts = msgspec.structs.replace(FACTS, my_response="declined")

    decision = decide(
        case(
            facts=facts,
            override=override,
            policy=parse_policy(SKIPS),
            rule_set=parse_rule_set(other),
        )
    )

    assert decision == Decision(action=override, source="override", reason="manual", detail=detail)


def test_a_declined_event_is_skipped_whatever_the_rules_say() -> None:
    facts = msgspec.structs.replace(FACTS, my_response="declined")

    decision = decide(case(facts=facts, rule_set=parse_rule_set(RECORDS)))

    assert decision == Decision(
        action="skip",
        source="precondition",
        reason="declined",
        detail="The calendar's owner declined: my_response is “declined”.",
    )


def test_a_tenant_may_have_declined_events_recorded() -> None:
    facts = msgspec.structs.replace(FACTS, my_response="declined")

    decision = decide(case(facts=facts, rule_set=parse_rule_set(RECORDS), record_declined=True))

    assert (decision.action, decision.source) == ("record", "rule")


def test_the_tenants_policy_beats_the_users_rules() -> None:
    policy = parse_policy(
        [rule("no customers", "skip", {"in": ["customer.com", {"var": "domains"}]})]
    )

    decision = decide(case(policy=policy, rule_set=parse_rule_set(RECORDS)))

    assert decision == Decision(
        action="skip",
        source="policy",
        rule="no customers",
        reason="matched",
        detail='Rule “no customers” says skip: domains is ["acme.com", "customer.com"].',
    )


def test_a_policy_that_does_not_match_leaves_the_rules_to_decide() -> None:
    policy = parse_policy([rule("never", "skip", {"var": "is_internal"})])

    decision = decide(case(policy=policy, rule_set=parse_rule_set(RECORDS)))

    assert (decision.source, decision.rule) == ("rule", "all")


def test_the_first_rule_that_matches_decides() -> None:
    rule_set = rules(
        rule("internal", "skip", {"var": "is_internal"}),
        rule(
            "customers", "record", {"in": ["customer.com", {"var": "domains"}]}, bot_config={"a": 1}
        ),
        rule("stand-ups", "skip", {"matches": [{"var": "title"}, "(?i)stand-?up"]}),
        default="skip",
    )

    decision = decide(case(rule_set=rule_set))

    assert decision == Decision(
        action="record",
        source="rule",
        rule="customers",
        reason="matched",
        detail='Rule “customers” says record: domains is ["acme.com", "customer.com"].',
        bot_config={"a": 1},
    )


def test_the_users_default_decides_where_no_rule_matches() -> None:
    decision = decide(case(rule_set=rules(default="record")))

    assert decision == Decision(
        action="record",
        source="default",
        reason="no_match",
        detail="No rule matched; the default is record.",
    )


def test_the_tenants_rules_stand_in_where_the_user_has_none() -> None:
    decision = decide(case(tenant_default=parse_rule_set(RECORDS)))

    assert (decision.source, decision.rule) == ("rule", "all")


def test_the_tenants_rules_are_not_asked_where_the_user_has_some() -> None:
    tenant = parse_rule_set(RECORDS)

    decision = decide(case(rule_set=rules(), tenant_default=tenant))

    assert (decision.action, decision.source) == ("skip", "auto")


def test_the_tenants_default_stands_in_where_the_users_rules_have_none() -> None:
    decision = decide(case(rule_set=rules(), tenant_default=rules(default="record")))

    assert (decision.action, decision.source) == ("record", "default")


@pytest.mark.parametrize(
    ("auto", "action", "state"), [(True, "record", "on"), (False, "skip", "off")]
)
def test_without_any_default_automatic_scheduling_decides(
    auto: bool, action: str, state: str
) -> None:
    decision = decide(case(auto_schedule=auto))

    assert decision == Decision(
        action=action,
        source="auto",
        reason="no_match",
        detail=f"No rule matched, and there is no default; automatic scheduling is {state}.",
    )


def exhausting() -> Any:
    return {"all": [[1] * 100, {"all": [[1] * 100, {"all": [[1] * 100, {"!!": {"var": ""}}]}]}]}


def test_a_rule_without_end_is_passed_over_and_named() -> None:
    rule_set = rules(rule("endless", "skip", exhausting()), rule("next", "record", True))

    decision = decide(case(rule_set=rule_set))

    assert decision == Decision(
        action="record",
        source="rule",
        rule="next",
        reason="matched",
        detail="Rule “next” says record: its condition holds. Passed over, because they "
        "needed more steps than a rule may take: “endless”.",
        errors=("endless",),
    )


def test_where_nothing_else_matched_a_rule_without_end_is_the_reason() -> None:
    decision = decide(case(rule_set=rules(rule("endless", "skip", exhausting()), default="record")))

    assert decision == Decision(
        action="record",
        source="default",
        reason="rule_error",
        detail="No rule matched; the default is record. Passed over, because they needed more "
        "steps than a rule may take: “endless”.",
        errors=("endless",),
    )


def test_what_the_provider_hides_is_named() -> None:
    facts = Facts(guest_list_hidden=True, visibility="private")

    decision = decide(case(facts=facts, rule_set=rules(default="skip")))

    assert decision.detail == (
        "No rule matched; the default is skip. "
        "The provider hides the guest list: what depends on it is unknown. "
        "The event is private: its title and details are hidden."
    )


@pytest.mark.parametrize(
    "when",
    [
        {"var": "is_internal"},
        {"var": "is_external"},
        {"var": "is_one_on_one"},
        {"in": ["customer.com", {"var": "domains"}]},
        {"intersects": [{"var": "external_domains"}, ["customer.com"]]},
        {"some": [{"var": "attendees"}, True]},
        {">": [{"var": "attendee_count"}, 1]},
        {"between": [{"var": "attendee_count"}, 0, 100]},
        {"matches": [{"var": "title"}, ".*"]},
    ],
)
def test_what_is_unknown_makes_no_rule_hold(when: Any) -> None:
    facts = Facts(guest_list_hidden=True)

    decision = decide(case(facts=facts, rule_set=rules(rule("r", "record", when), default="skip")))

    assert decision.reason == "no_match"


@pytest.mark.parametrize(
    ("when", "because"),
    [
        ({"or": [{"var": "is_internal"}, {"in": ["x", ["x"]]}, True]}, "its condition holds"),
        (
            {"or": [{"var": "is_internal"}, {">": [{"var": "attendee_count"}, 2]}]},
            "attendee_count is 3",
        ),
        (
            {"and": [{">": [{"var": "attendee_count"}, 2]}, {"!": {"var": "is_internal"}}]},
            "attendee_count is 3, is_internal is false",
        ),
        (
            {"if": [{"var": "is_internal"}, False, {"==": [{"var": "my_response"}, "accepted"]}]},
            'is_internal is false, my_response is "accepted"',
        ),
        (
            {"some": [{"var": "attendees"}, {"==": [{"var": "domain"}, "acme.com"]}]},
            "attendees is a list of 2",
        ),
        (
            {"in": ["e@x", {"var": "attendee_emails"}]},
            'attendee_emails is ["a@x", "b@x", "c@x", "d@x", "e@x"] and 2 more',
        ),
        (
            {"==": [{"var": "user.attributes.team"}, "sales"]},
            'user.attributes.team is "sales"',
        ),
        ({"starts_with": [{"var": "title"}, "Week"]}, f'title is "Weekly{"!" * 72}…'),
    ],
)
def test_the_detail_names_the_values_that_decided(when: Any, because: str) -> None:
    facts = msgspec.structs.replace(
        FACTS,
        title="Weekly" + "!" * 200,
        attendees=(AttendeeFact(domain="acme.com"), AttendeeFact(domain="customer.com")),
        attendee_emails=tuple(f"{letter}@x" for letter in "abcdefg"),
        user=UserFact(attributes={"team": "sales"}),
    )

    decision = decide(case(facts=facts, rule_set=rules(rule("r", "record", when))))

    assert decision.detail == f"Rule “r” says record: {because}."


def test_a_trace_tells_what_every_rule_made_of_the_event() -> None:
    rule_set = rules(
        rule("endless", "skip", exhausting()),
        rule("internal", "skip", {"and": [{"var": "is_internal"}, {"var": "title"}]}),
        rule("small", "record", {"<": [{"var": "attendee_count"}, 9]}),
        rule("never asked", "skip", True),
    )
    policy = parse_policy([rule("board", "skip", {"in": ["board", {"var": "title"}]})])

    decision = decide(case(policy=policy, rule_set=rule_set), trace=True)

    assert decision.trace == (
        Step(
            rule="board",
            source="policy",
            outcome="not_matched",
            because={"title": "Weekly stand-up"},
        ),
        Step(rule="endless", source="rule", outcome="error", because={}),
        Step(rule="internal", source="rule", outcome="not_matched", because={"is_internal": False}),
        Step(rule="small", source="rule", outcome="matched", because={"attendee_count": 3}),
    )


def test_no_trace_is_kept_unless_asked_for() -> None:
    assert decide(case(rule_set=parse_rule_set(RECORDS))).trace is None


def test_a_rule_that_is_too_dear_to_explain_still_decides() -> None:
    passes = {"all": [[1] * 100, {"all": [[1] * 100, {"!!": {"var": ""}}]}]}
    when = {"and": [True, {"and": [True, {"and": [passes, passes, {"var": "title"}]}]}]}

    decision = decide(case(rule_set=rules(rule("dear", "record", when))), trace=True)

    assert decision.detail == "Rule “dear” says record: its condition holds."
    assert decision.trace == (Step(rule="dear", source="rule", outcome="matched", because={}),)


def test_a_decision_can_be_stored_as_json() -> None:
    decision = decide(case(rule_set=parse_rule_set(RECORDS)), trace=True)

    stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)

    assert stored == decision
