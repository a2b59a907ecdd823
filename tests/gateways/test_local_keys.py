"""Keys in files: one master key above all, renewed without anybody noticing."""

import asyncio
from pathlib import Path

import pytest

from tenants.identity import TenantId
from tenants.secrets.envelope import Binding, CannotOpen, seal
from tenants.secrets.key_provider import KeyGone, KeyServiceDown, KeyServiceRefused
from tenants.secrets.local import LocalKeys
from tests.vault.hands import content, grant

ANA, BOB = TenantId("ten_ana"), TenantId("ten_bob")


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*.key")]


async def test_the_files_are_for_our_eyes_only_and_hold_no_key_of_a_tenant_in_the_clear(
    tmp_path: Path,
) -> None:
    keys = LocalKeys(tmp_path / "keys")
    await keys.create(content(ANA))
    made = await keys.generate(content(ANA))

    files = sorted(path for path in (tmp_path / "keys").rglob("*.key"))

    assert [path.name for path in files] == ["master.key", "ten_ana.key"]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
    assert all(bytes(made.plaintext) not in path.read_bytes() for path in files)


async def test_processes_that_start_together_agree_on_one_master_key(tmp_path: Path) -> None:
    starters = [LocalKeys(tmp_path / "keys") for _ in range(16)]

    await asyncio.gather(*(keys.create(content(ANA)) for keys in starters))

    made = await starters[0].generate(content(ANA))
    opened = [await keys.unwrap(content(ANA), made.wrapped) for keys in starters]
    assert opened == [made.plaintext] * 16


async def test_a_lost_master_key_is_not_replaced_while_tenants_depend_on_it(
    tmp_path: Path,
) -> None:
    keys = LocalKeys(tmp_path / "keys")
    await keys.create(content(ANA))
    (tmp_path / "keys" / "master.key").unlink()

    with pytest.raises(KeyServiceRefused) as raised:
        await keys.create(content(BOB))

    assert "restore it" in raised.value.detail
    assert not (tmp_path / "keys" / "master.key").exists()


async def test_another_master_key_is_recognised_as_not_the_one(tmp_path: Path) -> None:
    keys = LocalKeys(tmp_path / "keys")
    await keys.create(content(ANA))
    (tmp_path / "keys" / "master.key").write_bytes(b"x" * 32)

    with pytest.raises(KeyServiceRefused):
        await keys.generate(content(ANA))


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
        await LocalKeys(tmp_path).create(content(TenantId(name)))


async def test_a_folder_that_cannot_be_one_is_the_operators_to_mend(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")

    with pytest.raises(KeyServiceDown):
        await LocalKeys(tmp_path / "keys").health()


async def test_a_key_of_the_time_before_versions_opens_what_it_wrapped(tmp_path: Path) -> None:
    keys = LocalKeys(tmp_path / "keys")
    await keys.health()
    master = (tmp_path / "keys" / "master.key").read_bytes()
    tenant_key, data_key = b"t" * 32, b"d" * 32
    under = Binding(tenant_id=ANA, purpose="tenant-key", row_id="")
    (tmp_path / "keys" / "tenants" / "ten_ana.key").write_bytes(seal(master, 0, under, tenant_key))
    wrapped = seal(tenant_key, 0, Binding(tenant_id=ANA, purpose="data-key", row_id=""), data_key)

    before = await keys.unwrap(content(ANA), wrapped)
    await keys.rotate(content(ANA))
    anew = await keys.rewrap(content(ANA), wrapped)
    await keys.rotate_root()

    assert (before, await keys.unwrap(content(ANA), anew)) == (data_key, data_key)
    assert [keys.version_of(one) for one in (wrapped, anew, b"nonsense")] == [1, 2, 0]


async def test_a_renewed_master_key_replaces_the_old_one_wherever_it_was_used(
    tmp_path: Path,
) -> None:
    keys, other = LocalKeys(tmp_path), LocalKeys(tmp_path)
    for name in (content(ANA), grant(ANA), content(BOB)):
        await keys.create(name)
    made = await keys.generate(grant(ANA))
    old = (tmp_path / "master.key").read_bytes()

    await keys.rotate_root()

    assert (tmp_path / "master.key").read_bytes() != old
    assert not (tmp_path / "master.next.key").exists()
    assert await other.unwrap(grant(ANA), made.wrapped) == made.plaintext
    (tmp_path / "master.key").write_bytes(old)
    with pytest.raises(KeyServiceRefused):
        await other.unwrap(grant(ANA), made.wrapped)


@pytest.mark.parametrize("resealed", range(4))
async def test_a_renewal_that_was_cut_short_is_read_by_all_and_finished_by_the_next(
    tmp_path: Path, resealed: int
) -> None:
    keys = LocalKeys(tmp_path)
    made = {}
    for name in (content(ANA), grant(ANA), content(BOB)):
        await keys.create(name)
        made[name] = await keys.generate(name)
    old = (tmp_path / "master.key").read_bytes()
    (tmp_path / "master.next.key").write_bytes(b"n" * 32)
    (tmp_path / "master.next.key").chmod(0o600)
    for name in list(made)[:resealed]:  # any change is written under the newest master key
        await keys.rotate(name)

    reading = LocalKeys(tmp_path)
    halfway = [await reading.unwrap(name, one.wrapped) for name, one in made.items()]
    await LocalKeys(tmp_path).rotate_root()
    after = [await reading.unwrap(name, one.wrapped) for name, one in made.items()]

    assert halfway == after == [one.plaintext for one in made.values()]
    assert (tmp_path / "master.key").read_bytes() == b"n" * 32
    assert old not in contents(tmp_path)


async def test_readers_meet_no_gap_while_everything_is_renewed(tmp_path: Path) -> None:
    keys, reading = LocalKeys(tmp_path), LocalKeys(tmp_path)
    await keys.create(content(ANA))
    made = await keys.generate(content(ANA))
    done = asyncio.Event()

    async def read() -> int:
        times = 0
        while not done.is_set():
            assert await reading.unwrap(content(ANA), made.wrapped) == made.plaintext
            times += 1
        return times

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for _ in range(5):
        await keys.rotate_root()
    done.set()

    assert min(await asyncio.gather(*readers)) > 0


async def test_grants_and_content_lie_under_files_of_their_own(tmp_path: Path) -> None:
    keys = LocalKeys(tmp_path)
    await keys.create(content(ANA))
    await keys.create(grant(ANA))
    made = await keys.generate(grant(ANA))

    with pytest.raises(CannotOpen):
        await keys.unwrap(content(ANA), made.wrapped)
    assert sorted(path.name for path in (tmp_path / "tenants").iterdir()) == [
        "ten_ana.grant.key",
        "ten_ana.key",
    ]
