"""What is held of keys for a short while: so many, the least used let go first, none too long."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from tenants.secrets.ciphers import TenantSealer
from tenants.secrets.key_provider import TenantKey

T = TypeVar("T", bound=TenantSealer)


class Held(Generic[T]):
    """Ciphers by name. One that is let go wipes itself as soon as nobody uses it any more."""

    def __init__(self, lifetime: timedelta, capacity: int) -> None:
        self._lifetime = lifetime
        self._capacity = capacity
        self._entries: OrderedDict[TenantKey, tuple[T, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def fresh(self, name: TenantKey, now: datetime) -> T | None:
        """Return what is held under a name, unless its time is over."""
        cipher, until = self._entries.get(name, (None, now))
        if cipher is None or now >= until:
            return None
        self._entries.move_to_end(name)
        return cipher

    def hold(self, name: TenantKey, cipher: T, now: datetime) -> T:
        """Hold a cipher for one lifetime."""
        self._entries[name] = (cipher, now + self._lifetime)
        self._entries.move_to_end(name)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        return cipher

    def drop(self, name: TenantKey) -> None:
        """Let go of what is held under a name."""
        self._entries.pop(name, None)

    def expire(self, now: datetime) -> None:
        """Let go of everything whose time is over."""
        for name in [name for name, (_, until) in self._entries.items() if now >= until]:
            del self._entries[name]

    def wipe(self) -> None:
        """Overwrite everything at once, in use or not."""
        for cipher in self._all():
            cipher.wipe()
        self._entries.clear()

    def _all(self) -> Iterator[T]:
        return (cipher for cipher, _ in self._entries.values())
