"""Finds the one link to join among an event's fields, and says which room it leads to."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from meetbot_calendar.calendars.link_respelling import respell
from meetbot_calendar.calendars.link_scanning import decode_entities, join_groups, links_in, trimmed
from meetbot_calendar.calendars.link_unwrapping import unwrap
from meetbot_calendar.calendars.meeting_platforms import recognise
from meetbot_calendar.calendars.model import LinkField, Platform

# Where a link is believed first. A structured place names the meeting's own link; a description
# may quote another meeting's.
_PLACES = (
    "conference",
    "online_meeting",
    "hangout_link",
    "url",
    "location",
    "description",
    "title",
)

# Guards wrap what guards have wrapped, the deeper the more often it was forwarded. What one link
# may cost is counted in characters read, for each wrapping that comes off leaves it shorter.
_MOST_READ = 32_768
_MOST_LINKS = 2_000
_MOST_CANDIDATES = 20

_SECRET = re.compile(r"[?&#](?:pwd|p|passcode|password|tk|roomkey)=[^&#]", re.IGNORECASE)


class LinkCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting that an event's fields name.

    ``url`` is as found, without its wrappings; an app's or a hand's spelling is a browser's.
    """

    platform: Platform
    url: str
    room: str
    place: str


class FoundLink(msgspec.Struct, frozen=True, kw_only=True):
    """The link to join, and every meeting that was found, the chosen one first.

    ``room`` is equal for two links if and only if they lead to the same meeting, as far as the
    links themselves tell.
    """

    platform: Platform
    url: str
    room: str
    place: str
    candidates: tuple[LinkCandidate, ...]


def find_link(fields: Sequence[LinkField]) -> FoundLink | None:
    """Choose the link to join: by place first, then by order.

    Where a meeting is named twice, the spelling that carries its password is taken.
    """
    found: dict[str, LinkCandidate] = {}
    for field in sorted(fields, key=lambda field: _PLACES.index(field.place)):
        for candidate in _candidates(field):
            known = found.get(candidate.room)
            if len(found) < _MOST_CANDIDATES if known is None else _adds_password(candidate, known):
                found[candidate.room] = candidate
    if not found:
        return None
    first, *_ = candidates = tuple(found.values())
    return FoundLink(
        platform=first.platform,
        url=first.url,
        room=first.room,
        place=first.place,
        candidates=candidates,
    )


def room_of(link: str) -> str | None:
    """Name the room that a meeting link leads to; None where it leads to no meeting."""
    found = find_link((LinkField("url", link),))
    return found.room if found else None


def _adds_password(candidate: LinkCandidate, known: LinkCandidate) -> bool:
    return bool(_SECRET.search(candidate.url)) and not _SECRET.search(known.url)


def _candidates(field: LinkField) -> Iterator[LinkCandidate]:
    for link in dict.fromkeys(islice(links_in(field.text), _MOST_LINKS)):
        if candidate := _follow(link, field.place):
            yield candidate


def _follow(link: str, place: str) -> LinkCandidate | None:
    """Take wrappings off, and mend spellings, until a meeting shows or nothing more is to do."""
    url, left = trimmed(link), _MOST_READ
    while url and (left := left - len(url)) >= 0:
        if meeting := recognise(url):
            return LinkCandidate(platform=meeting.platform, url=url, room=meeting.room, place=place)
        inner = unwrap(url) or respell(url)
        url = trimmed(join_groups(decode_entities(inner or "")))
    return None
