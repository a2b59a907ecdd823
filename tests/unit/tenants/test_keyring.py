import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tenants.identity import TenantId
from tenants.secrets.envelope import CannotOpen, new_data_key
from tenants.secrets.key_provider import DataKey, KeyGone
from tenants.secrets.keyring import LIFETIME, KeyPurpose, Keyring, StoredKey

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANA, BOB = TenantId("ten_ana"), TenantId("ten_bob")


class Safe:
    """A key provider in memory: a wrapped key is a ticket for it."""

    def __init__(self) -> None:
        self.tickets: dict[TenantId, dict[bytes, bytes]] = {}
        self.unwrapped = 0

    async def create(self, tenant_id: TenantId) -> None:
        self.tickets.setdefault(tenant_id, {})

    async def generate(self, tenant_id: TenantId) -> DataKey:
        await asyncio.sleep(0)  # let others in between
        if tenant_id not in self.tickets:
            raise KeyGone("none")
        made = DataKey(plaintext=new_data_key(), wrapped=new_data_key())
        self.tickets[tenant_id][made.wrapped] = made.plaintext
        return made

    async def unwrap(self, tenant_id: TenantId, wrapped: bytes) -> bytes:
        await asyncio.sleep(0)  # let others in between
        self.unwrapped += 1
        if tenant_id not in self.tickets:
            raise KeyGone("none")
        return self.tickets[tenant_id][wrapped]

    async def destroy(self, tenant_id: TenantId) -> None:
        self.tickets.pop(tenant_id, None)

    async def health(self) -> None:
        """Be well."""


class Shelf:
    """A store of wrapped keys that all processes of a test share."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}

    async def all(self, tenant_id: TenantId, purpose: KeyPurpose) -> tuple[StoredKey, ...]:
        await asyncio.sleep(0)  # let others in between
        return tuple(
            key
            for key in reversed(self.keys.values())
            if (key.tenant_id, key.purpose) == (tenant_id, purpose)
        )

    async def add(self, key: StoredKey) -> None:
        self.keys.setdefault(key.id, key)


class World:
    """One safe, one shelf, and as many processes as a test starts."""

    def __init__(self) -> None:
        self.safe = Safe()
        self.shelf = Shelf()

    def process(self, capacity: int = 100) -> Keyring:
        return Keyring(self.safe, self.shelf, capacity=capacity)


@pytest.fixture
def world() -> World:
    return World()


async def test_what_one_cipher_sealed_another_process_opens(world: World) -> None:
    first, second = world.process(), world.process()
    await first.prepare(ANA, NOON)

    sealed = (await first.cipher(ANA, "content", NOON)).seal("evt_1", b"data")

    assert (await second.cipher(ANA, "content", NOON)).open("evt_1", sealed) == b"data"


async def test_it_opens_for_no_other_row_purpose_or_tenant(world: World) -> None:
    keyring = world.process()
    await keyring.prepare(ANA, NOON)
    await keyring.prepare(BOB, NOON)
    cipher = await keyring.cipher(ANA, "content", NOON)
    sealed = cipher.seal("evt_1", b"data")

    with pytest.raises(CannotOpen):
        cipher.open("evt_2", sealed)
    with pytest.raises(CannotOpen):
        (await keyring.cipher(ANA, "grant", NOON)).open("evt_1", sealed)
    with pytest.raises(CannotOpen):
        (await keyring.cipher(BOB, "content", NOON)).open("evt_1", sealed)


async def test_processes_that_make_the_first_key_at_once_agree_on_it(world: World) -> None:
    await world.safe.create(ANA)
    processes = [world.process() for _ in range(8)]

    ciphers = await asyncio.gather(*(p.cipher(ANA, "content", NOON) for p in processes))

    sealed = ciphers[0].seal("evt_1", b"data")
    assert [cipher.open("evt_1", sealed) for cipher in ciphers] == [b"data"] * 8
    assert list(world.shelf.keys) == ["dk_ten_ana_content_1"]


async def test_many_callers_cause_one_unwrapping_and_within_five_minutes_no_more(
    world: World,
) -> None:
    keyring = world.process()
    await world.safe.create(ANA)
    within = NOON + LIFETIME - timedelta(seconds=1)

    await asyncio.gather(*(keyring.cipher(ANA, "content", NOON) for _ in range(20)))
    await keyring.cipher(ANA, "content", within)

    assert world.safe.unwrapped == 1


async def test_after_five_minutes_keys_are_unwrapped_again(world: World) -> None:
    keyring = world.process()
    await world.safe.create(ANA)

    await keyring.cipher(ANA, "content", NOON)
    await keyring.cipher(ANA, "content", NOON + LIFETIME)

    assert world.safe.unwrapped == 2


async def test_a_rotated_key_seals_only_when_every_process_can_know_it(world: World) -> None:
    rotating, resting = world.process(), world.process()
    await rotating.prepare(ANA, NOON)
    later = NOON + timedelta(days=90)
    stale = await resting.cipher(ANA, "content", later)
    await rotating.rotate(ANA, later)

    at_once = (await rotating.cipher(ANA, "content", later)).seal("evt_1", b"1")
    settled_at = later + 2 * LIFETIME
    settled = await rotating.cipher(ANA, "content", settled_at)
    at_last = settled.seal("evt_1", b"2")

    assert stale.open("evt_1", at_once) == b"1"
    with pytest.raises(CannotOpen):
        stale.open("evt_1", at_last)
    refreshed = await resting.cipher(ANA, "content", settled_at)
    assert [refreshed.open("evt_1", sealed) for sealed in (at_once, at_last)] == [b"1", b"2"]
    assert settled.open("evt_1", at_once) == b"1"


async def test_rotations_at_once_make_one_new_key_for_each_purpose(world: World) -> None:
    first, second = world.process(), world.process()
    await first.prepare(ANA, NOON)

    await asyncio.gather(first.rotate(ANA, NOON), second.rotate(ANA, NOON))

    assert sorted(world.shelf.keys) == [
        "dk_ten_ana_content_1",
        "dk_ten_ana_content_2",
        "dk_ten_ana_grant_1",
        "dk_ten_ana_grant_2",
    ]


async def test_a_destroyed_tenant_has_no_cipher_any_more(world: World) -> None:
    keyring, other = world.process(), world.process()
    await keyring.prepare(ANA, NOON)
    await other.cipher(ANA, "content", NOON)

    await keyring.destroy(ANA)

    with pytest.raises(KeyGone):
        await keyring.cipher(ANA, "content", NOON)
    with pytest.raises(KeyGone):
        await other.cipher(ANA, "content", NOON + LIFETIME)


async def test_a_tenant_that_was_never_prepared_has_no_cipher(world: World) -> None:
    with pytest.raises(KeyGone):
        await world.process().cipher(ANA, "content", NOON)


async def test_only_so_many_ciphers_are_held_and_the_least_used_is_let_go(world: World) -> None:
    keyring = world.process(capacity=2)
    for tenant_id in (ANA, BOB):
        await world.safe.create(tenant_id)
    await keyring.cipher(ANA, "content", NOON)
    await keyring.cipher(BOB, "content", NOON)
    await keyring.cipher(ANA, "content", NOON)

    await keyring.cipher(ANA, "grant", NOON)
    before = world.safe.unwrapped
    await keyring.cipher(ANA, "content", NOON)
    await keyring.cipher(BOB, "content", NOON)

    assert world.safe.unwrapped - before == 1


async def test_bytes_that_name_an_unknown_key_do_not_open(world: World) -> None:
    keyring = world.process()
    await keyring.prepare(ANA, NOON)
    cipher = await keyring.cipher(ANA, "content", NOON)
    sealed = bytearray(cipher.seal("evt_1", b"data"))
    sealed[4] = 9

    with pytest.raises(CannotOpen):
        cipher.open("evt_1", bytes(sealed))


async def test_a_failed_load_does_not_stay_in_the_way(world: World) -> None:
    keyring = world.process()
    with pytest.raises(KeyGone):
        await keyring.cipher(ANA, "content", NOON)

    await keyring.prepare(ANA, NOON)

    cipher = await keyring.cipher(ANA, "content", NOON)
    assert cipher.open("evt_1", cipher.seal("evt_1", b"data")) == b"data"


def test_a_data_key_shows_nothing_of_itself() -> None:
    assert repr(DataKey(plaintext=b"hush", wrapped=b"hush")) == "DataKey(***)"
