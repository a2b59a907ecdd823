"""The way into Vault: logs in when first asked, renews, logs in again; trouble as our errors."""

import asyncio
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import hvac
import msgspec
import requests
from hvac import exceptions as refusals

from tenants.secrets.key_provider import KeyGone, KeyServiceDown, KeyServiceRefused

Told = Callable[[str, str, float], None]
"""Hears of each call: what was asked, how it went in one word, and the seconds it took."""

_NO_KEY = ("key not found", "no existing key named", "could not delete key; not found")
_NOT_LET_IN = (refusals.Forbidden, refusals.Unauthorized)
_SEALED = "sealed"
_COUNT = re.compile(r"\d+ errors? occurred:")
_DETAIL_LENGTH = 200
_THREADS = 4
_PATIENCE = 3  # a call may log in, be refused, log in again: so many time limits in all

T = TypeVar("T")


class VaultLogin(msgspec.Struct, frozen=True, kw_only=True):
    """How we log in: with a token, or with an AppRole."""

    token: str | None = None
    role_id: str | None = None
    secret_id: str | None = None

    def __repr__(self) -> str:
        return "VaultLogin(***)"


class BadRequest(KeyServiceRefused):
    """Vault cannot do what was asked with what it was given."""


class VaultDoor:
    """Renews at two thirds of a login's life; near the end of what renewing gives, logs in anew."""

    def __init__(
        self,
        url: str,
        login: VaultLogin,
        namespace: str | None,
        time_limit: float,
        told: Told | None,
    ) -> None:
        self._login = login
        self._vault = hvac.Client(
            url=url, token=login.token or "", namespace=namespace, timeout=time_limit
        )
        self._vault.session.trust_env = False
        self._time_limit = time_limit
        self._told = told
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="vault")
        self._busy = threading.Lock()
        self._is_in = False
        self._granted = 0.0
        self._renew_at = 0.0

    async def asked(self, operation: str, work: Callable[[Any], T]) -> T:
        """Do ``work`` in a thread, logged in. Raises ``KeyServiceDown`` and its kin.

        A Vault that drips its answer holds one of the few threads, and nobody else.
        """
        began, outcome = time.monotonic(), "down"
        try:
            async with asyncio.timeout(self._time_limit * _PATIENCE):
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._threads, self._do, work)
            outcome = "ok"
        except TimeoutError as error:
            raise KeyServiceDown("Vault does not answer in time") from error
        except KeyServiceRefused:
            outcome = "refused"
            raise
        except KeyGone:
            outcome = "gone"
            raise
        finally:
            if self._told is not None:
                self._told(operation, outcome, time.monotonic() - began)
        return answer

    def close(self) -> None:
        """Let nothing more begin."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._vault.session.close()

    def _do(self, work: Callable[[Any], T]) -> T:
        try:
            self._enter()
            token = self._vault.token
            try:
                return work(self._vault)
            except _NOT_LET_IN:
                if self._login.role_id is None:
                    raise
                self._enter(refused=token)
                return work(self._vault)
        except refusals.VaultError as error:
            raise meaning(error) from error
        except requests.Timeout as error:
            raise KeyServiceDown(f"Vault does not answer within {self._time_limit:g} s") from error
        except requests.RequestException as error:
            kind = type(error).__name__
            raise KeyServiceDown(f"Vault cannot be reached ({kind})") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise KeyServiceDown("Vault's answer is not what Vault sends") from error

    def _enter(self, *, refused: str | None = None) -> None:
        """Be logged in, with another token than one that was just ``refused``."""
        with self._busy:
            if refused is not None and self._vault.token != refused:
                return  # somebody else has logged in meanwhile
            if refused is not None or not self._is_in:
                self._log_in()
            elif time.monotonic() >= self._renew_at:
                self._renew()

    def _log_in(self) -> None:
        if self._login.role_id is None:
            told = self._vault.auth.token.lookup_self()["data"]
            self._granted = float(told.get("creation_ttl") or 0)
            self._keep(told.get("ttl", 0), renewable=bool(told.get("renewable")))
            return
        try:
            told = self._vault.auth.approle.login(self._login.role_id, self._login.secret_id)
        except refusals.InvalidRequest as error:
            said = _said(error)
            raise KeyServiceRefused(
                f"Vault does not let us in: {said}; see VAULT_ROLE_ID and VAULT_SECRET_ID, which"
                " must be one that may be used more than once"
            ) from error
        self._granted = float(told["auth"].get("lease_duration", 0))
        self._keep(self._granted, renewable=True)

    def _renew(self) -> None:
        try:
            told = self._vault.auth.token.renew_self()["auth"]
        except (refusals.Forbidden, refusals.InvalidRequest):
            self._is_in = False
            self._log_in()
            return
        left = float(told.get("lease_duration", 0))
        if left < self._granted / 2 and self._login.role_id is not None:
            self._log_in()  # it nears the end that no renewal can move
        else:
            self._keep(left, renewable=bool(told.get("renewable")))

    def _keep(self, seconds: float, *, renewable: bool) -> None:
        lives_on = renewable and seconds > 0
        self._renew_at = time.monotonic() + seconds * 2 / 3 if lives_on else float("inf")
        self._is_in = True


def meaning(error: refusals.VaultError) -> Exception:
    """Turn Vault's refusal into ours. Its texts are a real server's, see ``tests/vault.py``."""
    said = _said(error)
    if isinstance(error, _NOT_LET_IN):
        return KeyServiceRefused(
            f"Vault forbids it ({said or 'permission denied'}): see the login and its policies"
        )
    if any(words in said for words in _NO_KEY):
        return KeyGone("this tenant has no key")
    if isinstance(error, refusals.InvalidPath):
        return (
            KeyServiceRefused(f"Vault has nothing there: {said}; see the mount and the namespace")
            if said
            else KeyGone("this tenant has no key")
        )
    if isinstance(error, refusals.InvalidRequest):
        return BadRequest(f"Vault refuses: {said}")
    if _SEALED in said:
        return KeyServiceDown("Vault is sealed: unseal it")
    return KeyServiceDown(f"Vault cannot help now ({type(error).__name__}): {said}")


def _said(error: refusals.VaultError) -> str:
    """Put Vault's list of errors into one line."""
    texts = [_COUNT.sub("", str(one)).replace("* ", "") for one in error.errors or ()]
    return "; ".join(", ".join(text.split("\n\t")).strip(" ,\n") for text in texts)[:_DETAIL_LENGTH]
