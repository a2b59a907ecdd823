"""Keys in files: a master key, and under it the tenant keys, each in a file of its own.

Removing a tenant's files destroys its keys. Whoever can read the folder can read every tenant, and
the API can read it as the worker can: for one machine, or a trial; anything larger wants Vault.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tenants.secrets.envelope import (
    Binding,
    CannotOpen,
    key_number,
    new_data_key,
    open_sealed,
    seal,
)
from tenants.secrets.key_provider import (
    DataKey,
    KeyServiceDown,
    KeyServiceRefused,
    Standing,
    TenantKey,
)
from tenants.secrets.local_files import KeyFolder

_FIRST = 1

T = TypeVar("T")


class LocalKeys:
    """The port ``KeyProvider`` over a folder that several processes may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = KeyFolder(folder)

    async def create(self, key: TenantKey) -> None:
        """Make a tenant key; one that is there stays as it is."""
        await _in_thread(lambda: self._folder.create(key))

    async def generate(self, key: TenantKey) -> DataKey:
        """Make a data key under a tenant key."""
        plaintext = new_data_key()
        return DataKey(plaintext=plaintext, wrapped=await self._wrap(key, plaintext))

    async def generate_wrapped(self, key: TenantKey) -> bytes:
        """Make a data key, and forget its plaintext."""
        return await self._wrap(key, new_data_key())

    async def unwrap(self, key: TenantKey, wrapped: bytes) -> bytearray:
        """Return the plaintext of a data key."""
        versions = await _in_thread(lambda: self._folder.read(key))
        version = max(key_number(wrapped), _FIRST)
        if version not in versions:
            raise CannotOpen("this data key is wrapped under a version that was given up")
        return bytearray(open_sealed(versions[version], _binding(key), wrapped))

    async def destroy(self, key: TenantKey) -> None:
        """Remove a tenant key."""
        await _in_thread(lambda: self._folder.remove(key))

    async def standing(self, key: TenantKey) -> Standing:
        """Say which versions a tenant key has."""
        versions = await _in_thread(lambda: self._folder.read(key))
        return Standing(latest=max(versions), floor=min(versions))

    async def rotate(self, key: TenantKey) -> None:
        """Give a tenant key a new version."""
        await _in_thread(
            lambda: self._folder.change(
                key, lambda versions: {**versions, max(versions) + 1: new_data_key()}
            )
        )

    async def rewrap(self, key: TenantKey, wrapped: bytes) -> bytes:
        """Wrap the same data key under the latest version."""
        return await self._wrap(key, await self.unwrap(key, wrapped))

    async def raise_floor(self, key: TenantKey, version: int) -> None:
        """Remove the versions below this one, for good."""
        await _in_thread(
            lambda: self._folder.change(
                key, lambda versions: {n: held for n, held in versions.items() if n >= version}
            )
        )

    async def rotate_root(self) -> None:
        """Renew the master key; killed in the middle, it is finished by asking again."""
        await _in_thread(self._folder.renew_master)

    def version_of(self, wrapped: bytes) -> int:
        """Read the version in front of a wrapped key."""
        try:
            return max(key_number(wrapped), _FIRST)
        except CannotOpen:
            return 0

    async def health(self) -> None:
        """Return if the master key is there, or could be made."""
        await _in_thread(self._folder.check)

    async def close(self) -> None:
        """Nothing is held open."""

    async def _wrap(self, key: TenantKey, plaintext: bytearray) -> bytes:
        versions = await _in_thread(lambda: self._folder.read(key))
        latest = max(versions)
        return seal(versions[latest], latest, _binding(key), plaintext)


def _binding(key: TenantKey) -> Binding:
    return Binding(tenant_id=key.tenant_id, purpose="data-key", row_id="")


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except PermissionError as error:
        raise KeyServiceRefused(f"{error.filename} may not be read or written") from error
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise KeyServiceDown(f"the folder of keys cannot be used: {reason}") from error
