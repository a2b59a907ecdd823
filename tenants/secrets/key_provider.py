"""The port: what guards the tenants' keys, and what can go wrong with it."""

from typing import Protocol

import msgspec

from tenants.identity import TenantId


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


class DataKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new data key: ``plaintext`` lives in memory alone, ``wrapped`` is what is stored."""

    plaintext: bytes
    wrapped: bytes

    def __repr__(self) -> str:
        return "DataKey(***)"


class KeyProvider(Protocol):
    """Holds one key per tenant, wraps data keys under it, and can destroy it.

    Every method may raise ``KeyServiceDown`` and ``KeyServiceRefused``.
    """

    async def create(self, tenant_id: TenantId) -> None:
        """Make the tenant's key; one that is there stays as it is."""
        ...

    async def generate(self, tenant_id: TenantId) -> DataKey:
        """Make a data key of 32 bytes. Raises ``KeyGone``."""
        ...

    async def unwrap(self, tenant_id: TenantId, wrapped: bytes) -> bytes:
        """Return the plaintext of a data key. Raises ``KeyGone``, or ``CannotOpen``."""
        ...

    async def destroy(self, tenant_id: TenantId) -> None:
        """Destroy the tenant's key for good. One that is gone is fine."""
        ...

    async def health(self) -> None:
        """Return if keys can be had."""
        ...
