"""What accounts and calendars are called: sealed to be shown, and named by a hash to be found.

The hash is keyed with the tenant's own key (``TenantSession.name``): whoever holds the rows alone
can neither read such a name nor try whether it is one that they guess. Meetings, which are only
ever compared, have their names as hashes alone.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Row

from tenants.storage.session import TenantSession


class AccountContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection's account is called: everything of it that is stored sealed."""

    account_id: str
    name: str | None = None


class CalendarContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a calendar is called, by its provider and by its people."""

    platform_id: str
    name: str


def account_named(session: TenantSession, account_id: str) -> str:
    """Return what stands for an account in its row."""
    return session.name("account", account_id)


def calendar_named(session: TenantSession, platform_id: str) -> str:
    """Return what stands for the provider's id of a calendar in its row."""
    return session.name("calendar", platform_id)


def meetings_named(session: TenantSession, keys: Iterable[str]) -> tuple[str, ...]:
    """Turn meeting keys into what is stored of them."""
    return tuple(meeting_renamed(session, digest_of(session.tenant_id, key)) for key in keys)


def meeting_renamed(session: TenantSession, digest: str) -> str:
    """Turn what was stored of a meeting key once, a digest without a secret, into what is now."""
    return session.name("meeting", digest)


def digest_of(tenant_id: str, key: str) -> str:
    """Digest a meeting key. It can be tried by whoever guesses the key."""
    return hashlib.blake2b(key.encode(), key=tenant_id.encode(), digest_size=16).hexdigest()


def account_of(session: TenantSession, row: Row[Any]) -> AccountContent:
    """Open what a connection says, joined to a row as ``account``."""
    return session.open(row.connection_id, row.account, AccountContent)
