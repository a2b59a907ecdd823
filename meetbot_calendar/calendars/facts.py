"""INTERIM by the lead until the real one is written over it."""

from collections.abc import Iterable

from meetbot_calendar.calendars.model import Calendar, StoredEvent
from rules.facts import AttendeeFact, Facts
from tenants.identity import CalendarUser


def facts_of(
    event: StoredEvent, calendar: Calendar, user: CalendarUser, internal_domains: Iterable[str]
) -> Facts:
    """See an event as facts."""
    del calendar, user
    c = event.content
    emails = tuple(a.email for a in c.attendees if a.email)
    domains = tuple(dict.fromkeys(e.rpartition("@")[2] for e in emails))
    inside = set(internal_domains)
    return Facts(
        title=c.title, start=event.span and event.span.start, end=event.span and event.span.end,
        is_all_day=bool(event.span and event.span.is_all_day),
        attendees=tuple(AttendeeFact(email=a.email) for a in c.attendees),
        attendee_emails=emails, domains=domains, attendee_count=len(emails),
        is_internal=all(d in inside for d in domains), my_response=c.my_response,
        is_one_on_one=len(emails) == 2,
    )
