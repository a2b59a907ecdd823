"""The people of the world, their calendars, and who may see which."""

import hashlib
import secrets

from meetbot_calendar.sandbox.clock import WorldClock
from meetbot_calendar.sandbox.store import (
    Account,
    Calendar,
    Entry,
    Provider,
    Role,
    State,
    account_key,
)

DEFAULT_TENANT = "84bd8158-6d4d-4958-8b9f-9d6445542f95"


class Directory:
    """Adds and finds accounts, calendars and the lines of calendar lists."""

    def __init__(self, state: State, clock: WorldClock) -> None:
        self.state = state
        self.clock = clock

    def add_account(
        self, provider: Provider, email: str, name: str = "", zone: str = "UTC"
    ) -> Account:
        """Add a person with a primary calendar; one who is there already is returned as is."""
        found = self.account(provider, email)
        if found:
            return found
        account = Account(
            provider=provider,
            email=email.lower(),
            name=name or email.partition("@")[0].title(),
            subject=_subject(provider, email),
            tenant_id=DEFAULT_TENANT if provider == "outlook" else "",
            zone=zone,
        )
        self.state.accounts[account.key] = account
        self.add_calendar(account, "Calendar", primary=True)
        return account

    def account(self, provider: str, email: str) -> Account | None:
        """Return a provider's account with this address."""
        return self.state.accounts.get(account_key(provider, email))

    def accounts_of(self, email: str) -> list[Account]:
        """Return every account with this address: one person may use both providers."""
        return [a for a in self.state.accounts.values() if a.email == email.lower()]

    def add_calendar(
        self,
        owner: Account,
        name: str,
        calendar_id: str = "",
        *,
        primary: bool = False,
        generated: bool = False,
        zone: str = "",
    ) -> Calendar:
        """Add a calendar to its owner's list; a generated one (holidays) is only readable."""
        calendar = Calendar(
            id=calendar_id or _calendar_id(owner, primary=primary),
            provider=owner.provider,
            owner=owner.email,
            name=owner.email if primary and owner.provider == "google" else name,
            zone=zone or owner.zone,
            generated=generated,
            primary=primary,
            updated_at=self.clock.now(),
        )
        self.state.calendars[calendar.id] = calendar
        self.share(calendar, owner, "reader" if generated else "owner", primary=primary)
        return calendar

    def share(
        self, calendar: Calendar, account: Account, role: Role, *, primary: bool = False
    ) -> Entry:
        """Put a calendar into an account's list, or change what the account may see of it."""
        entry = self.entry(account, calendar.id, removed=True)
        if entry is None:
            entry = Entry(account=account.key, calendar=calendar.id, role=role, primary=primary)
            self.state.entries.append(entry)
        elif entry.role != role or entry.removed:
            entry.access += 1
        entry.role, entry.removed = role, False
        self.list_changed(account, entry)
        return entry

    def unshare(self, calendar: Calendar, account: Account) -> None:
        """Take a calendar off an account's list; it can no longer be read there."""
        entry = self.entry(account, calendar.id)
        if entry:
            entry.removed = True
            self.list_changed(account, entry)

    def remove_calendar(self, calendar: Calendar) -> None:
        """Delete a calendar for everyone who has it."""
        calendar.removed = True
        for entry in [e for e in self.state.entries if e.calendar == calendar.id]:
            self.unshare(calendar, self.state.accounts[entry.account])

    def calendar(self, calendar_id: str) -> Calendar | None:
        """Return a calendar that has not been deleted."""
        found = self.state.calendars.get(calendar_id)
        return found if found and not found.removed else None

    def primary(self, account: Account) -> Calendar:
        """Return an account's own first calendar."""
        return next(self.state.calendars[e.calendar] for e in self.entries(account) if e.primary)

    def entries(self, account: Account, *, removed: bool = False) -> list[Entry]:
        """Return the lines of an account's calendar list; removed ones only on request."""
        mine = [e for e in self.state.entries if e.account == account.key]
        return [e for e in mine if removed or not e.removed]

    def entry(self, account: Account, calendar_id: str, *, removed: bool = False) -> Entry | None:
        """Return an account's line for one calendar: None when it has no access."""
        found = self.entries(account, removed=removed)
        return next((e for e in found if e.calendar == calendar_id), None)

    def list_changed(self, account: Account, entry: Entry) -> None:
        """Count a change of the calendar list, so that a delta of it can be answered."""
        account.list_change += 1
        entry.change = account.list_change


def _subject(provider: str, email: str) -> str:
    digest = hashlib.sha256(account_key(provider, email).encode()).hexdigest()
    if provider == "google":
        return f"1{int(digest[:16], 16):020d}"
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def _calendar_id(owner: Account, *, primary: bool) -> str:
    if owner.provider == "outlook":
        return "AAMkA" + secrets.token_urlsafe(40) + "AAA="
    if primary:
        return owner.email
    return f"c_{secrets.token_hex(16)}@group.calendar.google.com"
