"""One contract, two providers; and a real Vault or OpenBao, where one is given for tests."""

import asyncio
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenants.identity import TenantId
from tenants.secrets.envelope import CannotOpen
from tenants.secrets.key_provider import (
    KeyGone,
    KeyProvider,
    KeyServiceDown,
    KeyServiceRefused,
)
from tenants.secrets.local import LocalKeys
from tenants.secrets.vault import VaultKeys, VaultLogin
from tests.loopback import Heard, listening, says
from tests.vault import ROLE_ID, ROOT_TOKEN, SECRET_ID, Vault, running_vault

ANA, BOB = TenantId("ten_ana"), TenantId("ten_bob")
APP_ROLE = VaultLogin(role_id=ROLE_ID, secret_id=SECRET_ID)


@pytest.fixture
def vault() -> Iterator[Vault]:
    with running_vault() as running:
        yield running


def a_real_vault() -> KeyProvider:
    """The one named for tests, never the one that the service would use."""
    address = os.environ.get("MEETBOT_TEST_VAULT_ADDR")  # noqa: TID251 - not a setting of ours
    token = os.environ.get("MEETBOT_TEST_VAULT_TOKEN")  # noqa: TID251 - not a setting of ours
    if not address or not token:
        pytest.skip("no real Vault: set MEETBOT_TEST_VAULT_ADDR and MEETBOT_TEST_VAULT_TOKEN")
    prefix = f"test-{secrets.token_hex(8)}-"
    return VaultKeys(address, VaultLogin(token=token), key_prefix=prefix)


@pytest.fixture(params=["local", "vault", "a real vault"])
def keys(request: pytest.FixtureRequest, tmp_path: Path, vault: Vault) -> KeyProvider:
    if request.param == "local":
        return LocalKeys(tmp_path / "keys")
    if request.param == "a real vault":
        return a_real_vault()
    return VaultKeys(vault.url, VaultLogin(token=ROOT_TOKEN))


async def test_a_data_key_is_new_each_time_and_unwraps_to_itself(keys: KeyProvider) -> None:
    await keys.create(ANA)

    first, second = await keys.generate(ANA), await keys.generate(ANA)

    assert len(first.plaintext) == 32
    assert first.plaintext != second.plaintext
    assert first.plaintext not in first.wrapped
    assert await keys.unwrap(ANA, first.wrapped) == first.plaintext
    assert await keys.unwrap(ANA, second.wrapped) == second.plaintext


async def test_making_a_tenants_key_again_changes_nothing(keys: KeyProvider) -> None:
    await keys.create(ANA)
    made = await keys.generate(ANA)

    await asyncio.gather(*(keys.create(ANA) for _ in range(5)))

    assert await keys.unwrap(ANA, made.wrapped) == made.plaintext


async def test_one_tenants_data_key_does_not_unwrap_for_another(keys: KeyProvider) -> None:
    await keys.create(ANA)
    await keys.create(BOB)
    made = await keys.generate(ANA)

    with pytest.raises(CannotOpen):
        await keys.unwrap(BOB, made.wrapped)


@pytest.mark.parametrize("wrapped", [b"", b"vault:v1:", b"vault:v9:AAAA", b"\xff" * 80])
async def test_nonsense_does_not_unwrap(keys: KeyProvider, wrapped: bytes) -> None:
    await keys.create(ANA)

    with pytest.raises(CannotOpen):
        await keys.unwrap(ANA, wrapped)


async def test_a_changed_wrapped_key_does_not_unwrap(keys: KeyProvider) -> None:
    await keys.create(ANA)
    wrapped = bytearray((await keys.generate(ANA)).wrapped)
    wrapped[-6] ^= 1

    with pytest.raises(CannotOpen):
        await keys.unwrap(ANA, bytes(wrapped))


async def test_after_destroying_nothing_of_the_tenant_opens_and_nothing_brings_the_key_back(
    keys: KeyProvider,
) -> None:
    await keys.create(ANA)
    await keys.create(BOB)
    lost, kept = await keys.generate(ANA), await keys.generate(BOB)

    await keys.destroy(ANA)
    await keys.destroy(ANA)

    with pytest.raises(KeyGone):
        await keys.unwrap(ANA, lost.wrapped)
    with pytest.raises(KeyGone):
        await keys.generate(ANA)
    with pytest.raises(KeyGone):
        await keys.unwrap(ANA, lost.wrapped)
    assert await keys.unwrap(BOB, kept.wrapped) == kept.plaintext


async def test_a_key_made_anew_does_not_open_what_the_destroyed_one_sealed(
    keys: KeyProvider,
) -> None:
    await keys.create(ANA)
    lost = await keys.generate(ANA)
    await keys.destroy(ANA)

    await keys.create(ANA)

    with pytest.raises(CannotOpen):
        await keys.unwrap(ANA, lost.wrapped)


async def test_a_tenant_without_a_key_has_none(keys: KeyProvider) -> None:
    with pytest.raises(KeyGone):
        await keys.generate(ANA)


async def test_a_provider_that_works_is_healthy(keys: KeyProvider) -> None:
    await keys.health()


async def test_the_files_are_for_our_eyes_only_and_hold_no_key_of_a_tenant_in_the_clear(
    tmp_path: Path,
) -> None:
    keys = LocalKeys(tmp_path / "keys")
    await keys.create(ANA)
    made = await keys.generate(ANA)

    files = sorted(path for path in (tmp_path / "keys").rglob("*.key"))

    assert [path.name for path in files] == ["master.key", "ten_ana.key"]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
    assert all(made.plaintext not in path.read_bytes() for path in files)


async def test_processes_that_start_together_agree_on_one_master_key(tmp_path: Path) -> None:
    starters = [LocalKeys(tmp_path / "keys") for _ in range(16)]

    await asyncio.gather(*(keys.create(ANA) for keys in starters))

    made = await starters[0].generate(ANA)
    opened = [await keys.unwrap(ANA, made.wrapped) for keys in starters]
    assert opened == [made.plaintext] * 16


async def test_a_lost_master_key_is_not_replaced_while_tenants_depend_on_it(
    tmp_path: Path,
) -> None:
    keys = LocalKeys(tmp_path / "keys")
    await keys.create(ANA)
    (tmp_path / "keys" / "master.key").unlink()

    with pytest.raises(KeyServiceRefused) as raised:
        await keys.create(BOB)

    assert "restore it" in raised.value.detail
    assert not (tmp_path / "keys" / "master.key").exists()


async def test_another_master_key_is_recognised_as_not_the_one(tmp_path: Path) -> None:
    keys = LocalKeys(tmp_path / "keys")
    await keys.create(ANA)
    (tmp_path / "keys" / "master.key").write_bytes(b"x" * 32)

    with pytest.raises(KeyServiceRefused):
        await keys.generate(ANA)


@pytest.mark.parametrize(("content", "mode"), [(b"x" * 32, 0o644), (b"short", 0o600)])
async def test_a_master_key_that_others_can_read_or_that_is_none_is_refused(
    tmp_path: Path, content: bytes, mode: int
) -> None:
    master = tmp_path / "master.key"
    master.write_bytes(content)
    master.chmod(mode)

    with pytest.raises(KeyServiceRefused):
        await LocalKeys(tmp_path).health()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 101])
async def test_no_id_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyGone):
        await LocalKeys(tmp_path).create(TenantId(name))


async def test_a_folder_that_cannot_be_one_is_the_operators_to_mend(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")

    with pytest.raises(KeyServiceDown):
        await LocalKeys(tmp_path / "keys").health()


async def test_an_approle_logs_in_once_and_again_when_its_token_is_refused(vault: Vault) -> None:
    keys = VaultKeys(vault.url, APP_ROLE)
    await keys.create(ANA)
    made = await keys.generate(ANA)
    vault.tokens.clear()

    opened = await keys.unwrap(ANA, made.wrapped)

    assert opened == made.plaintext
    assert vault.asked.count("POST auth/approle/login") == 2


async def test_a_login_is_renewed_before_it_ends(vault: Vault) -> None:
    vault.lease_seconds = 1e-9
    keys = VaultKeys(vault.url, VaultLogin(token=ROOT_TOKEN))
    await keys.create(ANA)

    await keys.generate(ANA)
    await keys.generate(ANA)

    assert vault.asked.count("POST auth/token/renew-self") == 2


async def test_a_login_that_cannot_be_renewed_is_made_anew(vault: Vault) -> None:
    vault.lease_seconds = 1e-9
    keys = VaultKeys(vault.url, APP_ROLE)
    await keys.create(ANA)
    vault.tokens.clear()

    await keys.generate(ANA)

    assert vault.asked.count("POST auth/approle/login") == 2


@pytest.mark.parametrize(
    "login", [VaultLogin(token="wrong"), VaultLogin(role_id=ROLE_ID, secret_id="wrong")]
)
async def test_a_login_that_is_refused_is_the_operators_to_mend(
    vault: Vault, login: VaultLogin
) -> None:
    with pytest.raises(KeyServiceRefused) as raised:
        await VaultKeys(vault.url, login).health()

    assert "wrong" not in raised.value.detail


async def test_a_wrong_mount_is_the_operators_to_mend(vault: Vault) -> None:
    keys = VaultKeys(vault.url, VaultLogin(token=ROOT_TOKEN), mount="elsewhere")

    with pytest.raises(KeyServiceRefused):
        await keys.generate(ANA)


async def test_namespaces_are_named() -> None:
    with running_vault("team-a") as vault:
        named = VaultKeys(vault.url, VaultLogin(token=ROOT_TOKEN), namespace="team-a")
        await named.create(ANA)

        with pytest.raises(KeyServiceRefused):
            await VaultKeys(vault.url, VaultLogin(token=ROOT_TOKEN)).generate(ANA)


async def test_a_sealed_vault_may_work_later(vault: Vault) -> None:
    keys = VaultKeys(vault.url, VaultLogin(token=ROOT_TOKEN))
    await keys.create(ANA)
    vault.is_sealed = True

    with pytest.raises(KeyServiceDown):
        await keys.generate(ANA)
    with pytest.raises(KeyServiceDown):
        await keys.health()


@pytest.mark.parametrize("status", [429, 500, 501, 502, 418])
async def test_a_vault_in_trouble_may_work_later(vault: Vault, status: int) -> None:
    vault.fails_with = status

    with pytest.raises(KeyServiceDown):
        await VaultKeys(vault.url, VaultLogin(token=ROOT_TOKEN)).health()


async def test_a_vault_that_is_away_may_come_back() -> None:
    with running_vault() as vault:
        url = vault.url

    with pytest.raises(KeyServiceDown):
        await VaultKeys(url, APP_ROLE).generate(ANA)


@pytest.mark.parametrize(
    "data", [{}, {"plaintext": "eA==", "ciphertext": "c"}, {"plaintext": "?", "ciphertext": "c"}]
)
async def test_an_answer_that_is_none_of_vaults_may_be_better_later(data: dict[str, str]) -> None:
    answer = json.dumps({"data": data}).encode()

    async with listening(says(answer)) as end:
        keys = VaultKeys(end.url, VaultLogin(token=ROOT_TOKEN))
        with pytest.raises(KeyServiceDown):
            await keys.generate(ANA)


async def test_a_vault_that_says_nothing_is_given_up_in_time() -> None:
    async def nothing(_: Heard, __: asyncio.StreamWriter) -> None:
        """Let it wait."""

    async with listening(nothing) as end:
        keys = VaultKeys(end.url, VaultLogin(token=ROOT_TOKEN), time_limit=0.1)
        with pytest.raises(KeyServiceDown):
            await keys.health()


def test_a_login_shows_nothing_of_itself() -> None:
    assert repr(VaultLogin(token="hush", secret_id="hush")) == "VaultLogin(***)"
