"""Keys in files: a master key, and under it one key per tenant, each in a file of its own.

Removing a tenant's file destroys its key. Whoever can read the folder can read every tenant: for
one machine, or a trial; anything larger wants Vault.
"""

import asyncio
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tenants.identity import TenantId
from tenants.secrets.envelope import (
    KEY_BYTES,
    Binding,
    CannotOpen,
    new_data_key,
    open_sealed,
    seal,
)
from tenants.secrets.key_provider import DataKey, KeyGone, KeyServiceDown, KeyServiceRefused

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_OTHERS = 0o077
_ONLY_KEY = 0  # there is one key at each level, so its number says nothing

T = TypeVar("T")


class LocalKeys:
    """The port ``KeyProvider`` over a folder that several processes may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._master = folder / "master.key"
        self._tenants = folder / "tenants"

    async def create(self, tenant_id: TenantId) -> None:
        """Make the tenant's key; one that is there stays as it is."""
        await _in_thread(lambda: self._create(tenant_id))

    async def generate(self, tenant_id: TenantId) -> DataKey:
        """Make a data key under the tenant's."""
        key = await _in_thread(lambda: self._tenant_key(tenant_id))
        plaintext = new_data_key()
        wrapped = seal(key, _ONLY_KEY, _binding(tenant_id, "data-key"), plaintext)
        return DataKey(plaintext=plaintext, wrapped=wrapped)

    async def unwrap(self, tenant_id: TenantId, wrapped: bytes) -> bytes:
        """Return the plaintext of a data key."""
        key = await _in_thread(lambda: self._tenant_key(tenant_id))
        return open_sealed(key, _binding(tenant_id, "data-key"), wrapped)

    async def destroy(self, tenant_id: TenantId) -> None:
        """Remove the tenant's key."""
        await _in_thread(lambda: self._destroy(tenant_id))

    async def health(self) -> None:
        """Return if the master key is there, or could be made."""
        await _in_thread(self._master_key)

    def _create(self, tenant_id: TenantId) -> None:
        master, path = self._master_key(), self._path(tenant_id)
        with self._alone():
            if not path.exists():
                binding = _binding(tenant_id, "tenant-key")
                _write(path, seal(master, _ONLY_KEY, binding, new_data_key()))

    def _destroy(self, tenant_id: TenantId) -> None:
        path = self._path(tenant_id)
        with self._alone():
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)

    def _tenant_key(self, tenant_id: TenantId) -> bytes:
        try:
            sealed = self._path(tenant_id).read_bytes()
        except FileNotFoundError as error:
            raise KeyGone("this tenant has no key") from error
        try:
            return open_sealed(self._master_key(), _binding(tenant_id, "tenant-key"), sealed)
        except CannotOpen as error:
            raise KeyServiceRefused(
                f"the master key {self._master} is not the one that made the tenants' keys"
            ) from error

    def _master_key(self) -> bytes:
        if not self._master.exists():
            self._make_master()
        if self._master.stat().st_mode & _OTHERS:
            raise KeyServiceRefused(f"others may read {self._master}: chmod 600 it")
        key = self._master.read_bytes()
        if len(key) != KEY_BYTES:
            raise KeyServiceRefused(f"{self._master} does not hold a key of {KEY_BYTES} bytes")
        return key

    def _make_master(self) -> None:
        with self._alone():
            if self._master.exists():  # another process was first
                return
            if any(self._tenants.iterdir()):
                raise KeyServiceRefused(
                    f"{self._master} is gone, and tenants' keys are sealed under it: restore it"
                )
            _write(self._master, new_data_key())

    def _path(self, tenant_id: TenantId) -> Path:
        if not _SAFE_NAME.fullmatch(tenant_id):
            raise KeyGone("this is no tenant's id")
        return self._tenants / f"{tenant_id}.key"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep every other process and thread out of the folder."""
        self._tenants.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _binding(tenant_id: TenantId, purpose: str) -> Binding:
    return Binding(tenant_id=tenant_id, purpose=purpose, row_id="")


def _write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, for our eyes only."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except PermissionError as error:
        raise KeyServiceRefused(f"{error.filename} may not be read or written") from error
    except OSError as error:
        raise KeyServiceDown(f"the folder of keys cannot be used: {error.strerror}") from error
