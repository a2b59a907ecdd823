"""A tenant is closed: shut at once, parted from all that is outside, destroyed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import Conflict, Missing
from meetbot_calendar.journeys import closing, connect, keys, notices, tenants
from meetbot_calendar.journeys.keys import KeyWish
from meetbot_calendar.journeys.tenants import TenantChange, TenantWish
from meetbot_calendar.worker.tasks import JOURNEYS
from tenants.identity import TenantContext, TenantId
from tenants.secrets.keyring import Keyring
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine
from tests.gateways.far_ends import allowed
from tests.journeys.killing import Fuse, Killed, mortal
from tests.journeys.stage import ANN, BOB, Stage, set_stage
from tests.journeys.test_watching import watches
from tests.web.test_outages import SealedCiphers, SealedVault

SOON = timedelta(seconds=5)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NEVER = 1000


async def living(stage: Stage) -> None:
    """Put a tenant in the midst of its work: a bot out, another planned, a watch, a grant."""
    await stage.listen()
    stage.fleet.config.join_delay_seconds = 3600.0
    stage.hold_meeting(ANN, "Now", timedelta(minutes=1))
    stage.hold_meeting(ANN, "Later", 5 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)


async def is_gone(stage: Stage) -> bool:
    with suppress(Missing):
        await tenants.read_tenant(stage.services, stage.context.tenant_id)
        return False
    return True


def key_files(folder: Path, tenant_id: TenantId) -> list[Path]:
    return [path for path in folder.rglob("*") if tenant_id in path.name]


def outside(stage: Stage) -> tuple[list[str], bool, int]:
    """Say what is out there: bots, whether a grant stands, how many watches."""
    granted = stage.world.grants.grant_of("google-1", f"google:{ANN}") is not None
    return [bot.status for bot in stage.fleet.bots.values()], granted, len(watches(stage))


async def test_a_closed_tenant_leaves_no_bot_no_grant_no_watch_no_key_and_no_row(
    stage: Stage, tmp_path: Path
) -> None:
    await living(stage)
    before = outside(stage)

    await closing.shut(stage.services, stage.context.tenant_id)
    await stage.settle()
    await stage.pass_time(SOON)

    assert before == (["accepted"], True, 1)
    assert outside(stage) == (["recalled"], False, 0)
    assert await is_gone(stage)
    assert key_files(tmp_path, stage.context.tenant_id) == []


async def test_from_the_first_moment_no_key_no_consent_and_no_notice_opens_the_door(
    stage: Stage,
) -> None:
    await living(stage)
    made = await keys.create_key(stage.services, stage.context, KeyWish(name="x"))
    link = await stage.consent_link(Provider.OUTLOOK)
    answer = await allowed(stage.transport, link, email=BOB)
    address = watches(stage)[0].address.rpartition("/")[2]

    await closing.shut(stage.services, stage.context.tenant_id)

    assert await keys.recognise(stage.services, made.secret) is None
    with pytest.raises(Missing):
        await connect.finish(stage.services, Provider.OUTLOOK, answer)
    with pytest.raises(Missing):
        await notices.take(stage.services, Provider.GOOGLE, address, headers={}, query={}, body=b"")
    with pytest.raises(Conflict):
        await tenants.change_tenant(
            stage.services, stage.context.tenant_id, TenantChange(name="Saved")
        )


async def test_while_the_fleet_and_a_provider_are_away_it_can_be_seen_what_is_left(
    stage: Stage,
) -> None:
    await living(stage)
    stage.world.faults.add("fleet.bots", "503", times=2)
    stage.world.faults.add("google.revoke", "503_json", times=1)

    await closing.shut(stage.services, stage.context.tenant_id)
    await stage.settle()
    left = await closing.left_outside(stage.services, stage.context.tenant_id)
    for _ in range(7):
        await stage.pass_time(timedelta(minutes=1))

    assert (left.bots, left.connections) == (1, 1)
    assert outside(stage) == (["recalled"], False, 0)
    assert await is_gone(stage)


async def test_a_provider_that_stays_away_keeps_a_tenant_for_a_day_at_most(stage: Stage) -> None:
    await living(stage)
    stage.world.faults.add("google.revoke", "503_json", times=-1)

    await closing.shut(stage.services, stage.context.tenant_id)
    await stage.settle()
    await stage.pass_time(DAY - HOUR)
    before = await is_gone(stage)
    await stage.pass_time(HOUR)

    assert (before, await is_gone(stage)) == (False, True)


async def test_without_the_key_service_nothing_is_removed_until_it_is_back(
    stage: Stage, database_url: str
) -> None:
    await living(stage)
    engine = open_engine(database_url, pool_size=2)
    sealed = msgspec.structs.replace(
        stage.services,
        keyring=Keyring(SealedVault(), DataKeys(engine)),
        database=Database(engine, SealedCiphers()),  # type: ignore[arg-type]
    )
    await closing.shut(stage.services, stage.context.tenant_id)

    step = await closing.close(sealed, stage.context.tenant_id)
    stage.world.clock.advance(2 * DAY)
    later = await closing.close(sealed, stage.context.tenant_id)
    await engine.dispose()
    before = await is_gone(stage)
    await stage.pass_time(timedelta(minutes=1))

    assert (step, later, before) == ("waiting", "waiting", False)
    assert await is_gone(stage)


async def test_another_tenant_notices_nothing(stage: Stage) -> None:
    made = await tenants.create_tenant(stage.services, TenantWish(name="Other"))
    context = TenantContext(tenant_id=made.tenant.id, actor="test")
    other = msgspec.structs.replace(stage, context=context)
    await living(other)
    await stage.onboard(Provider.OUTLOOK, BOB)

    await closing.shut(stage.services, stage.context.tenant_id)
    await stage.settle()
    await stage.pass_time(SOON)

    assert (await is_gone(stage), await is_gone(other)) == (True, False)
    assert outside(other)[:2] == (["accepted"], True)
    assert {bot.status for bot in await other.bots()} == {"dispatched", "scheduled"}


async def test_a_closing_that_is_killed_after_any_effect_ends_as_an_undisturbed_one(
    emptied: Callable[[], str], tmp_path: Path
) -> None:
    async def ending(at: int) -> tuple[object, Fuse]:
        async with set_stage(emptied(), tmp_path / str(at)) as stage:
            await living(stage)
            fuse = Fuse(at)
            await closing.shut(stage.services, stage.context.tenant_id)
            with suppress(Killed):
                await work(msgspec.structs.replace(stage, services=mortal(stage.services, fuse)))
            for _ in range(2):
                await stage.pass_time(timedelta(minutes=6))
            return (outside(stage), await is_gone(stage)), fuse

    expected, whole = await ending(NEVER)

    assert expected == ((["recalled"], False, 0), True)
    assert whole.effects[-2:] == ["destroy", "operator's commit"]
    for number in range(1, len(whole.effects) + 1):
        found, fuse = await ending(number)
        assert found == expected, f"killed after {number}: {fuse.effects}"


async def work(stage: Stage) -> None:
    """Do what a worker does from the first look to the end."""
    for _ in range(3):
        for kind, tenant_id, row_id in await stage._due():
            await JOURNEYS[kind](stage.services, TenantId(tenant_id), row_id)
        await stage.depart()
        stage.world.clock.advance(SOON)
