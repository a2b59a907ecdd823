"""The port: what guards the tenants' keys, and what can go wrong with it.

Two kinds of key. A *tenant key* never leaves its guard; a tenant has one for each purpose. *Data
keys* are wrapped under a tenant key, and seal what is stored.
"""

from typing import Literal, Protocol

import msgspec

from tenants.identity import TenantId

KeyPurpose = Literal["content", "grant"]
PURPOSES: tuple[KeyPurpose, ...] = ("content", "grant")


class KeyServiceDown(Exception):
    """The key service cannot be reached, is sealed or overloaded: later it may work."""

    code = "key_service_down"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class KeyServiceRefused(Exception):
    """The key service does not let us in, or cannot be used as it is: the operator's to mend."""

    code = "key_service_refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class KeyGone(Exception):
    """The tenant has no key (any more): nothing of it can be sealed or opened."""

    code = "tenant_key_gone"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class TenantKey(msgspec.Struct, frozen=True):
    """Names a tenant key: under that of ``grant`` lie the keys to people's calendars alone."""

    tenant_id: TenantId
    purpose: KeyPurpose


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a tenant key stands: its ``latest`` version wraps, those below ``floor`` open nothing."""

    latest: int
    floor: int


class DataKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new data key: ``plaintext`` lives in memory alone, ``wrapped`` is what is stored."""

    plaintext: bytearray
    wrapped: bytes

    def __repr__(self) -> str:
        return "DataKey(***)"


class KeyProvider(Protocol):
    """Holds the tenant keys, wraps data keys under them, and can rotate and destroy them.

    Every method that waits may raise ``KeyServiceDown`` and ``KeyServiceRefused``. A plaintext is
    the caller's to wipe.
    """

    async def create(self, key: TenantKey) -> None:
        """Make a tenant key; one that is there stays as it is."""
        ...

    async def generate(self, key: TenantKey) -> DataKey:
        """Make a data key of 32 bytes. Raises ``KeyGone``."""
        ...

    async def generate_wrapped(self, key: TenantKey) -> bytes:
        """Make a data key whose plaintext nobody sees now. Raises ``KeyGone``."""
        ...

    async def unwrap(self, key: TenantKey, wrapped: bytes) -> bytearray:
        """Return the plaintext of a data key. Raises ``KeyGone``, or ``CannotOpen``."""
        ...

    async def destroy(self, key: TenantKey) -> None:
        """Destroy a tenant key for good. One that is gone is fine."""
        ...

    async def standing(self, key: TenantKey) -> Standing:
        """Say how a tenant key stands. Raises ``KeyGone``."""
        ...

    async def rotate(self, key: TenantKey) -> None:
        """Give a tenant key a new version; older ones still unwrap. Raises ``KeyGone``."""
        ...

    async def rewrap(self, key: TenantKey, wrapped: bytes) -> bytes:
        """Wrap the same data key under the latest version. Raises ``KeyGone``, ``CannotOpen``."""
        ...

    async def raise_floor(self, key: TenantKey, version: int) -> None:
        """Have versions below this one unwrap nothing any more. Raises ``KeyGone``."""
        ...

    async def rotate_root(self) -> None:
        """Renew what the tenant keys themselves lie under, where that is ours to renew."""
        ...

    def version_of(self, wrapped: bytes) -> int:
        """Say under which version of its tenant key a data key is wrapped; 0: it cannot be told."""
        ...

    async def health(self) -> None:
        """Return if keys can be had."""
        ...

    async def close(self) -> None:
        """Let go of what is held open."""
        ...
