"""Tenant keys in the Transit engine of Vault or OpenBao, never seen outside of it.

The policies that this wants are files under ``deploy/vault``. What Vault answers was compared with
a real server; see ``docs/keys.md``.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from tenants.secrets.envelope import KEY_BYTES, CannotOpen
from tenants.secrets.key_provider import (
    DataKey,
    KeyGone,
    KeyServiceDown,
    Standing,
    TenantKey,
)
from tenants.secrets.vault_door import BadRequest, Told, VaultDoor, VaultLogin

__all__ = ["VaultKeys", "VaultLogin"]

_PREFIX = {"content": "meetbot-", "grant": "meetbot-grant-"}
_VERSION = re.compile(rb"vault:v(\d{1,9}):")
_MAY_NOT = "deny"


class VaultKeys:
    """The port over Transit. hvac blocks, so its calls run in a few threads of their own."""

    def __init__(
        self,
        url: str,
        login: VaultLogin,
        *,
        namespace: str | None = None,
        mount: str = "transit",
        time_limit: float = 3.0,
        told: Told | None = None,
    ) -> None:
        self._door = VaultDoor(url, login, namespace, time_limit, told)
        self._mount = mount

    async def create(self, key: TenantKey) -> None:
        """Make a tenant key; one that is there stays as it is."""
        await self._transit("create", "create_key", key, key_type="aes256-gcm96")

    async def generate(self, key: TenantKey) -> DataKey:
        """Make a data key under a tenant key."""
        data = await self._transit("generate", "generate_data_key", key, key_type="plaintext")
        return DataKey(plaintext=_key_in(data["plaintext"]), wrapped=_wrapped_in(data))

    async def generate_wrapped(self, key: TenantKey) -> bytes:
        """Make a data key whose plaintext stays in Vault."""
        data = await self._transit("generate", "generate_data_key", key, key_type="wrapped")
        return _wrapped_in(data)

    async def unwrap(self, key: TenantKey, wrapped: bytes) -> bytearray:
        """Return the plaintext of a data key."""
        text = wrapped.decode("latin-1")
        try:
            data = await self._transit("unwrap", "decrypt_data", key, ciphertext=text)
        except BadRequest as error:
            raise CannotOpen("Vault does not open this data key") from error
        return _key_in(data["plaintext"])

    async def destroy(self, key: TenantKey) -> None:
        """Delete a tenant key with all its versions."""
        try:
            await self._transit("destroy", "update_key_configuration", key, deletion_allowed=True)
            await self._transit("destroy", "delete_key", key)
        except KeyGone:
            return

    async def standing(self, key: TenantKey) -> Standing:
        """Read which versions a tenant key has."""
        data = await self._transit("read", "read_key", key)
        return Standing(
            latest=int(data["latest_version"]), floor=int(data["min_decryption_version"])
        )

    async def rotate(self, key: TenantKey) -> None:
        """Give a tenant key a new version."""
        await self._transit("rotate", "rotate_key", key)

    async def rewrap(self, key: TenantKey, wrapped: bytes) -> bytes:
        """Have Vault wrap the same data key under the latest version; we never see it."""
        text = wrapped.decode("latin-1")
        try:
            return _wrapped_in(await self._transit("rewrap", "rewrap_data", key, ciphertext=text))
        except BadRequest as error:
            raise CannotOpen("Vault does not open this data key") from error

    async def raise_floor(self, key: TenantKey, version: int) -> None:
        """Set the least version that unwraps."""
        await self._transit(
            "floor", "update_key_configuration", key, min_decryption_version=version
        )

    async def rotate_root(self) -> None:
        """Vault's own root is the operator's to renew: ``vault operator rotate``."""

    def version_of(self, wrapped: bytes) -> int:
        """Read the version in front of a wrapped key."""
        found = _VERSION.match(wrapped)
        return int(found[1]) if found else 0

    async def health(self) -> None:
        """Return if Vault is unsealed and lets us in."""
        await self._door.asked("health", lambda vault: vault.auth.token.lookup_self())

    async def close(self) -> None:
        """Close the connections, and let no thread begin anything more."""
        self._door.close()

    async def may_open(self, key: TenantKey) -> bool:
        """Say whether this login may unwrap what lies under a tenant key."""
        path = f"{self._mount}/decrypt/{_name(key)}"

        def look(vault: Any) -> Any:  # noqa: ANN401 - hvac is untyped
            return vault.sys.get_capabilities(paths=[path])

        told = await self._door.asked("health", look)
        return _MAY_NOT not in told["data"].get(path, [_MAY_NOT])

    async def _transit(
        self, operation: str, call: str, key: TenantKey, **given: object
    ) -> Mapping[str, Any]:
        """Call one of hvac's Transit methods; answers without a body give an empty mapping."""

        def work(vault: Any) -> Mapping[str, Any]:  # noqa: ANN401 - hvac is untyped
            ask: Callable[..., Any] = getattr(vault.secrets.transit, call)
            answer = ask(_name(key), mount_point=self._mount, **given)
            return answer["data"] if isinstance(answer, dict) else {}

        answer = await self._door.asked(operation, work)
        if not isinstance(answer, Mapping):
            raise KeyServiceDown("Vault's answer is not what Vault sends")
        return _Answer(answer)


class _Answer(dict[str, Any]):
    """An answer in which a missing part is Vault's trouble, not ours."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401 - it never returns
        raise KeyServiceDown(f"Vault's answer has no {name!r}: it is not what Vault sends")


def _name(key: TenantKey) -> str:
    """Name a tenant key in Vault: by its purpose, so that a policy can tell them apart."""
    return _PREFIX[key.purpose] + key.tenant_id


def _wrapped_in(data: Mapping[str, Any]) -> bytes:
    return str(data["ciphertext"]).encode()


def _key_in(text: object) -> bytearray:
    try:
        key = bytearray(base64.b64decode(str(text), validate=True))
    except binascii.Error as error:
        raise KeyServiceDown("Vault's answer holds no base64") from error
    if len(key) != KEY_BYTES:
        raise KeyServiceDown("Vault's answer holds no key of 256 bits")
    return key
