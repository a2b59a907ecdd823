"""What a key looks like, how it is hashed, how one is recognised."""

import hashlib
import hmac
import secrets
from datetime import datetime

import msgspec

from tenants.identity import ApiKeyId, CalendarUserId, TenantId

_PREFIX_LENGTH = 12


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is listed: never the key itself."""

    id: ApiKeyId
    tenant_id: TenantId
    name: str
    prefix: str
    user_id: CalendarUserId | None = None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


def new_key() -> str:
    """Make a key with 256 random bits; its first twelve characters may be shown."""
    return f"mbk_{secrets.token_urlsafe(32)}"


def prefix_of(key: str) -> str:
    """Return the part of a key that may be listed."""
    return key[:_PREFIX_LENGTH]


def hash_of(key: str) -> bytes:
    """Return what is stored in the key's place.

    A plain SHA-256 is enough: a key is 256 random bits, so there is no dictionary to try.
    """
    return hashlib.sha256(key.encode()).digest()


def same_key(given: str, expected: str) -> bool:
    """Compare two keys in constant time."""
    return hmac.compare_digest(hash_of(given), hash_of(expected))


def is_usable(key: ApiKey, now: datetime) -> bool:
    """Say whether a stored key still opens the door."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)
