"""The one world behind every simulator: people, calendars, meetings, grants, time and faults.

How an end is built on it. ``world.directory`` knows accounts and calendars; ``world.grants`` the
OAuth clients, codes and tokens; ``world.rows`` writes event rows, numbers changes and calls
listeners; ``world.faults`` says when to misbehave; ``world.clock`` is the time; ``world.courier``
posts notifications; ``world.journal`` remembers requests; ``world.state`` is everything that
survives a restart (``state.notes`` is free for any end). ``edits`` changes meetings.

A meeting is kept once, provider-neutrally (``meetings.Meeting``); whoever takes part gets rows in
their calendar, made by the copy writer that their provider registered in ``world.writers``. A
writer is called again after every edit and brings the calendar's rows in line; ``rows.put`` is
silent when nothing changed, and ``holds_copy`` says whether there should be a copy at all.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec

from meetbot_calendar.clock import Clock, SystemClock
from meetbot_calendar.sandbox import uids
from meetbot_calendar.sandbox.clock import WorldClock
from meetbot_calendar.sandbox.courier import Courier
from meetbot_calendar.sandbox.directory import Directory
from meetbot_calendar.sandbox.faults import Faults
from meetbot_calendar.sandbox.grants import Grants
from meetbot_calendar.sandbox.journal import Journal
from meetbot_calendar.sandbox.meetings import Guest, Meeting, Response, instant
from meetbot_calendar.sandbox.recurrence import check
from meetbot_calendar.sandbox.rows import Rows
from meetbot_calendar.sandbox.store import Account, Calendar, Provider, Row, State

CopyWriter = Callable[["World", Calendar, Meeting], None]
"""Brings one calendar's rows of one meeting in line with the meeting as it now is."""

RawWriter = Callable[["World", Calendar, dict[str, Any]], Row]
"""Stores a provider's own JSON as a row, as it is."""


class FolderLoader(Protocol):
    """Stores the field ``event`` of every ``*.json`` in a folder as rows."""

    def __call__(
        self, world: "World", folder: Path, calendar: Calendar, *, to_present: bool = False
    ) -> list[Row]:
        """Load; ``to_present`` shifts the events to the week from today."""
        ...


class World:
    """See the module. One per process, used from one event loop."""

    def __init__(
        self,
        clock: Clock | None = None,
        state: State | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.state = state or State()
        self.clock = WorldClock(clock or SystemClock(), self.state.skipped)
        self.faults = Faults(self.state.faults)
        self.grants = Grants(self.state.grants)
        self.directory = Directory(self.state, self.clock)
        self.rows = Rows(self.clock)
        self.journal = Journal()
        self.courier = Courier(self.clock, transport)
        self.writers: dict[Provider, CopyWriter] = {}
        self.raw_writers: dict[Provider, RawWriter] = {}
        self.folder_loaders: dict[Provider, FolderLoader] = {}

    def snapshot(self) -> bytes:
        """Return the whole state as JSON."""
        self.state.skipped = self.clock.skipped
        return msgspec.json.encode(self.state)

    def add_meeting(
        self,
        organizer: str,
        title: str,
        start: datetime,
        end: datetime,
        zone: str = "UTC",
        *,
        attendees: list[tuple[str, Response, bool, bool]] | list[Guest] | None = None,
        all_day: bool = False,
        recurrence: str | list[str] = "",
        calendar: str = "",
        **facts: Any,  # noqa: ANN401 - the remaining fields of Meeting, checked by it
    ) -> Meeting:
        """Hold a meeting: every known participant gets a copy.

        ``attendees`` are ``(email, response, optional, resource)``; naive times are wall-clock in
        ``zone``. ``calendar`` is the organiser's calendar if not the primary one. ``facts``: link,
        link_place, location, description, visibility, guests_hidden, busy, foreign_uid, uid, extra.
        Raises ValueError for a recurrence that is none.
        """
        event_id = str(facts.pop("id", "")) or uids.new_google_id()
        now = self.clock.now()
        who = self.organizer(organizer)
        host = self._host(who, organizer, calendar)
        facts.setdefault("uid", self._new_uid(who, event_id))
        lines = [recurrence] if isinstance(recurrence, str) else recurrence
        meeting = Meeting(
            id=event_id,
            organizer_provider=who.provider if who else "elsewhere",
            title=title,
            start=instant(start, zone, all_day=all_day),
            end=instant(end, zone, all_day=all_day),
            zone=zone,
            all_day=all_day,
            guests=[self._guest(a) for a in attendees or []],
            recurrence=[line for line in lines if line],
            created_at=now,
            updated_at=now,
            **(host | facts),
        )
        check(meeting.recurrence, meeting.start, zone, all_day=all_day)
        self.state.meetings[meeting.id] = meeting
        self.write(meeting)
        return meeting

    def meeting(self, meeting_id: str) -> Meeting:
        """Return a meeting; KeyError when there is none."""
        return self.state.meetings[meeting_id]

    def organizer(self, email: str) -> Account | None:
        """Return the account that organises as this address (also as a calendar's own address)."""
        found = self.directory.accounts_of(email)
        calendar = self.directory.calendar(email)
        if not found and calendar:
            found = self.directory.accounts_of(calendar.owner)
        return found[0] if found else None

    def write(self, meeting: Meeting) -> None:
        """Bring every participant's copy in line with the meeting."""
        for account in self.participants(meeting):
            calendar = self.calendar_of(meeting, account)
            writer = self.writers.get(account.provider)
            if writer and not calendar.removed:
                writer(self, calendar, meeting)

    def participants(self, meeting: Meeting) -> list[Account]:
        """Return the accounts that hold, or held, a copy: organiser first, then guests."""
        who = self.organizer(meeting.organizer)
        people = [who] if who else []
        for guest in meeting.guests:
            people += self.directory.accounts_of(guest.email)
        held = [self.state.accounts[key] for key in meeting.calendars]
        return list({a.key: a for a in [*people, *held]}.values())

    def calendar_of(self, meeting: Meeting, account: Account) -> Calendar:
        """Return the calendar that holds (or will hold) this account's copy."""
        primary = self.directory.primary(account)
        return self.state.calendars[meeting.calendars.setdefault(account.key, primary.id)]

    def holds_copy(self, meeting: Meeting, account: Account) -> bool:
        """Tell whether this account should now have a live copy; if not, its rows must go."""
        if meeting.cancelled or account.key in meeting.removed_for:
            return False
        invited = any(g.email.lower() == account.email for g in meeting.guests)
        return invited or self.organizer(meeting.organizer) is account

    def _guest(self, given: tuple[str, Response, bool, bool] | Guest) -> Guest:
        if isinstance(given, Guest):
            guest = given
        else:
            email, response, optional, resource = given
            guest = Guest(email=email, response=response, optional=optional, resource=resource)
        known = self.directory.accounts_of(guest.email)
        guest.name = guest.name or (known[0].name if known else "")
        return guest

    def _host(self, who: Account | None, address: str, calendar_id: str) -> dict[str, Any]:
        """Say who organises: a Google group calendar does so in its own name."""
        email = address.lower()
        if who is None:
            return {"organizer": email, "organizer_name": email.partition("@")[0].title()}
        calendar = self.directory.calendar(calendar_id or address)
        if calendar is None:
            return {"organizer": who.email, "organizer_name": who.name}
        host: dict[str, Any] = {"calendars": {who.key: calendar.id}}
        if calendar.primary or who.provider == "outlook":
            return host | {"organizer": who.email, "organizer_name": who.name}
        named = {"organizer": calendar.id, "organizer_name": calendar.name}
        return host | named | {"creator": who.email}

    def _new_uid(self, who: Account | None, event_id: str) -> str:
        if who and who.provider == "outlook":
            return uids.new_global_object_id(self.clock.now())
        return uids.google_uid(event_id)


def load_world(path: Path, clock: Clock | None = None) -> World:
    """Return the world that a file remembers, or a new one when the file is not there."""
    if not path.exists():
        return World(clock)
    return World(clock, msgspec.json.decode(path.read_bytes(), type=State))
