from datetime import UTC, datetime
from typing import Any

import jsonschema
from hypothesis import given

from rules.facts import FACTS_KIND, AttendeeFact, Facts, as_data, json_schema, reference
from tests.unit.rules.rule_strategies import FACTS

CONTRACT = {
    *("title", "description", "location", "platform", "meeting_url", "start", "end"),
    *("duration_minutes", "start_hour", "weekday", "timezone", "is_all_day", "is_recurring"),
    *("provider", "account_id", "calendar", "organizer", "attendees", "attendee_count"),
    *("attendee_emails", "domains", "external_domains", "external_count", "is_internal"),
    *("is_external", "is_one_on_one", "my_response", "visibility", "show_as", "user"),
    *("guest_list_hidden", "event_type"),
}


def described(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and an alternative to null, to an object's properties."""
    for each in schema.get("anyOf", [schema]):
        if "$ref" in each:
            return dict(whole["$defs"][each["$ref"].rpartition("/")[2]]["properties"])
    return {}


def test_the_schema_has_every_variable_of_the_contract_and_no_other() -> None:
    schema = json_schema()

    assert set(schema["properties"]) == CONTRACT
    assert set(schema["required"]) == CONTRACT
    assert set(described(schema["properties"]["calendar"], schema)) == {"id", "name", "is_primary"}
    assert set(described(schema["properties"]["organizer"], schema)) == {
        *("email", "domain", "name", "is_self")
    }
    assert set(described(schema["properties"]["user"], schema)) == {
        *("email", "domain", "customer_user_id", "attributes")
    }


def test_the_schema_is_a_schema_and_says_what_everything_means() -> None:
    schema = json_schema()
    structs = [schema, *schema["$defs"].values()]

    jsonschema.Draft202012Validator.check_schema(schema)

    assert all(field["description"] for each in structs for field in each["properties"].values())


@given(FACTS)
def test_what_rules_see_always_fits_the_schema(facts: Facts) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(as_data(facts))


def test_what_is_checked_at_the_door_is_what_rules_see() -> None:
    facts = Facts(attendees=(AttendeeFact(),))

    assert FACTS_KIND.fields is not None
    assert set(FACTS_KIND.fields) == set(as_data(facts))


def test_facts_become_plain_json() -> None:
    facts = Facts(
        title="Weekly",
        start=datetime(2026, 11, 23, 9, tzinfo=UTC),
        attendees=(AttendeeFact(email="bob@acme.com", domain="acme.com"),),
        domains=("acme.com",),
    )

    data = as_data(facts)

    assert data["start"] == "2026-11-23T09:00:00Z"
    assert data["domains"] == ["acme.com"]
    assert data["attendee_emails"] is None
    assert data["attendees"] == [
        {
            "email": "bob@acme.com",
            "domain": "acme.com",
            "name": None,
            "response": "needs_action",
            "is_optional": False,
            "is_organizer": False,
            "is_self": False,
            "is_resource": False,
        }
    ]


def test_the_reference_lists_every_variable_with_its_sort() -> None:
    text = reference()

    assert "| `title` | text | Title. |" in text
    assert "| `attendees[].is_resource` | true or false |" in text
    assert "| `user.attributes` | an object |" in text
    assert all(f"| `{name}` |" in text for name in CONTRACT)
