"""The vocabulary: one frozen struct of all that a rule may read, and what is generated from it.

What a provider hides or never says is None: unknown, and never a guess.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from rules.kinds import Kind, kind_of_type
from rules.values import Json

Response: TypeAlias = Literal["accepted", "declined", "tentative", "needs_action"]
Weekday: TypeAlias = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
]
Platform: TypeAlias = Literal[
    "google_meet", "zoom", "teams", "webex", "gotomeeting", "bluejeans", "whereby"
]
Visibility: TypeAlias = Literal["default", "public", "private", "confidential"]
ShowAs: TypeAlias = Literal[
    "busy", "free", "tentative", "out_of_office", "working_elsewhere", "unknown"
]
EventType: TypeAlias = Literal[
    "default", "out_of_office", "focus_time", "working_location", "birthday", "from_gmail"
]

Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
Email: TypeAlias = Annotated[str | None, Meta(description="Email address, in lower case.")]
Domain: TypeAlias = Annotated[str | None, Meta(description="Domain of the email, in lower case.")]
Name: TypeAlias = Annotated[str | None, Meta(description="Name as the calendar shows it.")]
IsSelf: TypeAlias = Annotated[bool, Meta(description="Whether it is the calendar's own account.")]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who organises the event; may be missing from the guest list."""

    email: Email = None
    domain: Domain = None
    name: Name = None
    is_self: IsSelf = False


class AttendeeFact(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the guest list, rooms included."""

    email: Email = None
    domain: Domain = None
    name: Name = None
    response: Annotated[Response, Meta(description="What this guest answered.")] = "needs_action"
    is_optional: Annotated[bool, Meta(description="Whether the guest need not come.")] = False
    is_organizer: Annotated[bool, Meta(description="Whether the guest is the organiser.")] = False
    is_self: IsSelf = False
    is_resource: Annotated[bool, Meta(description="Whether it is a room, not a person.")] = False


class CalendarFact(msgspec.Struct, frozen=True, kw_only=True):
    """The calendar that shows the event."""

    id: Annotated[str | None, Meta(description="Id of the calendar, as this API gives it.")] = None
    name: Annotated[str | None, Meta(description="Name of the calendar.")] = None
    is_primary: Annotated[bool, Meta(description="Whether it is the account's main one.")] = False


class UserFact(msgspec.Struct, frozen=True, kw_only=True):
    """The calendar user for whom the rule decides."""

    email: Email = None
    domain: Domain = None
    customer_user_id: Annotated[str | None, Meta(description="Your own id of the user.")] = None
    attributes: Annotated[
        Mapping[str, Any],
        Meta(
            description="Your own facts about the user, as `user.attributes.team`; "
            "emails in them are read in lower case."
        ),
    ] = msgspec.field(default_factory=dict)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a rule may read of one event."""

    title: Annotated[str | None, Meta(description="Title.")] = None
    description: Annotated[str | None, Meta(description="Description, as plain text.")] = None
    location: Annotated[str | None, Meta(description="Location, as text.")] = None
    platform: Annotated[Platform | None, Meta(description="Whose meeting the link opens.")] = None
    meeting_url: Annotated[str | None, Meta(description="Link by which a bot joins.")] = None
    start: Annotated[Instant | None, Meta(description="Start, in UTC.")] = None
    end: Annotated[Instant | None, Meta(description="End, in UTC.")] = None
    duration_minutes: Annotated[float | None, Meta(description="Minutes from start to end.")] = None
    start_hour: Annotated[
        int | None, Meta(description="Hour in which it starts, 0 to 23, in the event's time zone.")
    ] = None
    weekday: Annotated[
        Weekday | None, Meta(description="Day on which it starts, in the event's time zone.")
    ] = None
    timezone: Annotated[str | None, Meta(description="The event's time zone, by IANA name.")] = None
    is_all_day: Annotated[bool, Meta(description="Whether it is dates without hours.")] = False
    is_recurring: Annotated[bool, Meta(description="Whether it is one of a series.")] = False
    provider: Annotated[
        Literal["google", "outlook"] | None, Meta(description="Whose calendar it is.")
    ] = None
    account_id: Annotated[str | None, Meta(description="Account that shows it, by email.")] = None
    calendar: Annotated[CalendarFact, Meta(description="Calendar that shows it.")] = CalendarFact()
    organizer: Annotated[Person | None, Meta(description="Who organises it.")] = None
    attendees: Annotated[
        tuple[AttendeeFact, ...] | None, Meta(description="The guest list, rooms included.")
    ] = None
    attendee_count: Annotated[
        int | None, Meta(description="People: you and the organiser included, rooms not.")
    ] = None
    attendee_emails: Annotated[
        tuple[str, ...] | None, Meta(description="Emails of the people, each once.")
    ] = None
    domains: Annotated[
        tuple[str, ...] | None, Meta(description="Domains of the people, each once.")
    ] = None
    external_domains: Annotated[
        tuple[str, ...] | None, Meta(description="Those domains that are not internal.")
    ] = None
    external_count: Annotated[
        int | None, Meta(description="People whose domain is not internal.")
    ] = None
    is_internal: Annotated[
        bool | None, Meta(description="Whether all people are internal. Null: not known.")
    ] = None
    is_external: Annotated[
        bool | None, Meta(description="Whether anybody is not internal. Null: not known.")
    ] = None
    is_one_on_one: Annotated[
        bool | None, Meta(description="Whether it is two people. Null: not known.")
    ] = None
    my_response: Annotated[
        Response | None, Meta(description="What the calendar's own account answered.")
    ] = None
    visibility: Annotated[Visibility | None, Meta(description="Who may see the details.")] = None
    show_as: Annotated[ShowAs | None, Meta(description="How the time is shown to others.")] = None
    event_type: Annotated[EventType | None, Meta(description="What sort of entry it is.")] = None
    guest_list_hidden: Annotated[
        bool, Meta(description="Whether guests are hidden: all that hangs on them is null.")
    ] = False
    user: Annotated[UserFact, Meta(description="The calendar user.")] = UserFact()


Struct: TypeAlias = type[Facts | AttendeeFact | CalendarFact | Person | UserFact]

FACTS_KIND: Final[Kind] = kind_of_type(msgspec.inspect.type_info(Facts))
_LISTS: Final = ("attendees", "attendee_emails", "domains", "external_domains")


def as_data(facts: Facts) -> dict[str, Json]:
    """Give the facts as plain JSON, which is what expressions run on."""
    data: dict[str, Json] = msgspec.to_builtins(facts)
    for name in _LISTS:
        if data[name] is not None:
            data[name] = list(data[name])
    return data


def json_schema() -> dict[str, Json]:
    """Give the JSON Schema (draft 2020-12) of the document that rules see."""
    (whole,), parts = msgspec.json.schema_components([Facts], ref_template="#/$defs/{name}")
    for part in parts.values():
        _always_present(part)
    name = whole["$ref"].rpartition("/")[2]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **parts.pop(name),
        "$defs": parts,
    }


def _always_present(schema: dict[str, Json]) -> None:
    """State that every property is there, be it as null: a default is no concern of a reader."""
    for described in schema["properties"].values():
        described.pop("default", None)
    schema["required"] = list(schema["properties"])


def reference() -> str:
    """Write the variables as a Markdown table."""
    rows = [f"| `{path}` | {sort} | {meaning} |" for path, sort, meaning in _rows(Facts, "")]
    return "\n".join(["| variable | sort | meaning |", "|---|---|---|", *rows, ""])


def _rows(struct: Struct, before: str) -> Iterator[tuple[str, str, str]]:
    described = msgspec.json.schema_components([struct])[1][struct.__name__]["properties"]
    inside: dict[str, Struct] = {"calendar": CalendarFact, "organizer": Person, "user": UserFact}
    for name, kind in (kind_of_type(msgspec.inspect.type_info(struct)).fields or {}).items():
        yield before + name, kind.describe(), described[name]["description"]
        if name == "attendees":
            yield from _rows(AttendeeFact, "attendees[].")
        elif name in inside:
            yield from _rows(inside[name], f"{before}{name}.")
