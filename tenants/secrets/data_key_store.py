"""The port: where wrapped data keys lie, and what is written down of their rotation."""

from datetime import datetime
from typing import Protocol

import msgspec

from tenants.identity import TenantId
from tenants.secrets.key_provider import KeyPurpose, TenantKey


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A wrapped data key as it is stored.

    ``number`` is what sealed blobs name it by; ``under`` says under which tenant key it is wrapped.
    """

    tenant_id: TenantId
    purpose: KeyPurpose
    number: int
    under: KeyPurpose
    passing: bool
    wrapped: bytes
    created_at: datetime

    @property
    def id(self) -> str:
        """Name the row."""
        return f"dk_{self.tenant_id}_{self.purpose}_{self.number}"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rotation began: the tenant key's version, its newest standing data key's number."""

    version: int
    number: int


class DataKeyStore(Protocol):
    """Where wrapped data keys lie. Each call commits."""

    async def standing(self, name: TenantKey) -> tuple[StoredKey, ...]:
        """Return every standing data key of a tenant and purpose, in any order."""
        ...

    async def wrapped_under(self, name: TenantKey) -> tuple[StoredKey, ...]:
        """Return every data key that is wrapped under this tenant key."""
        ...

    async def numbered(self, name: TenantKey, number: int) -> StoredKey | None:
        """Return one data key."""
        ...

    async def next_number(self, name: TenantKey) -> int:
        """Return a number that no data key of this tenant and purpose ever had."""
        ...

    async def add(self, key: StoredKey, version: int) -> bool:
        """Store a key and commit, before anything is sealed with it.

        False, and nothing is stored, where its number is taken, or where ``version`` of its tenant
        key, which wrapped it, has been given up meanwhile.
        """
        ...

    async def replace(self, key: StoredKey, wrapped: bytes) -> None:
        """Store the same data key under a newer version, unless somebody has done so already."""
        ...

    async def begun(self, name: TenantKey, at: Begun) -> Begun:
        """Write down where a rotation begins; if that was done before, return what was written."""
        ...

    async def set_floor(self, name: TenantKey, version: int) -> None:
        """From now on store nothing that an older version of the tenant key has wrapped."""
        ...
