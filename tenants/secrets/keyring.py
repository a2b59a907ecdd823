"""The tenant's ciphers: data keys unwrapped once, kept briefly, rotated without a gap.

Every key of a tenant and purpose is loaded at once, so a cipher opens whatever was sealed before it
was loaded. A new key begins to seal only when no process can still hold a cipher without it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, Protocol
from weakref import WeakValueDictionary

import msgspec

from tenants.identity import TenantId
from tenants.secrets.envelope import Binding, CannotOpen, key_number, open_sealed, seal
from tenants.secrets.key_provider import KeyProvider

KeyPurpose = Literal["content", "grant"]
PURPOSES: tuple[KeyPurpose, ...] = ("content", "grant")

LIFETIME = timedelta(minutes=5)
CAPACITY = 2000
_Name = tuple[TenantId, KeyPurpose]


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A wrapped data key as it is stored; its id tells tenant, purpose and number."""

    id: str
    tenant_id: TenantId
    purpose: KeyPurpose
    wrapped: bytes
    created_at: datetime

    @property
    def number(self) -> int:
        """Return the number that sealed blobs name it by."""
        return int(self.id.rpartition("_")[2])


class DataKeyStore(Protocol):
    """Where wrapped data keys lie."""

    async def all(self, tenant_id: TenantId, purpose: KeyPurpose) -> tuple[StoredKey, ...]:
        """Return every data key of a tenant and purpose, in any order."""
        ...

    async def add(self, key: StoredKey) -> None:
        """Store a key and commit, before anything is sealed with it.

        Where its id is taken, leave what is there: two processes had the same thought.
        """
        ...


class TenantCipher:
    """Seals and opens one tenant's bytes of one purpose, with no more waiting."""

    def __init__(self, name: _Name, keys: Mapping[int, bytes], current: int) -> None:
        self._tenant_id, self._purpose = name
        self._keys = dict(keys)
        self._current = current

    def seal(self, row_id: str, data: bytes) -> bytes:
        """Seal bytes to this tenant, purpose and row."""
        return seal(self._keys[self._current], self._current, self._binding(row_id), data)

    def open(self, row_id: str, sealed: bytes) -> bytes:
        """Open what was sealed to the same. Raises ``CannotOpen``."""
        key = self._keys.get(key_number(sealed))
        if key is None:
            raise CannotOpen("these bytes name a data key that the tenant does not have")
        return open_sealed(key, self._binding(row_id), sealed)

    def _binding(self, row_id: str) -> Binding:
        return Binding(tenant_id=self._tenant_id, purpose=self._purpose, row_id=row_id)


class Keyring:
    """Gives ciphers. It raises what its provider does: ``KeyGone`` for a tenant without a key."""

    def __init__(
        self,
        provider: KeyProvider,
        store: DataKeyStore,
        *,
        lifetime: timedelta = LIFETIME,
        capacity: int = CAPACITY,
    ) -> None:
        self._provider = provider
        self._store = store
        self._lifetime = lifetime
        self._capacity = capacity
        self._held: OrderedDict[_Name, tuple[TenantCipher, datetime]] = OrderedDict()
        self._loading: WeakValueDictionary[_Name, asyncio.Lock] = WeakValueDictionary()

    async def cipher(self, tenant_id: TenantId, purpose: KeyPurpose, now: datetime) -> TenantCipher:
        """Return the tenant's cipher; the first one for a purpose makes its first data key."""
        name = (tenant_id, purpose)
        if held := self._fresh(name, now):
            return held
        lock = self._loading.setdefault(name, asyncio.Lock())
        async with lock:  # of many callers, one loads
            return self._fresh(name, now) or self._hold(name, await self._load(name, now), now)

    def held(self, tenant_id: TenantId, purpose: KeyPurpose, now: datetime) -> TenantCipher | None:
        """Return the cipher if it is at hand, without waiting; else None."""
        return self._fresh((tenant_id, purpose), now)

    async def prepare(self, tenant_id: TenantId, now: datetime) -> None:
        """Make a new tenant's key and its first data keys."""
        await self._provider.create(tenant_id)
        for purpose in PURPOSES:
            await self.cipher(tenant_id, purpose, now)

    async def rotate(self, tenant_id: TenantId, now: datetime) -> None:
        """Add a data key for each purpose: it seals two lifetimes later; older ones still open."""
        for purpose in PURPOSES:
            keys = await self._store.all(tenant_id, purpose)
            number = max((key.number for key in keys), default=0) + 1
            await self._add((tenant_id, purpose), number, now)
            self._held.pop((tenant_id, purpose), None)

    async def destroy(self, tenant_id: TenantId) -> None:
        """Destroy the tenant's key; other processes forget its data keys within a lifetime."""
        await self._provider.destroy(tenant_id)
        for purpose in PURPOSES:
            self._held.pop((tenant_id, purpose), None)

    async def health(self) -> None:
        """Ask the key service whether it would answer; raises what the provider raises."""
        await self._provider.health()

    def _fresh(self, name: _Name, now: datetime) -> TenantCipher | None:
        cipher, until = self._held.get(name, (None, now))
        if cipher is None or now >= until:
            return None
        self._held.move_to_end(name)
        return cipher

    def _hold(self, name: _Name, cipher: TenantCipher, now: datetime) -> TenantCipher:
        self._held[name] = (cipher, now + self._lifetime)
        self._held.move_to_end(name)
        while len(self._held) > self._capacity:
            self._held.popitem(last=False)
        return cipher

    async def _load(self, name: _Name, now: datetime) -> TenantCipher:
        stored = await self._store.all(*name)
        if not stored:
            await self._add(name, 1, now)
            stored = await self._store.all(*name)
        keys = {
            key.number: await self._provider.unwrap(key.tenant_id, key.wrapped) for key in stored
        }
        known_to_all = now - 2 * self._lifetime
        settled = [key.number for key in stored if key.created_at <= known_to_all]
        return TenantCipher(name, keys, max(settled, default=min(keys)))

    async def _add(self, name: _Name, number: int, now: datetime) -> None:
        tenant_id, purpose = name
        made = await self._provider.generate(tenant_id)
        await self._store.add(
            StoredKey(
                id=f"dk_{tenant_id}_{purpose}_{number}",
                tenant_id=tenant_id,
                purpose=purpose,
                wrapped=made.wrapped,
                created_at=now,
            )
        )
