"""The folder of keys: one master key, and a file for each tenant key with all of its versions.

Files are replaced whole; who writes holds a lock, who reads needs none. While the master key is
renewed there are two, and each tenant key lies under one of them.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tenants.identity import TenantId
from tenants.secrets.envelope import (
    KEY_BYTES,
    Binding,
    CannotOpen,
    new_data_key,
    open_sealed,
    seal,
)
from tenants.secrets.key_provider import KeyGone, KeyServiceRefused, TenantKey

Versions = Mapping[int, bytes | bytearray]

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_OTHERS = 0o077
_ONLY_KEY = 0  # one master key seals a file, so its number says nothing
_OLD_FORM = b"\x01"  # a file that holds one sealed key and nothing else
_SUFFIX = {"content": ".key", "grant": ".grant.key"}
_LOOKS = 3  # a renewal may replace the master key between two of our reads


class KeyFolder:
    """Reads and writes the folder; every method blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._master = folder / "master.key"
        self._next_master = folder / "master.next.key"
        self._tenants = folder / "tenants"

    def create(self, key: TenantKey) -> None:
        """Write a tenant key of one version, unless it is there."""
        self._masters()
        path = self._path(key)
        with self._alone():
            if not path.exists():
                self._write_versions(key, {1: new_data_key()})

    def remove(self, key: TenantKey) -> None:
        """Remove a tenant key."""
        path = self._path(key)
        with self._alone():
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)

    def read(self, key: TenantKey) -> dict[int, bytearray]:
        """Return the versions of a tenant key. Raises ``KeyGone`` and ``KeyServiceRefused``."""
        for _ in range(_LOOKS):
            try:
                sealed = self._path(key).read_bytes()
            except FileNotFoundError as error:
                raise KeyGone("this tenant has no key") from error
            for master in self._masters():
                try:
                    return _opened(master, key, sealed)
                except CannotOpen:
                    continue
        raise KeyServiceRefused(
            f"the master key {self._master} is not the one that made the tenants' keys"
        )

    def change(self, key: TenantKey, decide: Callable[[dict[int, bytearray]], Versions]) -> None:
        """Replace the versions of a tenant key by what ``decide`` makes of them."""
        self._masters()
        with self._alone():
            versions = self.read(key)
            changed = decide(versions)
            if dict(changed) != versions:
                self._write_versions(key, changed)

    def check(self) -> None:
        """See that the master key can be used, or make the first."""
        self._masters()

    def renew_master(self) -> None:
        """Make another master key, seal every tenant key under it, and let the old one go."""
        self._masters()
        with self._alone():
            if not self._next_master.exists():
                _write(self._next_master, bytes(new_data_key()))
        for path in sorted(self._tenants.glob("*.key")):
            with self._alone():
                if path.exists():
                    key = _key_of(path)
                    self._write_versions(key, self.read(key))
        with self._alone():
            self._next_master.replace(self._master)
            _sync_folder(self._folder)

    def _write_versions(self, key: TenantKey, versions: Versions) -> None:
        """Write under the newest master key. The caller is alone in the folder."""
        plain = msgspec.msgpack.encode({number: bytes(held) for number, held in versions.items()})
        sealed = seal(self._masters()[0], _ONLY_KEY, _binding(key, "versions"), plain)
        _write(self._path(key), b"\x02" + sealed)

    def _masters(self) -> tuple[bytes, ...]:
        """Return the master keys that may be in use, the newest first."""
        if not self._master.exists():
            self._make_master()
        current = self._master_in(self._master)
        try:
            return (self._master_in(self._next_master), current)
        except FileNotFoundError:
            return (current,)

    def _master_in(self, path: Path) -> bytes:
        if path.stat().st_mode & _OTHERS:
            raise KeyServiceRefused(f"others may read {path}: chmod 600 it")
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise KeyServiceRefused(f"{path} does not hold a key of {KEY_BYTES} bytes")
        return key

    def _make_master(self) -> None:
        with self._alone():
            if self._master.exists():  # another process was first
                return
            if any(self._tenants.iterdir()):
                raise KeyServiceRefused(
                    f"{self._master} is gone, and tenants' keys are sealed under it: restore it"
                )
            _write(self._master, bytes(new_data_key()))

    def _path(self, key: TenantKey) -> Path:
        if not _SAFE_NAME.fullmatch(key.tenant_id):
            raise KeyGone("this is no tenant's id")
        return self._tenants / f"{key.tenant_id}{_SUFFIX[key.purpose]}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep every other process and thread out of the folder."""
        self._tenants.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _opened(master: bytes, key: TenantKey, sealed: bytes) -> dict[int, bytearray]:
    if sealed.startswith(_OLD_FORM):
        return {1: bytearray(open_sealed(master, _binding(key, "tenant-key"), sealed))}
    plain = open_sealed(master, _binding(key, "versions"), sealed[1:])
    return msgspec.msgpack.decode(plain, type=dict[int, bytearray])


def _binding(key: TenantKey, what: str) -> Binding:
    row_id = "" if what == "tenant-key" else key.purpose
    return Binding(tenant_id=key.tenant_id, purpose=what, row_id=row_id)


def _key_of(path: Path) -> TenantKey:
    """Tell a tenant key from the name of its file."""
    grants = _SUFFIX["grant"]
    if path.name.endswith(grants):
        return TenantKey(TenantId(path.name.removesuffix(grants)), "grant")
    return TenantKey(TenantId(path.name.removesuffix(_SUFFIX["content"])), "content")


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
