from typing import Any

import pytest

from rules.budget import Fuel
from rules.facts import AttendeeFact, Facts, as_data
from rules.parse import Fault, RuleSetInvalid, parse_policy, parse_rule_set

CONTRACT = {
    "default": "skip",
    "rules": [
        {
            "name": "1:1s with my manager",
            "action": "skip",
            "when": {
                "and": [
                    {"var": "is_one_on_one"},
                    {"in": [{"var": "user.attributes.manager_email"}, {"var": "attendee_emails"}]},
                ]
            },
        },
        {
            "name": "customers",
            "action": "record",
            "bot_config": {"bot_name": "Acme Notes"},
            "when": {"in": ["customer.com", {"var": "domains"}]},
        },
        {"name": "internal", "action": "record", "when": {"var": "is_internal"}},
        {
            "name": "standups",
            "action": "skip",
            "when": {"matches": [{"var": "title"}, "(?i)stand-?up"]},
        },
    ],
}


def faults(document: object) -> tuple[Fault, ...]:
    with pytest.raises(RuleSetInvalid) as refusal:
        parse_rule_set(document)
    return refusal.value.faults


def faults_of(when: Any) -> tuple[Fault, ...]:
    return faults({"rules": [{"name": "r", "action": "skip", "when": when}]})


def takes(when: Any) -> bool:
    document = {"rules": [{"name": "r", "action": "skip", "when": when}]}
    return len(parse_rule_set(document).rules) == 1


def test_the_contracts_own_rule_set_is_taken() -> None:
    rule_set = parse_rule_set(CONTRACT)

    taken = [(rule.name, rule.action, rule.bot_config) for rule in rule_set.rules]
    assert rule_set.default == "skip"
    assert taken == [
        ("1:1s with my manager", "skip", None),
        ("customers", "record", {"bot_name": "Acme Notes"}),
        ("internal", "record", None),
        ("standups", "skip", None),
    ]


def test_a_rule_set_may_be_empty_and_have_no_default() -> None:
    rule_set = parse_rule_set({"rules": []})

    assert (rule_set.rules, rule_set.default) == ((), None)


# Every variable that the contract names.
@pytest.mark.parametrize(
    "path",
    [
        *("title", "description", "location", "platform", "meeting_url", "start", "end"),
        *("duration_minutes", "start_hour", "weekday", "timezone", "is_all_day", "is_recurring"),
        *("provider", "account_id", "calendar.id", "calendar.name", "calendar.is_primary"),
        *("organizer.email", "organizer.domain", "organizer.name", "organizer.is_self"),
        *("attendees", "attendees.0.email", "attendee_count", "attendee_emails", "domains"),
        *("external_domains", "external_count", "is_internal", "is_external", "is_one_on_one"),
        *("my_response", "visibility", "show_as", "event_type", "guest_list_hidden"),
        *("user.email", "user.domain", "user.customer_user_id", "user.attributes"),
        *("user.attributes.team", "user.attributes.nested.deeply.0", "user"),
    ],
)
def test_every_variable_of_the_contract_may_be_read(path: str) -> None:
    assert takes({"var": path})


@pytest.mark.parametrize(
    "field",
    [
        *("email", "domain", "name", "response", "is_optional", "is_organizer", "is_self"),
        "is_resource",
    ],
)
def test_every_field_of_an_attendee_may_be_read_in_a_loop(field: str) -> None:
    assert takes({"some": [{"var": "attendees"}, {"!!": {"var": field}}]})


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        (
            {"var": "attende_count"},
            Fault(
                "/rules/0/when/var",
                "there is no variable `attende_count`; did you mean `attendee_count`?",
            ),
        ),
        (
            {"==": [1, {"var": ["attendeeCount", 3]}]},
            Fault(
                "/rules/0/when/==/1/var/0",
                "there is no variable `attendeeCount`; did you mean `attendee_count`?",
            ),
        ),
        (
            {"var": "manager_email"},
            Fault(
                "/rules/0/when/var",
                "there is no variable `manager_email`; your own facts about the user are "
                "`user.attributes.manager_email`",
            ),
        ),
        (
            {"var": "is_primary"},
            Fault(
                "/rules/0/when/var",
                "there is no variable `is_primary`; did you mean `calendar.is_primary`?",
            ),
        ),
        (
            {"all": [{"var": "attendees"}, {"==": [{"var": "title"}, "x"]}]},
            Fault(
                "/rules/0/when/all/1/==/0/var",
                "`title` belongs to the event; inside `all` only the item itself can be read: "
                "email, domain, name, response, is_optional, is_organizer, is_self, is_resource",
            ),
        ),
        (
            {"missing": ["title", "no/pe~"]},
            Fault("/rules/0/when/missing/1", "there is no variable `no/pe~`"),
        ),
        (
            {"var": {"if": [{"var": "is_internal"}, "title", "nonsense.at.all"]}},
            Fault("/rules/0/when/var/if/2", "there is no variable `nonsense.at.all`"),
        ),
        (
            {"var": {"cat": ["ti", {"var": "title"}]}},
            Fault("/rules/0/when/var", "the name of a variable must stand in the rule"),
        ),
        (
            {"or": [True, {"contians": ["a", "b"]}]},
            Fault("/rules/0/when/or/1/contians", "there is no operator `contians`"),
        ),
        (
            {"start_with": ["a", "b"]},
            Fault(
                "/rules/0/when/start_with",
                "there is no operator `start_with`; did you mean `starts_with`?",
            ),
        ),
        (
            {"&&": [True, True]},
            Fault("/rules/0/when/&&", "there is no operator `&&`; did you mean `and`?"),
        ),
        (
            {"a/b~c": 1},
            Fault("/rules/0/when/a~1b~0c", "there is no operator `a/b~c`"),
        ),
        (
            {"==": [1]},
            Fault("/rules/0/when/==", "`==` takes 2 arguments, not 1"),
        ),
        (
            {"substr": ["a"]},
            Fault("/rules/0/when/substr", "`substr` takes 2 to 3 arguments, not 1"),
        ),
        (
            {"lower": ["A", "B"]},
            Fault("/rules/0/when/lower", "`lower` takes 1 argument, not 2"),
        ),
        (
            {"and": []},
            Fault("/rules/0/when/and", "`and` takes at least 1 argument, not 0"),
        ),
        (
            {"and": [True], "note": "why"},
            Fault(
                "/rules/0/when/note",
                "`note` does not belong here beside the operator `and`: one key an object",
            ),
        ),
        (
            {},
            Fault("/rules/0/when", "an empty object is no expression: an operator is missing"),
        ),
        (
            {">": [{"var": "attendee_count"}, "3"]},
            Fault(
                "/rules/0/when/>",
                "this comparison can never hold: a number against text; "
                "did you mean 3 without quotes?",
            ),
        ),
        (
            {"==": ["TRUE", {"var": "is_external"}]},
            Fault(
                "/rules/0/when/==",
                "this comparison can never hold: text against true or false; "
                "did you mean true without quotes?",
            ),
        ),
        (
            {"===": [{"var": "is_external"}, 1]},
            Fault(
                "/rules/0/when/===",
                "this comparison can never hold: true or false against a number",
            ),
        ),
        (
            {"!=": [{"var": "title"}, {"var": "domains"}]},
            Fault(
                "/rules/0/when/!=",
                "this comparison can never hold: text against a list; "
                "to look into a list use `in`, `some` or `count`",
            ),
        ),
        (
            {"==": [{"var": "domains"}, ["customer.com"]]},
            Fault(
                "/rules/0/when/==",
                "this comparison can never hold: a list against a list; "
                "two lists are never equal: use `intersects`, `all` or `some`",
            ),
        ),
        (
            {"<": [8, {"var": "title"}]},
            Fault("/rules/0/when/<", "this comparison can never hold: a number against text"),
        ),
        (
            {"in": [{"var": "domains"}, "customer.com"]},
            Fault(
                "/rules/0/when/in",
                "this can never hold: a list within a text; "
                "did you mean the list as the second argument?",
            ),
        ),
        (
            {"in": [["a.com"], {"var": "domains"}]},
            Fault(
                "/rules/0/when/in",
                "this can never hold: a list in a list of text; "
                "to compare two lists use `intersects`",
            ),
        ),
        (
            {"in": ["saturday", {"var": "start_hour"}]},
            Fault("/rules/0/when/in/1", "`in` looks into a list or a text, not into a number"),
        ),
        (
            {"between": [{"var": "start_hour"}, 9, "17"]},
            Fault(
                "/rules/0/when/between",
                "this comparison can never hold: a number against text; "
                "did you mean 17 without quotes?",
            ),
        ),
        (
            {"intersects": [{"var": "domains"}, [1, 2]]},
            Fault(
                "/rules/0/when/intersects",
                "this can never hold: a list of text and one of a number",
            ),
        ),
        (
            {"count": {"var": "title"}},
            Fault("/rules/0/when/count", "a list is needed here, this is text"),
        ),
        (
            {"domain_of": [{"var": "attendee_emails"}]},
            Fault("/rules/0/when/domain_of/0", "text is needed here, this is a list"),
        ),
        (
            {"filter": [{"var": "title"}, True]},
            Fault("/rules/0/when/filter/0", "a list is needed here, this is text"),
        ),
        (
            {"+": [1, {"var": "attendees"}]},
            Fault("/rules/0/when/+/1", "a number is needed here, this is a list"),
        ),
        (
            {"cat": [{"var": "organizer"}]},
            Fault("/rules/0/when/cat/0", "an object has no text; read one of its fields"),
        ),
        (
            {"matches": [{"var": "title"}, "(open"]},
            Fault(
                "/rules/0/when/matches/1",
                "this pattern is refused (RE2 syntax): missing ): (open",
            ),
        ),
        (
            {"matches": [{"var": "title"}, "(?=ahead)"]},
            Fault(
                "/rules/0/when/matches/1",
                "this pattern is refused (RE2 syntax): invalid perl operator: (?=",
            ),
        ),
        (
            {"matches": [{"var": "title"}, ".{0,900}x.{0,900}"]},
            Fault(
                "/rules/0/when/matches/1",
                "this pattern is refused (RE2 syntax): "
                "it is too large: use fewer or smaller repetitions",
            ),
        ),
        (
            {"matches": [{"var": "title"}, {"var": "location"}]},
            Fault(
                "/rules/0/when/matches/1",
                "the pattern must be a text that stands in the rule itself",
            ),
        ),
    ],
)
def test_what_cannot_be_right_is_refused_where_it_stands(when: Any, fault: Fault) -> None:
    assert faults_of(when) == (fault,)


@pytest.mark.parametrize(
    "when",
    [
        {"==": [{"var": "title"}, None]},
        {"==": [{"var": "is_all_day"}, 1]},
        {"!=": [{"var": "user.attributes.level"}, 3]},
        {"<": [{"var": "start"}, "2026-12-01"]},
        {"in": ["up", {"var": "title"}]},
        {"in": [{"var": "weekday"}, ["saturday", "sunday"]]},
        {"in": ["x", {"var": "user.attributes.labels"}]},
        {"in": ["x", []]},
        {"var": {"if": [{"var": "is_all_day"}, "title", {"if": [True, "location", "start"]}]}},
        {"missing": {"merge": ["title", {"if": [{"var": "is_all_day"}, ["start"], []]}]}},
        {"missing_some": [1, ["title", "location"]]},
        {
            "reduce": [
                {"var": "attendees"},
                {"+": [{"var": "accumulator"}, {"if": [{"var": "current.is_self"}, 1, 0]}]},
                0,
            ]
        },
        {"some": [{"map": [{"var": "attendees"}, {"var": "email"}]}, {"==": [{"var": ""}, "a"]}]},
        {"some": [{"filter": [{"var": "attendees"}, {"var": "is_self"}]}, {"var": "is_optional"}]},
        {"count": {"filter": [{"var": "attendees"}, {"!": {"var": "is_resource"}}]}},
        {"if": [{"var": "is_internal"}, True, {"var": "is_external"}, False, None]},
        {">": [{"var": "attendees.length"}, 3]},
        {"log": [{"var": "title"}]},
        {"+": ["3.14"]},
        True,
    ],
)
def test_what_may_be_right_is_taken(when: Any) -> None:
    assert takes(when)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"in": [{"var": "title"}, {"var": "domains"}]}, True),
        ({"in": [{"var": "location"}, {"var": "domains"}]}, False),
        ({"in": [{"var": "title"}, {"var": "attendee_emails"}]}, False),
        ({"in": ["acme.com", {"filter": [{"var": "domains"}, True]}]}, True),
        ({"in": ["acme.com", {"var": "domains"}]}, True),
        ({"==": [{"var": "title"}, {"var": "domains.0"}]}, True),
        ({"==": [{"var": "attendee_count"}, 3]}, True),
        ({"<=": [{"count": {"var": "domains"}}, 1]}, True),
        ({"some": [{"var": "domains"}, {"<": [{"var": "length"}, 5]}]}, False),
        ({"between": [{"var": "attendee_count"}, 1, {"var": "domains.length"}]}, False),
        ({"between": [{"var": "start_hour"}, 0, 23]}, False),
        ({"count": {"filter": [{"var": "attendees"}, {"<": [{"var": "response"}, "b"]}]}}, 1),
        ({"!": {"var": "is_internal"}}, True),
        ({"var": ["user.attributes.team", "none"]}, "none"),
        ({"var": ["calendar.name", "none"]}, None),
        ({"or": [{"and": [{"var": "attendee_count"}, {"var": "is_internal"}]}, "last"]}, "last"),
    ],
)
def test_a_rule_is_compiled_to_what_it_says(when: Any, expected: Any) -> None:
    document = {"rules": [{"name": "r", "action": "skip", "when": when}]}
    guests = (AttendeeFact(response="accepted"), AttendeeFact(response="declined"))
    facts = Facts(title="acme.com", domains=("acme.com",), attendee_count=3, attendees=guests)

    value = parse_rule_set(document).rules[0].when.run(as_data(facts), Fuel(1_000))

    assert value == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"==": [{"var": "provider"}, "microsoft"]}, True),
        ({"===": ["microsoft", {"var": ["provider"]}]}, True),
        ({"!=": [{"var": "provider"}, "microsoft"]}, False),
        ({"and": [True, {"in": [{"var": "provider"}, ["google", "microsoft"]]}]}, True),
        ({"==": [{"var": "provider"}, "outlook"]}, True),
        ({"==": [{"var": "provider"}, "google"]}, False),
        ({"==": [{"var": "title"}, "microsoft"]}, True),
    ],
)
def test_microsoft_is_another_name_of_outlook_where_a_rule_reads_the_provider(
    when: Any, expected: bool
) -> None:
    document = {"rules": [{"name": "r", "action": "skip", "when": when}]}
    facts = Facts(title="microsoft", provider="outlook")

    value = parse_rule_set(document).rules[0].when.run(as_data(facts), Fuel(1_000))

    assert value is expected


def test_every_fault_of_a_document_is_named() -> None:
    document = {
        "defualt": "skip",
        "default": "never",
        "rules": [
            {"name": "", "action": "recrod", "when": {"var": "titel"}, "bot_config": []},
            "not a rule",
            {"when": True},
        ],
    }

    assert faults(document) == (
        Fault("/defualt", "there is no field `defualt` here; did you mean `default`?"),
        Fault("/default", "this is to be `record` or `skip`"),
        Fault("/rules/0/name", "a name is a text of 1 to 200 characters"),
        Fault("/rules/0/action", "this is to be `record` or `skip`; did you mean `record`?"),
        Fault("/rules/0/bot_config", "`bot_config` is an object"),
        Fault("/rules/0/when/var", "there is no variable `titel`; did you mean `title`?"),
        Fault("/rules/1", "a rule is an object with `name`, `action` and `when`"),
        Fault("/rules/2/name", "`name` is missing"),
        Fault("/rules/2/action", "`action` is missing"),
    )


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], Fault("", "a rule set is an object with `rules` and perhaps a `default`")),
        (
            {"default": "skip"},
            Fault("/rules", "`rules` is missing: a list of rules, perhaps empty"),
        ),
        ({"rules": {}}, Fault("/rules", "`rules` is a list")),
        (
            {"rules": [{"name": "r", "action": "skip"}]},
            Fault("/rules/0/when", "`when` is missing"),
        ),
        (
            {"rules": [{"name": "x" * 201, "action": "skip", "when": True}]},
            Fault("/rules/0/name", "a name is a text of 1 to 200 characters"),
        ),
        (
            {"rules": [{"name": "r", "action": "skip", "when": True}] * 101},
            Fault("/rules", "these are 101 rules; at most 100 are taken"),
        ),
        (
            {"rules": [{"name": "r", "action": "skip", "when": float("nan")}]},
            Fault("/rules/0/when", "nan is no JSON number"),
        ),
        (
            {"rules": [{"name": "a\0", "action": "skip", "when": True}]},
            Fault("/rules/0/name", "a text may not hold the character U+0000"),
        ),
        (
            {"rules": [{"name": "\ud800", "action": "skip", "when": True}]},
            Fault("/rules/0/name", "a text may not hold half a surrogate pair"),
        ),
        (
            {"rules": [{"name": "r", "action": "skip", "when": (1, 2)}]},
            Fault("/rules/0/when", "a tuple is not JSON"),
        ),
        (
            {"rules": [{"name": "r", "action": "skip", "when": 10**400}]},
            Fault("/rules/0/when", "this number is too large"),
        ),
        ({"rules": [[]] * 70_000}, Fault("", "the document is larger than 64 KiB")),
        ({"rules": {1: 2}}, Fault("/rules", "a name that is no text is not JSON")),
        (
            {"rules": [{"name": "r", "action": "skip", "when": {"cat": ["x" * 70_000]}}]},
            Fault("", "the document is larger than 64 KiB"),
        ),
    ],
)
def test_a_document_of_the_wrong_form_is_refused(document: Any, fault: Fault) -> None:
    assert faults(document) == (fault,)


def nested(depth: int, core: Any, *, listed: bool) -> Any:
    for _ in range(depth):
        core = {"!": [core] if listed else core}
    return core


@pytest.mark.parametrize("listed", [False, True])
def test_nesting_is_taken_to_64_and_refused_beyond(listed: bool) -> None:
    assert takes(nested(64, {"var": "is_internal"}, listed=listed))

    (fault,) = faults_of(nested(65, True, listed=listed))

    assert fault.detail == "this is nested more than 64 deep"
    assert fault.pointer == "/rules/0/when" + ("/!/0" if listed else "/!") * 64


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_nesting_without_end_is_refused_and_no_crash(depth: int) -> None:
    (fault,) = faults_of(nested(depth, True, listed=True))

    assert fault.detail == "the document is nested too deeply"


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        (
            {"var": "x-" * 50},
            Fault("/rules/0/when/var", f"there is no variable `{'x-' * 30}…`"),
        ),
        (
            {"missing_some": [1, ["title", {"cat": ["a", "b"]}]]},
            Fault(
                "/rules/0/when/missing_some/1/1", "the name of a variable must stand in the rule"
            ),
        ),
        ({"var": 0}, Fault("/rules/0/when/var", "there is no variable `0`")),
        (
            {"var": [True]},
            Fault("/rules/0/when/var/0", "the name of a variable must stand in the rule"),
        ),
        (
            {"matches": [{"var": "title"}, "x" * 4_001]},
            Fault(
                "/rules/0/when/matches/1",
                "this pattern is refused (RE2 syntax): it is longer than 4,000 characters",
            ),
        ),
        (
            {"==": [{"var": "is_all_day"}, "perhaps"]},
            Fault(
                "/rules/0/when/==",
                "this comparison can never hold: true or false against text",
            ),
        ),
        (
            {"reduce": [{"var": "title"}, True, 0]},
            Fault("/rules/0/when/reduce/0", "a list is needed here, this is text"),
        ),
    ],
)
def test_odd_cases_are_refused_where_they_stand(when: Any, fault: Fault) -> None:
    assert faults_of(when) == (fault,)


def test_a_rule_has_at_most_2000_values() -> None:
    assert takes({"in": [{"var": "title"}, ["x"] * 1_990]})

    assert faults_of({"in": [{"var": "title"}, ["x"] * 2_000]}) == (
        Fault("/rules/0/when", "a rule has at most 2,000 JSON values"),
    )


def test_a_hundred_rules_of_a_few_dozen_values_are_taken() -> None:
    when = {"or": [{"==": [{"var": "title"}, "x"]}] * 6}
    rule = {"name": "r", "action": "skip", "when": when}

    assert len(parse_rule_set({"rules": [rule] * 100}).rules) == 100


def test_a_rule_set_is_used_any_number_of_times() -> None:
    rule = parse_rule_set(CONTRACT).rules[1]
    facts = [Facts(domains=("customer.com",)), Facts(domains=("acme.com",)), Facts()]

    values = [rule.when.run(as_data(each), Fuel(100)) for each in (*facts, *facts)]

    assert values == [True, False, False] * 2


def test_a_policy_is_a_rule_set_or_a_list_of_rules_that_skip() -> None:
    rule = {"name": "board", "action": "skip", "when": {"in": ["board", {"var": "title"}]}}

    assert parse_policy([rule]).rules[0].name == "board"
    assert parse_policy({"rules": [rule]}).rules[0].action == "skip"


def test_a_policy_cannot_record() -> None:
    rule = {"name": "board", "action": "record", "when": True}

    with pytest.raises(RuleSetInvalid) as refusal:
        parse_policy([rule])

    assert refusal.value.faults == (Fault("/0/action", "this is to be `skip`"),)
