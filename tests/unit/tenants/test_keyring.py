import asyncio
import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenants.identity import TenantId
from tenants.secrets.data_key_store import Begun, StoredKey
from tenants.secrets.envelope import CannotOpen, new_data_key
from tenants.secrets.key_provider import (
    DataKey,
    KeyGone,
    KeyServiceDown,
    KeyServiceRefused,
    Standing,
    TenantKey,
)
from tenants.secrets.keyring import LIFETIME, Keyring

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANA, BOB = TenantId("ten_ana"), TenantId("ten_bob")


class Safe:
    """A key provider in memory: a wrapped key is a ticket for it, with a version in front."""

    def __init__(self) -> None:
        self.tickets: dict[TenantKey, dict[bytes, bytes]] = {}
        self.versions: dict[TenantKey, Standing] = {}
        self.unwrapped = 0
        self.asked = 0
        self.trouble: Exception | None = None
        self.slow: asyncio.Event | None = None
        self.at_once = self.most_at_once = 0
        self.lent: list[bytearray] = []

    async def create(self, key: TenantKey) -> None:
        self.tickets.setdefault(key, {})
        self.versions.setdefault(key, Standing(latest=1, floor=1))

    async def generate(self, key: TenantKey) -> DataKey:
        await self._ask(key)
        made = DataKey(plaintext=new_data_key(), wrapped=self._ticket(key))
        self.tickets[key][made.wrapped] = bytes(made.plaintext)
        self.lent.append(made.plaintext)
        return made

    async def generate_wrapped(self, key: TenantKey) -> bytes:
        return (await self.generate(key)).wrapped

    async def unwrap(self, key: TenantKey, wrapped: bytes) -> bytearray:
        await self._ask(key)
        self.unwrapped += 1
        if self.version_of(wrapped) < self.versions[key].floor:
            raise CannotOpen("too old")
        self.lent.append(bytearray(self.tickets[key][wrapped]))
        return self.lent[-1]

    async def destroy(self, key: TenantKey) -> None:
        self.tickets.pop(key, None)

    async def standing(self, key: TenantKey) -> Standing:
        await self._ask(key)
        return self.versions[key]

    async def rotate(self, key: TenantKey) -> None:
        old = self.versions[key]
        self.versions[key] = Standing(latest=old.latest + 1, floor=old.floor)

    async def rewrap(self, key: TenantKey, wrapped: bytes) -> bytes:
        plaintext, ticket = self.tickets[key][wrapped], self._ticket(key)
        self.tickets[key][ticket] = plaintext
        return ticket

    async def raise_floor(self, key: TenantKey, version: int) -> None:
        self.versions[key] = Standing(latest=self.versions[key].latest, floor=version)

    async def rotate_root(self) -> None:
        """Have none."""

    def version_of(self, wrapped: bytes) -> int:
        return wrapped[0]

    async def health(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def close(self) -> None:
        """Hold nothing open."""

    def _ticket(self, key: TenantKey) -> bytes:
        return bytes([self.versions[key].latest]) + bytes(new_data_key())

    async def _ask(self, key: TenantKey) -> None:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await asyncio.sleep(0)  # let others in between
            if self.slow is not None:
                await self.slow.wait()
        finally:
            self.at_once -= 1
        if self.trouble is not None:
            raise self.trouble
        if key not in self.tickets:
            raise KeyGone("none")


class Shelf:
    """A store of wrapped keys that all processes of a test share."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.begins: dict[TenantKey, Begun] = {}
        self.floors: dict[TenantKey, int] = {}

    async def standing(self, name: TenantKey) -> tuple[StoredKey, ...]:
        await asyncio.sleep(0)  # let others in between
        return tuple(
            key
            for key in reversed(self.keys.values())
            if (key.tenant_id, key.purpose, key.passing) == (name.tenant_id, name.purpose, False)
        )

    async def wrapped_under(self, name: TenantKey) -> tuple[StoredKey, ...]:
        mine = (name.tenant_id, name.purpose)
        return tuple(key for key in self.keys.values() if (key.tenant_id, key.under) == mine)

    async def numbered(self, name: TenantKey, number: int) -> StoredKey | None:
        return self.keys.get(f"dk_{name.tenant_id}_{name.purpose}_{number}")

    async def next_number(self, name: TenantKey) -> int:
        mine = (name.tenant_id, name.purpose)
        had = [k.number for k in self.keys.values() if (k.tenant_id, k.purpose) == mine]
        return max(had, default=0) + 1

    async def add(self, key: StoredKey, version: int) -> bool:
        await asyncio.sleep(0)  # let others in between
        floor = self.floors.get(TenantKey(key.tenant_id, key.under), 0)
        return version >= floor and self.keys.setdefault(key.id, key) is key

    async def replace(self, key: StoredKey, wrapped: bytes) -> None:
        self.keys[key.id] = StoredKey(**{**_fields(key), "wrapped": wrapped})

    async def begun(self, name: TenantKey, at: Begun) -> Begun:
        return self.begins.setdefault(name, at)

    async def set_floor(self, name: TenantKey, version: int) -> None:
        self.floors[name] = version


def _fields(key: StoredKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in key.__struct_fields__}


class World:
    """One safe, one shelf, and as many processes as a test starts."""

    def __init__(self) -> None:
        self.safe = Safe()
        self.shelf = Shelf()

    def process(self, capacity: int = 100, **given: Any) -> Keyring:
        return Keyring(self.safe, self.shelf, capacity=capacity, **given)

    def api(self) -> Keyring:
        """A process that may not open grants."""
        return self.process(opens=("content",))


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
    await world.safe.create(TenantKey(ANA, "content"))
    processes = [world.process() for _ in range(8)]

    ciphers = await asyncio.gather(*(p.cipher(ANA, "content", NOON) for p in processes))

    sealed = ciphers[0].seal("evt_1", b"data")
    assert [cipher.open("evt_1", sealed) for cipher in ciphers] == [b"data"] * 8
    assert list(world.shelf.keys) == ["dk_ten_ana_content_1"]


async def test_many_callers_cause_one_unwrapping_and_within_five_minutes_no_more(
    world: World,
) -> None:
    keyring = world.process()
    await world.safe.create(TenantKey(ANA, "content"))
    within = NOON + LIFETIME - timedelta(seconds=1)

    await asyncio.gather(*(keyring.cipher(ANA, "content", NOON) for _ in range(20)))
    await keyring.cipher(ANA, "content", within)

    assert world.safe.unwrapped == 1


async def test_after_five_minutes_keys_are_unwrapped_again(world: World) -> None:
    keyring = world.process()
    await world.safe.create(TenantKey(ANA, "content"))

    await keyring.cipher(ANA, "content", NOON)
    await keyring.cipher(ANA, "content", NOON + LIFETIME)

    assert world.safe.unwrapped == 2


async def test_a_rotated_key_seals_only_when_every_process_can_know_it(world: World) -> None:
    rotating, resting = world.process(), world.process()
    await rotating.prepare(ANA, NOON)
    later = NOON + timedelta(days=90)
    stale = await resting.cipher(ANA, "content", later)
    await rotating.rotate(TenantKey(ANA, "content"), later)

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


async def test_rotations_at_once_make_one_new_data_key(world: World) -> None:
    first, second = world.process(), world.process()
    await first.prepare(ANA, NOON)
    name = TenantKey(ANA, "content")

    await asyncio.gather(first.rotate(name, NOON), second.rotate(name, NOON))

    assert sorted(world.shelf.keys) == [
        "dk_ten_ana_content_1",
        "dk_ten_ana_content_2",
        "dk_ten_ana_grant_1",
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
        await world.safe.create(TenantKey(tenant_id, "content"))
    await world.safe.create(TenantKey(ANA, "grant"))
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
    assert repr(DataKey(plaintext=bytearray(b"hush"), wrapped=b"hush")) == "DataKey(***)"


async def test_who_may_not_open_grants_seals_them_for_who_may(world: World) -> None:
    api, worker = world.api(), world.process()
    await api.prepare(ANA, NOON)
    held = await worker.cipher(ANA, "grant", NOON)

    sealed = (await api.sealer(ANA, "grant", NOON)).seal("con_1", b"token")

    assert not held.knows(sealed)
    opener = await worker.opener(ANA, "grant", sealed, NOON)
    assert opener.open("con_1", sealed) == b"token"
    assert held.knows(sealed)


async def test_who_may_not_open_grants_is_given_nothing_that_opens(world: World) -> None:
    api = world.api()
    await api.prepare(ANA, NOON)
    sealer = await api.sealer(ANA, "grant", NOON)

    with pytest.raises(KeyServiceRefused):
        await api.cipher(ANA, "grant", NOON)
    with pytest.raises(KeyServiceRefused):
        await api.opener(ANA, "grant", sealer.seal("con_1", b"token"), NOON)
    assert api.held(ANA, "grant", NOON) is None
    assert not hasattr(sealer, "open")


async def test_passing_keys_are_made_once_in_a_lifetime_and_never_seal_for_others(
    world: World,
) -> None:
    apis, worker = [world.api() for _ in range(3)], world.process()
    await apis[0].prepare(ANA, NOON)
    later = NOON + 3 * LIFETIME

    for now in (NOON, NOON + timedelta(minutes=1)):
        await asyncio.gather(*(api.sealer(ANA, "grant", now) for api in apis))
    sealed = (await worker.sealer(ANA, "grant", later)).seal("con_1", b"token")

    passing = [key.number for key in world.shelf.keys.values() if key.passing]
    standing = [key.id for key in world.shelf.keys.values() if not key.passing]
    assert sorted(passing) == [1, 2, 3]
    assert sorted(standing) == ["dk_ten_ana_content_1", "dk_ten_ana_grant_4"]
    assert (await world.process().cipher(ANA, "grant", later)).open("con_1", sealed) == b"token"


async def test_an_old_tenant_that_has_one_key_for_all_gets_its_second_when_it_is_needed(
    world: World,
) -> None:
    await world.safe.create(TenantKey(ANA, "content"))
    api = world.api()
    await api.cipher(ANA, "content", NOON)

    sealed = (await api.sealer(ANA, "grant", NOON)).seal("con_1", b"token")

    opener = await world.process().opener(ANA, "grant", sealed, NOON)
    assert opener.open("con_1", sealed) == b"token"


async def test_a_destroyed_tenant_gets_no_second_key(world: World) -> None:
    api, other = world.api(), world.api()
    await api.prepare(ANA, NOON)
    await other.cipher(ANA, "content", NOON)
    await api.destroy(ANA)

    for keyring in (api, other):
        with pytest.raises(KeyGone):
            await keyring.sealer(ANA, "grant", NOON)

    assert world.safe.tickets == {}


async def test_what_is_wrapped_under_a_tenants_old_one_key_still_opens(world: World) -> None:
    old = TenantKey(ANA, "content")
    await world.safe.create(old)
    made = await world.safe.generate(old)
    key = StoredKey(
        tenant_id=ANA,
        purpose="grant",
        number=1,
        under="content",
        passing=False,
        wrapped=made.wrapped,
        created_at=NOON,
    )
    await world.shelf.add(key, 1)

    cipher = await world.process().cipher(ANA, "grant", NOON)

    assert cipher.open("con_1", cipher.seal("con_1", b"token")) == b"token"


async def test_keys_are_overwritten_when_their_time_is_over_and_nobody_uses_them(
    world: World,
) -> None:
    keyring = world.process()
    await keyring.prepare(ANA, NOON)
    in_use = await keyring.cipher(ANA, "content", NOON)
    before = sum(any(key) for key in world.safe.lent)

    left = [keyring.expire(now) for now in (NOON, NOON + LIFETIME)]
    gc.collect()

    assert (before, left) == (2, [2, 0])
    assert [any(key) for key in world.safe.lent].count(True) == 1
    assert in_use.open("evt_1", in_use.seal("evt_1", b"data")) == b"data"
    del in_use
    gc.collect()
    assert [bytes(key) for key in world.safe.lent] == [bytes(32)] * len(world.safe.lent)


async def test_what_is_evicted_or_destroyed_is_overwritten(world: World) -> None:
    keyring = world.process(capacity=1, opens=("content",))
    await keyring.prepare(ANA, NOON)
    await keyring.prepare(BOB, NOON)
    gc.collect()
    after_eviction = [any(key) for key in world.safe.lent].count(True)

    await keyring.destroy(BOB)
    gc.collect()

    assert after_eviction == 1
    assert not any(any(key) for key in world.safe.lent)


async def test_an_ending_process_overwrites_even_what_is_in_use_and_seals_no_more(
    world: World,
) -> None:
    keyring = world.api()
    await keyring.prepare(ANA, NOON)
    cipher = await keyring.cipher(ANA, "content", NOON)
    sealer = await keyring.sealer(ANA, "grant", NOON)
    sealed = cipher.seal("evt_1", b"data")

    await keyring.close()

    assert not any(any(key) for key in world.safe.lent)
    for ended in (cipher, sealer):
        with pytest.raises(KeyServiceDown):
            ended.seal("evt_1", b"data")
    with pytest.raises(CannotOpen):
        cipher.open("evt_1", sealed)


async def test_after_trouble_nobody_asks_for_a_while_and_each_while_is_longer(
    world: World,
) -> None:
    told: list[Exception] = []
    keyring = world.process(told=told.append)
    await world.safe.create(TenantKey(ANA, "content"))
    world.safe.trouble = KeyServiceDown("sealed")
    asked = []
    for second in range(40):
        now = NOON + timedelta(seconds=second)
        for tenant_id in (ANA, BOB):
            with pytest.raises(KeyServiceDown, match="sealed"):
                await keyring.cipher(tenant_id, "content", now)
        asked.append(world.safe.asked)

    world.safe.trouble = None
    await keyring.cipher(ANA, "content", NOON + timedelta(seconds=60))

    changes = [second for second in range(1, 40) if asked[second] > asked[second - 1]]
    assert changes == [1, 3, 7, 15, 30]
    assert len(told) == len(changes) + 1


async def test_a_service_that_is_well_again_is_asked_at_once(world: World) -> None:
    keyring = world.process()
    await world.safe.create(TenantKey(ANA, "content"))
    world.safe.trouble = KeyServiceRefused("forbidden")
    with pytest.raises(KeyServiceRefused):
        await keyring.cipher(ANA, "content", NOON)
    world.safe.trouble = None

    await keyring.health()

    assert await keyring.cipher(ANA, "content", NOON) is not None


async def test_trouble_with_grants_stops_no_content(world: World) -> None:
    keyring = world.process()
    await world.safe.create(TenantKey(ANA, "content"))
    await world.safe.create(TenantKey(ANA, "grant"))
    world.safe.trouble = KeyServiceRefused("forbidden")
    with pytest.raises(KeyServiceRefused):
        await keyring.cipher(ANA, "grant", NOON)
    world.safe.trouble = None

    assert await keyring.cipher(ANA, "content", NOON) is not None
    with pytest.raises(KeyServiceRefused):
        await keyring.cipher(ANA, "grant", NOON)


async def test_what_is_at_hand_serves_while_the_service_is_away(world: World) -> None:
    keyring = world.process()
    await keyring.prepare(ANA, NOON)
    world.safe.trouble = KeyServiceDown("away")

    cipher = await keyring.cipher(ANA, "content", NOON + LIFETIME - timedelta(seconds=1))

    assert cipher.open("evt_1", cipher.seal("evt_1", b"data")) == b"data"
    with pytest.raises(KeyServiceDown):
        await keyring.cipher(ANA, "content", NOON + LIFETIME)


async def test_a_slow_service_is_asked_by_few_at_once(world: World) -> None:
    keyring = world.process()
    names = [TenantKey(TenantId(f"ten_{number}"), "content") for number in range(12)]
    for name in names:
        await world.safe.create(name)
    world.safe.slow = asyncio.Event()
    asking = [asyncio.create_task(keyring.cipher(n.tenant_id, "content", NOON)) for n in names]
    await asyncio.sleep(0.05)
    most = world.safe.most_at_once
    world.safe.slow.set()

    ciphers = await asyncio.gather(*asking)

    assert most == world.safe.most_at_once == 4
    assert len(ciphers) == 12


async def test_a_tenant_whose_key_is_gone_is_not_asked_about_again_and_again(
    world: World,
) -> None:
    keyring = world.process()
    for second in range(30):
        with pytest.raises(KeyGone):
            await keyring.cipher(ANA, "content", NOON + timedelta(seconds=second))

    assert world.safe.asked == 1


async def test_a_key_rewrapped_between_reading_and_asking_is_read_again(world: World) -> None:
    first = world.process()
    await first.prepare(ANA, NOON)
    name = TenantKey(ANA, "content")
    world.safe.slow = asyncio.Event()
    reading = asyncio.create_task(world.process().cipher(ANA, "content", NOON))
    await asyncio.sleep(0.01)
    slow, world.safe.slow = world.safe.slow, None
    await first.rotate(name, NOON)
    slow.set()

    cipher = await reading

    sealed = (await first.cipher(ANA, "content", NOON)).seal("evt_1", b"data")
    assert cipher.open("evt_1", sealed) == b"data"


async def test_a_data_key_wrapped_before_the_floor_rose_is_made_again(world: World) -> None:
    worker, api = world.process(), world.api()
    await api.prepare(ANA, NOON)
    world.safe.slow = asyncio.Event()
    sealing = asyncio.create_task(api.sealer(ANA, "grant", NOON))
    await asyncio.sleep(0.01)  # its data key is wrapped, not yet stored
    made, world.safe.slow = world.safe.slow, None
    name = TenantKey(ANA, "grant")
    late = await world.safe.generate(name)
    await worker.rotate(name, NOON)
    made.set()
    stale = StoredKey(
        tenant_id=ANA,
        purpose="grant",
        number=9,
        under="grant",
        passing=True,
        wrapped=late.wrapped,
        created_at=NOON,
    )

    refused = await world.shelf.add(stale, 1)
    sealed = (await sealing).seal("con_1", b"token")

    assert refused is False
    opener = await world.process().opener(ANA, "grant", sealed, NOON)
    assert opener.open("con_1", sealed) == b"token"
