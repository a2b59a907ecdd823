"""Who takes part in an event: people, told apart from rooms and groups, each counted once."""

from collections.abc import Iterable, Iterator

import msgspec

from meetbot_calendar.calendars.model import Calendar, StoredEvent

# Google gives calendars addresses of their own: rooms, shared and imported calendars.
_CALENDARS = "calendar.google.com"
# Who shares such a domain shares a mail provider, not a company.
_MAIL_PROVIDERS = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com"),
        *("yahoo.com", "icloud.com", "me.com", "aol.com", "proton.me", "protonmail.com"),
        *("gmx.de", "gmx.net", "web.de", "mail.ru", "yandex.ru", "qq.com", "163.com"),
    }
)


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """One person. ``email`` and ``domain`` are None where the calendar does not tell them."""

    email: str | None
    domain: str | None
    is_self: bool


def domain_of(email: str | None) -> str | None:
    """Return what follows the last @, in lower case."""
    _, at, domain = (email or "").rpartition("@")
    return domain.strip().lower().rstrip(".") or None if at else None


def mailbox_of(email: str) -> str:
    """Return the address without its plus part, so that two spellings of a mailbox are equal."""
    local, at, domain = email.strip().lower().rpartition("@")
    return local.partition("+")[0] + at + domain


def is_calendar(email: str | None) -> bool:
    """Tell whether an address is a room's or a group calendar's, and not a person's."""
    return is_within(domain_of(email), (_CALENDARS,))


def is_within(domain: str | None, parents: Iterable[str]) -> bool:
    """Tell whether a domain is one of these, or lies below one."""
    bare = (parent.strip().lower().lstrip("@").strip(".") for parent in parents)
    return domain is not None and any(
        domain == parent or domain.endswith(f".{parent}") for parent in bare if parent
    )


def own_domains(account_id: str, internal_domains: Iterable[str]) -> tuple[str, ...]:
    """Return what is internal: the tenant's domains and, unless it is a mail provider's, one's own.

    A tenant's users may work for many companies, so that its own list alone would not do.
    """
    own = domain_of(account_id)
    return (*internal_domains, *([own] if own and own not in _MAIL_PROVIDERS else []))


def participants(event: StoredEvent, calendar: Calendar) -> tuple[Participant, ...]:
    """List the people: the guests, the organiser even off the list, oneself on one's own calendar.

    A person asked through a group is not on the list; on their main calendar they still take part.
    """
    myself = mailbox_of(event.account_id)
    found: dict[str, Participant] = {}
    for email, is_self in _rows(event):
        mailbox = mailbox_of(email) if email else f"#{len(found)}"
        person = Participant(
            email=email, domain=domain_of(email), is_self=is_self or mailbox == myself
        )
        earlier = found.setdefault(mailbox, person)
        if person.is_self and not earlier.is_self:
            found[mailbox] = person
    if calendar.is_primary and not any(person.is_self for person in found.values()):
        email = event.account_id
        found[myself] = Participant(email=email, domain=domain_of(email), is_self=True)
    return tuple(found.values())


def _rows(event: StoredEvent) -> Iterator[tuple[str | None, bool]]:
    guests, organizer = event.content.attendees, event.content.organizer
    for guest in guests:
        if not guest.is_resource and not is_calendar(guest.email):
            yield guest.email, guest.is_self
    is_listed = organizer and not organizer.email and any(guest.is_organizer for guest in guests)
    if organizer and not is_listed and not is_calendar(organizer.email):
        yield organizer.email, organizer.is_self
