"""Rotation of tenants' keys: nobody notices, and killed anywhere it ends as an undisturbed one."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.types.json import Jsonb

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import closing, rotate, tenants
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.storage import sealed_grants
from meetbot_calendar.storage.tables import metadata
from tenants.identity import TenantContext, TenantId
from tenants.secrets.ciphers import TenantCipher
from tenants.secrets.key_provider import PURPOSES, KeyGone, KeyServiceDown, Standing, TenantKey
from tenants.secrets.keyring import Keyring
from tenants.secrets.local import LocalKeys
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import open_engine
from tests.journeys.killing import Fuse, Killed
from tests.journeys.stage import ANN, Stage, set_stage
from tests.vault.hands import a_vault, in_hands

NEVER = 1000
_ACTS = (
    "rotate", "rewrap", "raise_floor", "generate_wrapped", "rotate_root",
    "begun", "add", "replace", "set_floor",
)  # fmt: skip


class Mortal:
    """A part that dies with the fuse, after each of its acts."""

    def __init__(self, part: Any, fuse: Fuse) -> None:
        self._part = part
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name not in _ACTS:
            return found

        async def acted(*given: Any) -> Any:
            answer = await found(*given)
            self._fuse.burn(name)
            return answer

        return acted


class MortalDatabase:
    """A database that dies with the fuse, after each commit."""

    def __init__(self, database: Any, fuse: Fuse) -> None:
        self._database = database
        self._fuse = fuse

    @asynccontextmanager
    async def bare(self, tenant_id: TenantId) -> AsyncIterator[Any]:
        async with self._database.bare(tenant_id) as session:
            yield session
        self._fuse.burn("finish")

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Any]:
        async with self._database.operator() as session:
            yield session
        self._fuse.burn("begin")


@pytest.fixture(params=["local", "double", "real"])
async def kept(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Stage, Any]]:
    """A stage whose keys are in files, in the double, or in a real Vault; and who rotates them."""
    if request.param == "local":
        async with set_stage(database_url, tmp_path) as stage:
            yield stage, LocalKeys(tmp_path / "keys")
        return
    with a_vault(request.param) as ready:
        async with in_hands(ready) as hands:
            keys = (hands.api, hands.worker)
            async with set_stage(database_url, tmp_path, keys=keys) as stage:
                yield stage, hands.rotation


def rotating(stage: Stage, provider: Any, store: DataKeys, fuse: Fuse) -> Services:
    """Return services as the command has them, with a fuse in every act of theirs."""
    keyring = Keyring(Mortal(provider, fuse), Mortal(store, fuse))
    database: Any = MortalDatabase(stage.services.database, fuse)
    return msgspec.structs.replace(stage.services, keyring=keyring, database=database)


async def all_rotated(services: Services) -> list[rotate.Rotated]:
    async with aclosing(rotate.rotate_keys(services, None)) as rotated:
        return [done async for done in rotated]


class Rotation:
    """A new tenant, whose keys are rotated by somebody who dies after one of the effects."""

    def __init__(self, stage: Stage, provider: Any, store: DataKeys, tenant_id: TenantId) -> None:
        self.stage = stage
        self.provider = provider
        self.store = store
        self.tenant_id = tenant_id
        self.names = [TenantKey(tenant_id, "content"), TenantKey(tenant_id, "grant")]

    async def run(self, at: int) -> bool:
        """Rotate, and die after an effect; true if there was none of that number."""
        fuse = Fuse(at)
        services = rotating(self.stage, self.provider, self.store, fuse)
        with suppress(Killed):
            async with aclosing(rotate.rotate_keys(services, self.tenant_id)) as rotated:
                async for _ in rotated:
                    pass
        return len(fuse.effects) < at

    async def ciphers(self) -> list[TenantCipher]:
        """Return the worker's ciphers, loaded again."""
        keyring = self.stage.services.keyring
        keyring.expire(self.stage.now + timedelta(minutes=5))
        return [await keyring.cipher(self.tenant_id, n.purpose, self.stage.now) for n in self.names]

    async def end(self) -> tuple[list[Standing], list[tuple[int, int]]]:
        """Return how the keys stand, and each data key's number and version."""
        found = [key for name in self.names for key in await self.store.wrapped_under(name)]
        versions = [(key.number, self.provider.version_of(key.wrapped)) for key in found]
        return [await self.provider.standing(name) for name in self.names], sorted(versions)


async def test_killed_after_any_effect_it_is_finished_by_the_next_and_nothing_is_unreadable(
    kept: tuple[Stage, Any], database_url: str
) -> None:
    stage, provider = kept
    engine = open_engine(database_url, pool_size=4)
    at, undisturbed, ends = 0, False, []
    while not undisturbed:
        at += 1
        made = await tenants.create_tenant(stage.front, TenantWish(name=f"At {at}"))
        rotation = Rotation(stage, provider, DataKeys(engine), made.tenant.id)
        passing = (await stage.front.keyring.sealer(made.tenant.id, "grant", stage.now)).seal(
            "row", b"old"
        )
        old = await rotation.ciphers()
        sealed = [cipher.seal("row", b"old") for cipher in old]

        undisturbed = await rotation.run(at)
        for cipher, blob in zip(await rotation.ciphers(), sealed, strict=True):
            assert cipher.open("row", blob) == b"old"
        if not undisturbed:
            await rotation.run(NEVER)

        opener = await stage.services.keyring.opener(made.tenant.id, "grant", passing, stage.now)
        opened = [c.open("row", b) for c, b in zip([*old, opener], [*sealed, passing], strict=True)]
        assert opened == [b"old"] * 3
        ends.append(await rotation.end())
    await engine.dispose()

    assert at > 12
    twice = ends.pop(-2)  # killed when all was done: the next one was a rotation of its own
    standing = [Standing(latest=2, floor=2)] * 2
    assert ends == [(standing, [(1, 2), (1, 2), (2, 2), (2, 2), (3, 2)])] * (at - 1)
    assert twice[0] == [Standing(latest=3, floor=3)] * 2


async def test_work_goes_on_through_a_rotation_and_later_seals_with_the_new_key(
    stage: Stage,
) -> None:
    await stage.onboard(Provider.GOOGLE, ANN)
    stage.hold_meeting(ANN, "Before", timedelta(hours=2))
    await stage.pass_time(timedelta(minutes=5))

    done = await all_rotated(stage.services)
    stage.hold_meeting(ANN, "After", timedelta(hours=3))
    await stage.pass_time(timedelta(minutes=20))

    keyring = stage.services.keyring
    cipher = await keyring.cipher(stage.context.tenant_id, "content", stage.now)
    assert [(one.place, one.of, one.purpose) for one in done] == [
        (1, 2, "content"),
        (2, 2, "grant"),
    ]
    assert await stage.titles() == ["Before", "After"]
    assert cipher._current == 2
    assert await stage.look("select action from audit_log where action = 'tenant.keys_rotated'")


async def test_one_tenants_rotation_leaves_the_others_alone(stage: Stage, tmp_path: Path) -> None:
    made = await tenants.create_tenant(stage.services, TenantWish(name="Other"))
    other = TenantContext(tenant_id=made.tenant.id, actor="test")
    keys = LocalKeys(tmp_path / "keys")

    await anext_all(rotate.rotate_keys(stage.services, other.tenant_id))

    stood = [await keys.standing(TenantKey(t, "content")) for t in _both(stage, other)]
    assert stood == [Standing(latest=1, floor=1), Standing(latest=2, floor=2)]


def _both(stage: Stage, other: TenantContext) -> list[Any]:
    return [stage.context.tenant_id, other.tenant_id]


async def anext_all(found: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in found]


async def test_a_destroyed_tenants_key_stops_no_rotation(stage: Stage) -> None:
    await stage.services.keyring.destroy(stage.context.tenant_id)

    done = await all_rotated(stage.services)

    assert [one.rewrapped for one in done] == [0, 0]


async def test_grants_sealed_by_the_api_are_sealed_anew_and_their_keys_forgotten(
    stage: Stage,
) -> None:
    await stage.onboard(Provider.GOOGLE, ANN)
    passing = "select count(*) from data_keys where passing"
    (made,) = await stage.look(passing)
    for _ in range(3):
        await stage.pass_time(timedelta(hours=2))

    assert made == 1
    assert await stage.look(passing) == [0]
    assert await stage.look("select status from connections") == ["active"]


async def test_passing_keys_that_seal_a_grant_are_kept(stage: Stage) -> None:
    await stage.connect(Provider.GOOGLE, ANN)
    before = await stage.look("select id from data_keys where passing")
    stage.world.clock.advance(timedelta(hours=5))
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await sealed_grants.forget_unused_keys(session, stage.now)

    assert len(before) == 1
    assert await stage.look("select id from data_keys where passing") == before


async def test_a_key_service_in_trouble_stops_a_rotation_which_goes_on_later(
    stage: Stage, tmp_path: Path, database_url: str
) -> None:
    engine = open_engine(database_url, pool_size=2)
    keys = LocalKeys(tmp_path / "keys")

    class Falling:
        def __getattr__(self, name: str) -> Any:
            if name == "raise_floor":
                raise KeyServiceDown("sealed")
            return getattr(keys, name)

    falling = Keyring(Falling(), DataKeys(engine))  # type: ignore[arg-type]
    with pytest.raises(KeyServiceDown):
        await all_rotated(msgspec.structs.replace(stage.services, keyring=falling))
    await all_rotated(stage.services)
    await engine.dispose()

    name = TenantKey(stage.context.tenant_id, "content")
    assert await keys.standing(name) == Standing(latest=2, floor=2)


async def test_a_restored_backup_of_a_removed_tenant_opens_nowhere_and_others_still_do(
    kept: tuple[Stage, Any], database_url: str
) -> None:
    stage, _ = kept
    other = await tenants.create_tenant(stage.front, TenantWish(name="Other"))
    gone, stays = stage.context.tenant_id, other.tenant.id
    await stage.onboard(Provider.GOOGLE, ANN)
    keyring = stage.services.keyring
    sealed = {}
    for tenant_id in (gone, stays):
        cipher = await keyring.cipher(tenant_id, "content", stage.now)
        sealer = await stage.front.keyring.sealer(tenant_id, "grant", stage.now)
        sealed[tenant_id] = cipher.seal("row", b"x"), sealer.seal("row", b"x")
    backup = copied(database_url, gone)

    await closing.shut(stage.front, gone)
    await stage.settle()
    await stage.pass_time(timedelta(seconds=5))
    await stage.settle()
    restored(database_url, backup)
    for reading in (keyring, stage.front.keyring):
        reading.expire(stage.now + timedelta(minutes=5))

    assert len(backup["connections"]) == 1
    for purpose in PURPOSES:
        with pytest.raises(KeyGone):
            await keyring.opener(gone, purpose, sealed[gone][purpose == "grant"], stage.now)
    with pytest.raises(KeyGone):
        await stage.front.keyring.cipher(gone, "content", stage.now)
    with pytest.raises(KeyGone):
        await stage.front.keyring.sealer(gone, "grant", stage.now)
    opened = []
    for purpose in PURPOSES:
        blob = sealed[stays][purpose == "grant"]
        opener = await keyring.opener(stays, purpose, blob, stage.now)
        opened.append(opener.open("row", blob))
    assert opened == [b"x"] * 2


def copied(database_url: str, tenant_id: str) -> dict[str, list[Any]]:
    """Copy a tenant's rows out of every table, as a dump holds them."""
    found = {}
    with psycopg.connect(database_url) as connection:
        become(connection, tenant_id)
        for table in metadata.sorted_tables:
            name = table.name
            query = f"select to_jsonb(t) from {name} t".encode()  # noqa: S608
            found[name] = connection.execute(query).fetchall()
    return found


def restored(database_url: str, backup: dict[str, list[Any]]) -> None:
    """Put the copied keys and grants back, whoever else is there."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in ("tenants", "data_keys", "calendar_users", "connections"):
            for (row,) in backup[name]:
                with connection.transaction():
                    become(connection, row.get("tenant_id", row["id"]), name)
                    row_of = f"jsonb_populate_record(null::{name}, %s)"
                    statement = f"insert into {name} select * from {row_of}"  # noqa: S608
                    connection.execute(statement.encode(), [Jsonb(row)])


def become(connection: Any, tenant_id: str, table: str = "") -> None:
    role = "meetbot_operator" if table == "tenants" else "meetbot_tenant"
    scope = "select set_config('role', %s, true), set_config('app.scope', %s, true)"
    connection.execute(scope, [role, tenant_id])
