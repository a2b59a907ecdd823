"""The sandbox's state as plain records: all of it is JSON, so a restarted process remembers."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from meetbot_calendar.sandbox.faults import Fault
from meetbot_calendar.sandbox.grants import GrantState
from meetbot_calendar.sandbox.meetings import Meeting

Provider = Literal["google", "outlook"]
Role = Literal["none", "freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner"]


class Account(msgspec.Struct, kw_only=True):
    """One person at one provider: ``subject`` is Google's sub or Microsoft's oid."""

    provider: Provider
    email: str
    name: str
    subject: str
    tenant_id: str = ""
    zone: str = "UTC"
    list_change: int = 0
    detail: dict[str, Any] = {}

    @property
    def key(self) -> str:
        """Return what this account is filed under: one email may live at both providers."""
        return account_key(self.provider, self.email)


class Entry(msgspec.Struct, kw_only=True):
    """One line of an account's calendar list: what it may see of a calendar.

    ``change`` is the account's ``list_change`` when the line last changed; ``access`` grows with
    every change of role, and sync tokens die with it.
    """

    account: str
    calendar: str
    role: Role
    primary: bool = False
    selected: bool = True
    hidden: bool = False
    removed: bool = False
    summary_override: str = ""
    change: int = 0
    access: int = 0


class Past(msgspec.Struct, kw_only=True):
    """What a row looked like before the change numbered ``until`` gave it another shape in time."""

    until: int
    body: dict[str, Any]


class Row(msgspec.Struct, kw_only=True):
    """One event as its provider stores it; ``body`` is that provider's own JSON.

    ``change`` is the calendar's change number at which it last changed, ``serial`` its place in
    the order of arrival. A removed row stays as a tombstone, with its last body. ``past`` keeps
    the bodies whose start, end or recurrence differed, so that a delta can tell what went away.
    """

    id: str
    body: dict[str, Any]
    serial: int
    change: int
    updated_at: datetime
    removed: bool = False
    meeting: str = ""
    past: list[Past] = []


class Calendar(msgspec.Struct, kw_only=True):
    """One calendar with its rows; ``change`` numbers its changes, ``epoch`` its lost histories."""

    id: str
    provider: Provider
    owner: str
    name: str
    zone: str = "UTC"
    generated: bool = False
    primary: bool = False
    removed: bool = False
    change: int = 0
    epoch: int = 0
    serial: int = 0
    updated_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    rows: dict[str, Row] = {}
    detail: dict[str, Any] = {}


class Watch(msgspec.Struct, kw_only=True):
    """One push subscription: a Google channel or a Graph subscription.

    ``secret`` is the channel token or clientState; ``messages`` the last message number sent.
    """

    id: str
    provider: Provider
    account: str
    client_id: str
    calendar: str
    address: str
    resource_id: str = ""
    secret: str = ""
    expires_at: datetime | None = None
    messages: int = 0
    delivered: int = 0
    lost: int = 0
    detail: dict[str, Any] = {}


class State(msgspec.Struct, kw_only=True):
    """Everything that the sandbox knows. ``notes`` is free for other ends (fleet, customer)."""

    accounts: dict[str, Account] = {}
    calendars: dict[str, Calendar] = {}
    entries: list[Entry] = []
    meetings: dict[str, Meeting] = {}
    watches: dict[str, Watch] = {}
    grants: GrantState = msgspec.field(default_factory=GrantState)
    faults: list[Fault] = []
    skipped: timedelta = timedelta(0)
    notes: dict[str, Any] = {}


def account_key(provider: str, email: str) -> str:
    """Return the key that an account is filed under."""
    return f"{provider}:{email.lower()}"
