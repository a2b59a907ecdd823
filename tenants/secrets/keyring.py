"""The tenants' ciphers: data keys unwrapped once, kept briefly, rotated without a gap.

Every *standing* data key of a tenant and purpose is loaded at once, so a cipher opens whatever was
sealed before it was loaded; a new one begins to seal only when no process can still hold a cipher
without it. A process that may not open a purpose seals with a *passing* data key that it made
itself; whoever may open fetches that one by its number.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

from tenants.identity import TenantId
from tenants.secrets.ciphers import TenantCipher, TenantSealer
from tenants.secrets.data_key_store import DataKeyStore, StoredKey
from tenants.secrets.envelope import CannotOpen, key_number, wipe
from tenants.secrets.held import Held
from tenants.secrets.key_provider import (
    PURPOSES,
    KeyGone,
    KeyProvider,
    KeyPurpose,
    KeyServiceDown,
    KeyServiceRefused,
    TenantKey,
)
from tenants.secrets.patience import Patience, Trouble
from tenants.secrets.rotation import rotate

LIFETIME = timedelta(minutes=5)
CAPACITY = 2000
_AT_ONCE = 4
_GONE_FOR = timedelta(minutes=1)
_TRIES = 20
_QUEUE = 2.0  # real seconds that one may wait for a turn at the key service

T = TypeVar("T")


class Keyring:
    """Gives ciphers. It raises what its provider does: ``KeyGone`` for a tenant without a key.

    ``opens`` says what this process may open at all. ``told`` hears of each trouble once.
    """

    def __init__(
        self,
        provider: KeyProvider,
        store: DataKeyStore,
        *,
        opens: Collection[KeyPurpose] = PURPOSES,
        lifetime: timedelta = LIFETIME,
        capacity: int = CAPACITY,
        told: Callable[[Trouble], None] | None = None,
    ) -> None:
        self._provider = provider
        self._store = store
        self._opens = frozenset(opens)
        self._lifetime = lifetime
        self._told = told
        self._ciphers: Held[TenantCipher] = Held(lifetime, capacity)
        self._sealers: Held[TenantSealer] = Held(lifetime, capacity)
        self._loading: WeakValueDictionary[TenantKey, asyncio.Lock] = WeakValueDictionary()
        self._gone: dict[TenantKey, datetime] = {}
        self._patience = Patience()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def opens(self, purpose: KeyPurpose) -> bool:
        """Say whether this process may open what is sealed for a purpose."""
        return purpose in self._opens

    async def cipher(self, tenant_id: TenantId, purpose: KeyPurpose, now: datetime) -> TenantCipher:
        """Return the tenant's cipher; the first one for a purpose makes its first data key."""
        if purpose not in self._opens:
            raise KeyServiceRefused(f"this process seals {purpose}s, and opens none")
        name = TenantKey(tenant_id, purpose)
        if held := self._ciphers.fresh(name, now):
            return held
        async with self._lock(name):  # of many callers, one loads
            held = self._ciphers.fresh(name, now)
            return held or self._ciphers.hold(name, await self._load(name, now), now)

    async def opener(
        self, tenant_id: TenantId, purpose: KeyPurpose, sealed: bytes, now: datetime
    ) -> TenantCipher:
        """Return the tenant's cipher with the data key at hand that sealed these bytes."""
        cipher = await self.cipher(tenant_id, purpose, now)
        if not cipher.knows(sealed):
            number = key_number(sealed)
            stored = await self._store.numbered(TenantKey(tenant_id, purpose), number)
            if stored is None:
                raise CannotOpen("these bytes name a data key that the tenant does not have")
            cipher.learn(number, await self._unwrap(stored, now))
        return cipher

    async def sealer(self, tenant_id: TenantId, purpose: KeyPurpose, now: datetime) -> TenantSealer:
        """Return what seals for a tenant: its cipher, or where we may not open, a passing key."""
        if purpose in self._opens:
            return await self.cipher(tenant_id, purpose, now)
        name = TenantKey(tenant_id, purpose)
        if held := self._sealers.fresh(name, now):
            return held
        async with self._lock(name):
            held = self._sealers.fresh(name, now)
            return held or self._sealers.hold(name, await self._pass(name, now), now)

    def held(self, tenant_id: TenantId, purpose: KeyPurpose, now: datetime) -> TenantCipher | None:
        """Return the cipher if it is at hand, without waiting; else None."""
        return self._ciphers.fresh(TenantKey(tenant_id, purpose), now)

    async def prepare(self, tenant_id: TenantId, now: datetime) -> None:
        """Make a new tenant's keys, and its first data keys of what we may open."""
        for purpose in PURPOSES:
            await self._provider.create(TenantKey(tenant_id, purpose))
            self._gone.pop(TenantKey(tenant_id, purpose), None)
        for purpose in self._opens:
            await self.cipher(tenant_id, purpose, now)

    async def rotate(self, name: TenantKey, now: datetime) -> int:
        """Rotate one tenant key, or go on where it was left; returns how many keys it re-wrapped.

        It asks without a pause: who rotates wants to hear of trouble at once.
        """
        rewrapped = await rotate(self._provider, self._store, name, now)
        self._ciphers.drop(name)
        return rewrapped

    async def rotate_root(self) -> None:
        """Renew what the tenant keys lie under, where that is ours to renew."""
        await self._provider.rotate_root()

    async def destroy(self, tenant_id: TenantId) -> None:
        """Destroy the tenant's keys; other processes forget its data keys within a lifetime.

        That of content goes first: where it is left alone, the tenant is old (see ``_renewed``).
        """
        for purpose in PURPOSES:
            name = TenantKey(tenant_id, purpose)
            await self._provider.destroy(name)
            self._ciphers.drop(name)
            self._sealers.drop(name)

    async def health(self) -> None:
        """Ask the key service whether it would answer; raises what the provider raises."""
        await self._provider.health()
        self._patience.all_well()

    def expire(self, now: datetime) -> int:
        """Let go of keys whose time is over; returns how many ciphers are still held."""
        self._ciphers.expire(now)
        self._sealers.expire(now)
        self._gone = {name: until for name, until in self._gone.items() if now < until}
        return len(self._ciphers) + len(self._sealers)

    async def close(self) -> None:
        """Wipe every key, and let go of the key service."""
        self._ciphers.wipe()
        self._sealers.wipe()
        await self._provider.close()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of few turns; not long, so that a slow service cannot fill the house."""
        try:
            async with asyncio.timeout(_QUEUE):
                await self._turns.acquire()
        except TimeoutError as error:
            raise KeyServiceDown("the key service is slow: others wait for it already") from error
        try:
            yield
        finally:
            self._turns.release()

    def _lock(self, name: TenantKey) -> asyncio.Lock:
        return self._loading.setdefault(name, asyncio.Lock())

    async def _load(self, name: TenantKey, now: datetime) -> TenantCipher:
        stored = await self._store.standing(name)
        if not stored:
            wipe((await self._add(name, now, passing=False))[1])
            stored = await self._store.standing(name)
        try:
            keys = await self._unwrap_all(stored, now)
        except CannotOpen:  # re-wrapped between the reading and the asking
            stored = await self._store.standing(name)
            keys = await self._unwrap_all(stored, now)
        known_to_all = now - 2 * self._lifetime
        settled = [key.number for key in stored if key.created_at <= known_to_all]
        return TenantCipher(name, keys, max(settled, default=min(keys)))

    async def _pass(self, name: TenantKey, now: datetime) -> TenantSealer:
        """Make a passing data key, good for one lifetime of this process."""
        try:
            number, plaintext = await self._add(name, now, passing=True)
        except KeyGone:
            await self._renewed(name, now)
            number, plaintext = await self._add(name, now, passing=True)
        return TenantSealer(name, {number: plaintext}, number)

    async def _renewed(self, name: TenantKey, now: datetime) -> None:
        """Make the tenant key that an old tenant has not got yet: one whose content still opens.

        Tenants used to have one key for everything. A removed one has lost that one first.
        """
        self._gone.pop(name, None)
        await self._load(TenantKey(name.tenant_id, "content"), now)
        await self._provider.create(name)

    async def _unwrap_all(
        self, stored: Collection[StoredKey], now: datetime
    ) -> dict[int, bytearray]:
        return {key.number: await self._unwrap(key, now) for key in stored}

    async def _unwrap(self, stored: StoredKey, now: datetime) -> bytearray:
        name = TenantKey(stored.tenant_id, stored.under)
        return await self._ask(name, now, lambda: self._provider.unwrap(name, stored.wrapped))

    async def _add(self, name: TenantKey, now: datetime, *, passing: bool) -> tuple[int, bytearray]:
        """Make and store a data key under a number of its own."""
        for _ in range(_TRIES):
            made = await self._ask(name, now, lambda: self._provider.generate(name))
            number = await self._store.next_number(name)
            new = StoredKey(
                tenant_id=name.tenant_id,
                purpose=name.purpose,
                number=number,
                under=name.purpose,
                passing=passing,
                wrapped=made.wrapped,
                created_at=now,
            )
            if await self._store.add(new, self._provider.version_of(made.wrapped)):
                return number, made.plaintext
            wipe(made.plaintext)
            if not passing and (stored := await self._store.standing(name)):
                return stored[0].number, made.plaintext  # another process was first
        raise KeyServiceDown("a new data key could not be stored: others were quicker each time")

    async def _ask(self, name: TenantKey, now: datetime, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the key service: not many at once, and nobody while it is in trouble."""
        if now < self._gone.get(name, now):
            raise KeyGone("this tenant has no key")
        async with self._turn():
            self._patience.check(name.purpose, now)
            try:
                answer = await ask()
            except (KeyServiceDown, KeyServiceRefused) as trouble:
                if self._patience.had(name.purpose, trouble, now) and self._told is not None:
                    self._told(trouble)
                raise
            except KeyGone:
                self._gone[name] = now + _GONE_FOR
                raise
            self._patience.well(name.purpose)
            return answer
