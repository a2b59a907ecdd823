"""An event, seen as facts for a rule: what is hidden or unknown is None, and never a guess."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypedDict

from meetbot_calendar.calendars.model import Attendee, Calendar, EventContent, Span, StoredEvent
from meetbot_calendar.calendars.people import (
    Participant,
    domain_of,
    is_calendar,
    is_within,
    mailbox_of,
    own_domains,
    participants,
)
from meetbot_calendar.calendars.timezones import to_local
from rules.facts import AttendeeFact, CalendarFact, Facts, Person, UserFact, Weekday
from tenants.identity import CalendarUser

_WEEKDAYS: Final[tuple[Weekday, ...]] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
_LONGEST_LINE: Final = 1_000
_LONGEST_TEXT: Final = 16_000
_LONGEST_EMAIL: Final = 320
_DEEPEST: Final = 16
_TAG: Final = re.compile("<[^<>]*>")
_BLANKS: Final = re.compile(r"[ \t\r\f\v\xa0]+")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class _Guests(TypedDict, total=False):
    """What hangs on the guest list."""

    attendees: tuple[AttendeeFact, ...]
    attendee_count: int
    attendee_emails: tuple[str, ...]
    domains: tuple[str, ...]
    external_domains: tuple[str, ...]
    external_count: int | None
    is_internal: bool | None
    is_external: bool | None
    is_one_on_one: bool


class _Times(TypedDict, total=False):
    """What hangs on the times."""

    start_hour: int | None
    weekday: Weekday
    duration_minutes: float
    timezone: str
    is_all_day: bool


def facts_of(
    event: StoredEvent, calendar: Calendar, user: CalendarUser, internal_domains: Iterable[str]
) -> Facts:
    """See an event of one calendar as facts."""
    content, span = event.content, event.span
    guests: _Guests = {}
    times: _Times = _times(span) if span else {}
    if not content.guest_list_hidden:
        internal = own_domains(event.account_id, internal_domains)
        guests = _guests(content, participants(event, calendar), internal)
    return Facts(
        title=_line(content.title),
        description=_plain(content.description),
        location=_line(content.location),
        platform=event.platform,
        meeting_url=content.meeting_url,
        start=span.start if span else None,
        end=span.end if span else None,
        is_recurring=event.series_id is not None,
        provider=event.provider.value,
        account_id=event.account_id,
        calendar=CalendarFact(id=calendar.id, name=calendar.name, is_primary=calendar.is_primary),
        organizer=_organizer(content),
        my_response=content.my_response,
        visibility=content.visibility,
        show_as=content.show_as,
        event_type=content.event_type,
        guest_list_hidden=content.guest_list_hidden,
        user=UserFact(
            email=event.account_id,
            domain=domain_of(event.account_id),
            customer_user_id=user.customer_user_id,
            attributes=_lowered(user.attributes),
        ),
        **guests,
        **times,
    )


def _times(span: Span) -> _Times:
    """Tell the times as the clocks of the event's zone show them; an all-day event has no hour."""
    local = span.start if span.is_all_day else to_local(span.start, span.zone)
    minutes = (span.end - span.start).total_seconds() / 60
    return {
        "start_hour": None if span.is_all_day else local.hour,
        "weekday": _WEEKDAYS[local.weekday()],
        "duration_minutes": int(minutes) if minutes.is_integer() else minutes,
        "timezone": span.zone,
        "is_all_day": span.is_all_day,
    }


def _guests(
    content: EventContent, people: Sequence[Participant], internal: Sequence[str]
) -> _Guests:
    others = [person for person in people if not person.is_self]
    outside = [each for each in others if each.domain and not is_within(each.domain, internal)]
    is_known = all(each.domain for each in others)
    judgement = bool(outside) if outside or (people and is_known) else None
    return {
        "attendees": tuple(map(_attendee, content.attendees)),
        "attendee_count": len(people),
        "attendee_emails": _spellings(people),
        "domains": _domains(people),
        "external_domains": _domains(outside),
        "external_count": len(outside) if is_known else None,
        "is_internal": None if judgement is None else not judgement,
        "is_external": judgement,
        "is_one_on_one": len(people) == 2,  # noqa: PLR2004 - one on one
    }


def _spellings(people: Iterable[Participant]) -> tuple[str, ...]:
    """Give every email, and of a plus-address the plain one too, which is how people know it."""
    emails = [person.email for person in people if person.email]
    return tuple(dict.fromkeys([*emails, *map(mailbox_of, emails)]))


def _domains(people: Iterable[Participant]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(person.domain for person in people if person.domain))


def _attendee(guest: Attendee) -> AttendeeFact:
    return AttendeeFact(
        email=guest.email,
        domain=domain_of(guest.email),
        name=guest.name,
        response=guest.response,
        is_optional=guest.is_optional,
        is_organizer=guest.is_organizer,
        is_self=guest.is_self,
        is_resource=guest.is_resource or is_calendar(guest.email),
    )


def _organizer(content: EventContent) -> Person | None:
    who = content.organizer
    if who is None:
        return None
    return Person(email=who.email, domain=domain_of(who.email), name=who.name, is_self=who.is_self)


def _line(text: str | None) -> str | None:
    return None if text is None else text[:_LONGEST_LINE]


def _plain(text: str | None) -> str | None:
    """Take the markup out of a description: providers send HTML or plain text, as it was typed."""
    if text is None:
        return None
    cut = text[: 2 * _LONGEST_TEXT]
    bare = html.unescape(_TAG.sub(" ", cut)) if "<" in cut or "&" in cut else cut
    return _BLANKS.sub(" ", bare).strip()[:_LONGEST_TEXT]


def _lowered(attributes: Any, depth: int = 0) -> Any:  # noqa: ANN401 - the tenant's own JSON
    """Bring emails into lower case, as all of an event are; drop what lies too deep."""
    if isinstance(attributes, dict):
        inner = attributes.items() if depth < _DEEPEST else ()
        return {name: _lowered(value, depth + 1) for name, value in inner}
    if isinstance(attributes, list):
        return [_lowered(value, depth + 1) for value in attributes] if depth < _DEEPEST else []
    is_email = isinstance(attributes, str) and len(attributes) <= _LONGEST_EMAIL
    return attributes.lower() if is_email and _EMAIL.fullmatch(attributes) else attributes
