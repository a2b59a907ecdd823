"""Keys in the Transit engine of Vault or OpenBao: one per tenant, never seen outside of it.

The policy wants ``update`` on ``datakey/plaintext/*`` and ``decrypt/*``, and on ``keys/*`` also
``create`` and ``delete``; never ``create`` on ``encrypt/*``: it would bring a destroyed key back.
"""

import asyncio
import base64
import binascii
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import hvac
import msgspec
import requests
from hvac import exceptions as refusals

from tenants.identity import TenantId
from tenants.secrets.envelope import KEY_BYTES, CannotOpen
from tenants.secrets.key_provider import DataKey, KeyGone, KeyServiceDown, KeyServiceRefused

_NO_KEY = ("encryption key not found", "no existing key named")
_NOT_LET_IN = (refusals.Forbidden, refusals.Unauthorized)
_BAD_LOGIN = "role or secret id"
_DETAIL_LENGTH = 200

T = TypeVar("T")


class VaultLogin(msgspec.Struct, frozen=True, kw_only=True):
    """How we log in: with a token, or with an AppRole."""

    token: str | None = None
    role_id: str | None = None
    secret_id: str | None = None

    def __repr__(self) -> str:
        return "VaultLogin(***)"


class VaultKeys:
    """The port ``KeyProvider`` over Transit. hvac blocks, so its calls run in threads."""

    def __init__(
        self,
        url: str,
        login: VaultLogin,
        *,
        namespace: str | None = None,
        mount: str = "transit",
        time_limit: float = 5.0,
        key_prefix: str = "meetbot-",
    ) -> None:
        self._door = _Door(url, login, namespace, time_limit)
        self._mount = mount
        self._key_prefix = key_prefix

    async def create(self, tenant_id: TenantId) -> None:
        """Make the tenant's key; one that is there stays as it is."""
        name = self._key_prefix + tenant_id

        def work(vault: Any) -> None:  # noqa: ANN401 - hvac is untyped
            transit = vault.secrets.transit
            transit.create_key(name, key_type="aes256-gcm96", mount_point=self._mount)

        await self._door.asked(work)

    async def generate(self, tenant_id: TenantId) -> DataKey:
        """Make a data key under the tenant's."""
        name = self._key_prefix + tenant_id

        def work(vault: Any) -> DataKey:  # noqa: ANN401 - hvac is untyped
            answer = vault.secrets.transit.generate_data_key(
                name, key_type="plaintext", mount_point=self._mount
            )
            data = answer["data"]
            return DataKey(
                plaintext=_key_in(data["plaintext"]), wrapped=str(data["ciphertext"]).encode()
            )

        return await self._door.asked(work)

    async def unwrap(self, tenant_id: TenantId, wrapped: bytes) -> bytes:
        """Return the plaintext of a data key."""
        name = self._key_prefix + tenant_id

        def work(vault: Any) -> bytes:  # noqa: ANN401 - hvac is untyped
            answer = vault.secrets.transit.decrypt_data(
                name, ciphertext=wrapped.decode("latin-1"), mount_point=self._mount
            )
            return _key_in(answer["data"]["plaintext"])

        try:
            return await self._door.asked(work)
        except _BadRequest as error:
            raise CannotOpen("Vault does not open this data key") from error

    async def destroy(self, tenant_id: TenantId) -> None:
        """Delete the tenant's key with all its versions."""
        name = self._key_prefix + tenant_id

        def work(vault: Any) -> None:  # noqa: ANN401 - hvac is untyped
            transit = vault.secrets.transit
            transit.update_key_configuration(name, deletion_allowed=True, mount_point=self._mount)
            transit.delete_key(name, mount_point=self._mount)

        try:
            await self._door.asked(work)
        except KeyGone:
            return

    async def health(self) -> None:
        """Return if Vault is unsealed and lets us in."""
        await self._door.asked(lambda vault: vault.auth.token.lookup_self())


class _BadRequest(KeyServiceRefused):
    """Vault cannot do what was asked with what it was given."""


class _Door:
    """Logs in when first asked, renews at two thirds of a login's life, and logs in again."""

    def __init__(
        self, url: str, login: VaultLogin, namespace: str | None, time_limit: float
    ) -> None:
        self._login = login
        self._vault = hvac.Client(
            url=url, token=login.token or "", namespace=namespace, timeout=time_limit
        )
        self._vault.session.trust_env = False
        self._busy = threading.Lock()
        self._is_in = False
        self._renew_at = 0.0

    async def asked(self, work: Callable[[Any], T]) -> T:
        """Do ``work`` in a thread, logged in; its trouble comes back as our errors."""
        return await asyncio.to_thread(self._do, work)

    def _do(self, work: Callable[[Any], T]) -> T:
        try:
            self._enter()
            try:
                return work(self._vault)
            except _NOT_LET_IN:
                if self._login.role_id is None:
                    raise
                self._enter(anew=True)
                return work(self._vault)
        except refusals.VaultError as error:
            raise _meaning(error) from error
        except requests.RequestException as error:
            kind = type(error).__name__
            raise KeyServiceDown(f"Vault cannot be reached ({kind})") from error
        except (KeyError, TypeError, ValueError) as error:
            raise KeyServiceDown("Vault's answer is not what Vault sends") from error

    def _enter(self, *, anew: bool = False) -> None:
        with self._busy:
            if anew or not self._is_in:
                self._log_in()
            elif time.monotonic() >= self._renew_at:
                self._renew()

    def _log_in(self) -> None:
        if self._login.role_id is None:
            told = self._vault.auth.token.lookup_self()["data"]
            self._keep(told.get("ttl", 0), renewable=bool(told.get("renewable")))
        else:
            told = self._vault.auth.approle.login(self._login.role_id, self._login.secret_id)
            self._keep(told["auth"].get("lease_duration", 0), renewable=True)

    def _renew(self) -> None:
        try:
            told = self._vault.auth.token.renew_self()["auth"]
        except refusals.VaultError:
            self._is_in = False
            self._log_in()
        else:
            self._keep(told.get("lease_duration", 0), renewable=bool(told.get("renewable")))

    def _keep(self, seconds: float, *, renewable: bool) -> None:
        lives_on = renewable and seconds > 0
        self._renew_at = time.monotonic() + seconds * 2 / 3 if lives_on else float("inf")
        self._is_in = True


def _meaning(error: refusals.VaultError) -> Exception:
    said = "; ".join(str(one) for one in error.errors or ())[:_DETAIL_LENGTH]
    if isinstance(error, _NOT_LET_IN) or _BAD_LOGIN in said.lower():
        return KeyServiceRefused(f"Vault does not let us in: {said or 'permission denied'}")
    if any(words in said for words in _NO_KEY):
        return KeyGone("this tenant has no key")
    if isinstance(error, refusals.InvalidPath):
        return (
            KeyServiceRefused(f"Vault has nothing there: {said}")
            if said
            else KeyGone("this tenant has no key")
        )
    if isinstance(error, refusals.InvalidRequest):
        return _BadRequest(f"Vault refuses: {said}")
    return KeyServiceDown(f"Vault cannot help now ({type(error).__name__}): {said}")


def _key_in(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError("no key of 256 bits")
    return key
