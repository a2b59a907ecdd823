"""What a meeting is before any provider has written it down, and how it may be edited."""

from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

Response = Literal["none", "accepted", "declined", "tentative"]
Visibility = Literal["default", "public", "private", "confidential"]
LinkPlace = Literal["auto", "conference", "location", "description"]


class Guest(msgspec.Struct, kw_only=True):
    """One invited person or room; ``slots`` holds answers given for single occurrences."""

    email: str
    name: str = ""
    response: Response = "none"
    optional: bool = False
    resource: bool = False
    slots: dict[str, Response] = {}


class Change(msgspec.Struct, kw_only=True):
    """How one occurrence differs from its series; None means "as the series".

    ``answered`` marks an occurrence that only carries answers of its own.
    """

    cancelled: bool = False
    answered: bool = False
    start: datetime | None = None
    end: datetime | None = None
    title: str | None = None
    link: str | None = None
    location: str | None = None
    description: str | None = None
    sequence: int = 0


class Meeting(msgspec.Struct, kw_only=True):
    """One meeting or series, whoever organises it; every participant's rows are written from it.

    ``start`` and ``end`` are instants in UTC (of the first occurrence); an all-day meeting has
    midnights of its dates, end exclusive. ``zone`` is where a series keeps its wall-clock time.
    ``recurrence`` holds RFC 5545 lines (RRULE, RDATE, EXDATE). ``changes`` is keyed by slot: the
    UTC instant that the series gave an occurrence: ``20261123T090000Z``, all-day ``20261123``.
    ``uid`` is Google's iCalUID, or the Exchange GlobalObjectId when Outlook organises.
    ``organizer`` is a calendar's own address when a Google group calendar organises; ``creator``
    is then the person. ``calendars`` maps an account's key to the calendar that holds its copy;
    ``removed_for`` lists the accounts that deleted theirs. ``foreign_uid`` is how Outlook shows
    the uid of a meeting organised elsewhere. ``extra`` adds native fields, by provider.
    """

    id: str
    uid: str
    organizer: str
    organizer_name: str
    creator: str = ""
    organizer_provider: Literal["google", "outlook", "elsewhere"]
    title: str
    start: datetime
    end: datetime
    zone: str
    all_day: bool = False
    guests: list[Guest] = []
    guests_hidden: bool = False
    link: str = ""
    link_place: LinkPlace = "auto"
    recurrence: list[str] = []
    location: str = ""
    description: str = ""
    visibility: Visibility = "default"
    busy: bool = True
    cancelled: bool = False
    foreign_uid: Literal["vcal", "raw"] = "vcal"
    calendars: dict[str, str] = {}
    removed_for: list[str] = []
    changes: dict[str, Change] = {}
    sequence: int = 0
    created_at: datetime
    updated_at: datetime
    extra: dict[str, dict[str, Any]] = {}

    def guest(self, email: str) -> Guest | None:
        """Return the guest with this address."""
        return next((g for g in self.guests if g.email.lower() == email.lower()), None)

    def change(self, slot: str) -> Change:
        """Return the occurrence's own change, made on first use."""
        return self.changes.setdefault(slot, Change())

    def occurrence(self, slot: str) -> tuple[datetime, datetime]:
        """Return where the occurrence of ``slot`` lies now, moved or not, in UTC."""
        change = self.changes.get(slot, Change())
        start = change.start or slot_start(slot)
        return start, change.end or start + (self.end - self.start)


def slot_key(start: datetime, *, all_day: bool) -> str:
    """Return the name of an occurrence: the instant (or date) that its series gave it."""
    instant = start.astimezone(UTC)
    return instant.strftime("%Y%m%d" if all_day else "%Y%m%dT%H%M%SZ")


def slot_start(slot: str) -> datetime:
    """Return the instant that a slot's name stands for."""
    form = "%Y%m%dT%H%M%SZ" if "T" in slot else "%Y%m%d"
    return datetime.strptime(slot, form).replace(tzinfo=UTC)


def instant(value: datetime, zone: str, *, all_day: bool) -> datetime:
    """Read a time as people give it: naive means wall-clock time in ``zone``; all-day its date."""
    if all_day:
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    local = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)
