"""Whose hands a key service is in: API, worker and rotation, as the policies part them."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenants.identity import TenantId
from tenants.secrets.key_provider import KeyProvider, TenantKey
from tenants.secrets.local import LocalKeys
from tenants.secrets.vault import VaultKeys
from tests.vault.double import ROOT_TOKEN, UNSEAL_KEY, running_vault
from tests.vault.set_up import SetUp, set_up


class Hands(msgspec.Struct, kw_only=True):
    """One key service in three hands; over files all three are one and the same."""

    api: KeyProvider
    worker: KeyProvider
    rotation: KeyProvider


def a_tenant(name: str) -> TenantId:
    """Make a tenant's id that no other test of a server's has used."""
    return TenantId(f"ten_{name}{secrets.token_hex(6)}")


def content(tenant_id: TenantId) -> TenantKey:
    return TenantKey(tenant_id, "content")


def grant(tenant_id: TenantId) -> TenantKey:
    return TenantKey(tenant_id, "grant")


@contextmanager
def a_vault(kind: str) -> Iterator[SetUp]:
    """Set up the double; or a real server that was started for tests and is named for them.

    Never the one of ``VAULT_ADDR``: the tests write policies, and destroy keys, as its root.
    """
    if kind == "double":
        with running_vault() as vault:
            yield set_up(vault.url, ROOT_TOKEN, UNSEAL_KEY)
        return
    given = {
        name: os.environ.get(f"MEETBOT_TEST_VAULT_{name}")  # noqa: TID251 - not settings of ours
        for name in ("ADDR", "TOKEN", "UNSEAL_KEY")
    }
    if not given["ADDR"] or not given["TOKEN"]:
        pytest.skip("no real Vault: set MEETBOT_TEST_VAULT_ADDR and MEETBOT_TEST_VAULT_TOKEN")
    yield set_up(given["ADDR"], given["TOKEN"], given["UNSEAL_KEY"])


@asynccontextmanager
async def in_hands(ready: SetUp, **given: Any) -> AsyncIterator[Hands]:
    """Log all three principals in."""
    made = {name: VaultKeys(ready.url, login, **given) for name, login in ready.logins.items()}
    try:
        yield Hands(**made)
    finally:
        for keys in made.values():
            await keys.close()


@asynccontextmanager
async def hands_of(kind: str, folder: Path) -> AsyncIterator[Hands]:
    """Give a key service of one kind: ``local``, ``double`` or ``real``."""
    if kind == "local":
        yield Hands(api=LocalKeys(folder), worker=LocalKeys(folder), rotation=LocalKeys(folder))
        return
    with a_vault(kind) as ready:
        async with in_hands(ready) as hands:
            yield hands
