"""Ready-made rules, plain JsonLogic with a sentence each, to insert and to edit."""

from typing import Final

from rules.part import copied
from rules.values import Json


def _preset(name: str, sentence: str, action: str, title: str, when: Json) -> dict[str, Json]:
    rule = {"name": title, "action": action, "when": when}
    return {"name": name, "title": title, "sentence": sentence, "rule": rule}


_PRESETS: Final = (
    _preset(
        "internal",
        "Record every meeting in which all people are from your own domains.",
        "record",
        "All internal meetings",
        {"var": "is_internal"},
    ),
    _preset(
        "external_only",
        "Skip every meeting in which nobody is known to be from outside your own domains.",
        "skip",
        "External meetings only",
        {"!": {"var": "is_external"}},
    ),
    _preset(
        "customers",
        "Record every meeting with somebody from these domains, their subdomains included.",
        "record",
        "Customers",
        {
            "some": [
                {"var": "domains"},
                {
                    "or": [
                        {"in": [{"var": ""}, ["customer.com", "customer.org"]]},
                        {"ends_with": [{"var": ""}, ".customer.com"]},
                    ]
                },
            ]
        },
    ),
    _preset(
        "manager_one_on_one",
        "Skip meetings of two people, one of them the manager named in the user's attributes.",
        "skip",
        "1:1s with my manager",
        {
            "and": [
                {"var": "is_one_on_one"},
                {"in": [{"var": "user.attributes.manager_email"}, {"var": "attendee_emails"}]},
            ]
        },
    ),
    _preset(
        "skip_private",
        "Skip events that are marked private or confidential.",
        "skip",
        "Private events",
        {"in": [{"var": "visibility"}, ["private", "confidential"]]},
    ),
    _preset(
        "accepted_only",
        "Skip every meeting that the user has not accepted and does not organise.",
        "skip",
        "Only when I accepted",
        {
            "and": [
                {"!=": [{"var": "my_response"}, "accepted"]},
                {"!": {"var": "organizer.is_self"}},
            ]
        },
    ),
    _preset(
        "organizer_only",
        "Skip every meeting that somebody else organises.",
        "skip",
        "Only when I organise",
        {"!": {"var": "organizer.is_self"}},
    ),
    _preset(
        "working_hours",
        "Skip meetings that start at the weekend, before 9:00 or after 17:59, in their own zone.",
        "skip",
        "Outside working hours",
        {
            "or": [
                {"in": [{"var": "weekday"}, ["saturday", "sunday"]]},
                {"!": {"between": [{"var": "start_hour"}, 9, 17]}},
            ]
        },
    ),
    _preset(
        "skip_titles",
        "Skip meetings with one of these words in the title, in upper or lower case.",
        "skip",
        "Titles to skip",
        {"matches": [{"var": "title"}, r"(?i)\b(stand-?up|lunch|focus time|interview)\b"]},
    ),
    _preset(
        "large_meetings",
        "Skip meetings of more than so many people, rooms not counted.",
        "skip",
        "More than 20 people",
        {">": [{"var": "attendee_count"}, 20]},
    ),
)


def presets() -> list[dict[str, Json]]:
    """Give every preset: ``name``, ``title``, ``sentence``, and the ``rule`` itself."""
    return [copied(preset) for preset in _PRESETS]
