from typing import Any

import pytest

from rules.decision import Case, decide
from rules.facts import Facts, Person, UserFact
from rules.parse import parse_rule_set
from rules.presets import presets

BY_NAME = {preset["name"]: preset for preset in presets()}


def test_every_ready_made_rule_is_there() -> None:
    assert list(BY_NAME) == [
        "internal",
        "external_only",
        "customers",
        "manager_one_on_one",
        "skip_private",
        "accepted_only",
        "organizer_only",
        "working_hours",
        "skip_titles",
        "large_meetings",
    ]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_preset_says_what_it_does_and_passes_the_door(name: str) -> None:
    preset = BY_NAME[name]

    assert set(preset) == {"name", "title", "sentence", "rule"}
    assert preset["sentence"].endswith(".")
    assert preset["title"] == preset["rule"]["name"]
    assert len(parse_rule_set({"rules": [preset["rule"]]}).rules) == 1


@pytest.mark.parametrize(
    ("name", "matching", "other"),
    [
        ("internal", {"is_internal": True}, {"is_internal": False}),
        ("internal", {"is_internal": True}, {"is_internal": None}),
        ("external_only", {"is_external": False}, {"is_external": True}),
        ("external_only", {"is_external": None}, {"is_external": True}),
        ("customers", {"domains": ("acme.com", "customer.org")}, {"domains": ("acme.com",)}),
        ("customers", {"domains": ("eu.customer.com",)}, {"domains": ("notcustomer.com",)}),
        (
            "manager_one_on_one",
            {"is_one_on_one": True, "attendee_emails": ("me@acme.com", "boss@acme.com")},
            {"is_one_on_one": True, "attendee_emails": ("me@acme.com", "bob@acme.com")},
        ),
        (
            "manager_one_on_one",
            {"is_one_on_one": True, "attendee_emails": ("boss@acme.com",)},
            {"is_one_on_one": False, "attendee_emails": ("boss@acme.com",)},
        ),
        ("skip_private", {"visibility": "private"}, {"visibility": "default"}),
        ("skip_private", {"visibility": "confidential"}, {"visibility": None}),
        ("accepted_only", {"my_response": "tentative"}, {"my_response": "accepted"}),
        (
            "accepted_only",
            {"my_response": None, "organizer": Person(is_self=False)},
            {"my_response": None, "organizer": Person(is_self=True)},
        ),
        (
            "organizer_only",
            {"organizer": Person(is_self=False)},
            {"organizer": Person(is_self=True)},
        ),
        (
            "working_hours",
            {"weekday": "monday", "start_hour": 18},
            {"weekday": "monday", "start_hour": 17},
        ),
        (
            "working_hours",
            {"weekday": "sunday", "start_hour": 10},
            {"weekday": "friday", "start_hour": 9},
        ),
        ("skip_titles", {"title": "Daily StandUp"}, {"title": "Standing order"}),
        ("large_meetings", {"attendee_count": 21}, {"attendee_count": 20}),
        ("large_meetings", {"attendee_count": 21}, {"attendee_count": None}),
    ],
)
def test_a_preset_matches_what_its_sentence_says(
    name: str, matching: dict[str, Any], other: dict[str, Any]
) -> None:
    rule_set = parse_rule_set({"rules": [BY_NAME[name]["rule"]]})
    user = UserFact(attributes={"manager_email": "boss@acme.com"})

    reasons = [
        decide(
            Case(facts=Facts(user=user, **facts), has_link=True, has_times=True, rule_set=rule_set)
        ).reason
        for facts in (matching, other)
    ]

    assert reasons == ["matched", "no_match"]


def test_a_preset_is_the_callers_to_edit() -> None:
    presets()[0]["rule"]["when"]["var"] = "changed"

    assert presets()[0]["rule"]["when"] == {"var": "is_internal"}
