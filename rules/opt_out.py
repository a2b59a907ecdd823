"""Who is never recorded: the tenant's opt-out list against one event."""

from collections.abc import Iterable

import msgspec


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """Emails, domains and meeting rooms that are never recorded."""

    emails: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()


def matches_opt_out(
    opt_out: OptOut,
    *,
    emails: Iterable[str] = (),
    domains: Iterable[str] = (),
    rooms: Iterable[str] = (),
) -> str | None:
    """Give a sentence that names the entry which forbids recording; None where none does.

    ``emails`` and ``domains`` are those of everybody in the event, ``rooms`` its meeting's links or
    room keys, in the form in which the list has them. A listed domain covers its subdomains, a
    listed email its plus-addresses.
    """
    people = frozenset(map(_mailbox, emails))
    for email in opt_out.emails:
        if _mailbox(email) in people:
            return f"{email} has opted out of being recorded."
    places = frozenset(map(_domain, domains)) | frozenset(map(_domain_of, people))
    for domain in opt_out.domains:
        inside = next((each for each in sorted(places) if within(each, domain)), None)
        if inside:
            return f"Everybody at {domain} has opted out of being recorded ({inside} is in it)."
    meetings = frozenset(map(_room, rooms))
    for room in opt_out.rooms:
        if _room(room) in meetings:
            return f"The meeting room {room} has been opted out of being recorded."
    return None


def within(domain: str, parent: str) -> bool:
    """Tell whether a domain is another one or lies below it."""
    inner, outer = _domain(domain), _domain(parent)
    return bool(outer) and (inner == outer or inner.endswith(f".{outer}"))


def _mailbox(email: str) -> str:
    """Give the address without case and without what follows a plus."""
    local, at, domain = email.strip().lower().rpartition("@")
    return local.partition("+")[0] + at + domain


def _domain(domain: str) -> str:
    return domain.strip().lower().lstrip("@").strip(".")


def _domain_of(email: str) -> str:
    return _domain(email.rpartition("@")[2])


def _room(room: str) -> str:
    _, _, bare = room.strip().lower().rpartition("://")
    return bare.rstrip("/")
