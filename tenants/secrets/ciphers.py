"""A tenant's ciphers: data keys in memory that is overwritten when the last user lets go of it.

What can be wiped is wiped: the keys themselves, in byte arrays of ours. What Python and OpenSSL
copied on the way (an answer's text, a key schedule) is freed, and not ours to overwrite.
"""

import weakref
from collections.abc import Mapping

from tenants.secrets.envelope import (
    Binding,
    CannotOpen,
    key_number,
    name_under,
    open_sealed,
    seal,
    wipe,
)
from tenants.secrets.key_provider import KeyServiceDown, TenantKey

_WIPED = "this key was wiped: the process is ending"


class TenantSealer:
    """Seals one tenant's bytes of one purpose, with no more waiting."""

    def __init__(self, name: TenantKey, keys: Mapping[int, bytearray], current: int) -> None:
        self._name = name
        self._keys = dict(keys)
        self._current = current
        self._wiper = weakref.finalize(self, _wipe_all, self._keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name.purpose}, ***)"

    def seal(self, row_id: str, data: bytes) -> bytes:
        """Seal bytes to this tenant, purpose and row. Raises ``KeyServiceDown`` once wiped."""
        if self._current not in self._keys:
            raise KeyServiceDown(_WIPED)
        return seal(self._keys[self._current], self._current, self._binding(row_id), data)

    def wipe(self) -> None:
        """Overwrite the keys, whoever still holds this."""
        self._wiper()

    def _binding(self, row_id: str) -> Binding:
        return Binding(tenant_id=self._name.tenant_id, purpose=self._name.purpose, row_id=row_id)


class TenantCipher(TenantSealer):
    """Opens as well, and names what is to be found without being opened.

    Names are made with the tenant's first data key, which stays when others come: they last.
    """

    def __init__(self, name: TenantKey, keys: Mapping[int, bytearray], current: int) -> None:
        super().__init__(name, keys, current)
        self._first = min(keys)

    def name(self, kind: str, value: str) -> str:
        """Name a value of a kind for this tenant. Raises ``KeyServiceDown`` once wiped."""
        if self._first not in self._keys:
            raise KeyServiceDown(_WIPED)
        return name_under(self._keys[self._first], self._binding(kind), value)

    def open(self, row_id: str, sealed: bytes) -> bytes:
        """Open what was sealed to the same. Raises ``CannotOpen``."""
        key = self._keys.get(key_number(sealed))
        if key is None:
            raise CannotOpen("these bytes name a data key that is not at hand")
        return open_sealed(key, self._binding(row_id), sealed)

    def knows(self, sealed: bytes) -> bool:
        """Say whether the data key that these bytes name is at hand."""
        return key_number(sealed) in self._keys

    def learn(self, number: int, key: bytearray) -> None:
        """Take one more data key to open with."""
        self._keys.setdefault(number, key)


def _wipe_all(keys: dict[int, bytearray]) -> None:
    for key in keys.values():
        wipe(key)
    keys.clear()
