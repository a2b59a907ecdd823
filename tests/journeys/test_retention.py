"""What a tenant keeps no longer is purged; what is still needed stays, however old it is."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import (
    accounts,
    deliver,
    erase,
    keys,
    parting,
    policy,
    retain,
    scheduling_series,
    steer,
    unscheduling,
)
from meetbot_calendar.journeys.accounts import AuditFilter, Used
from meetbot_calendar.journeys.keys import KeyWish
from meetbot_calendar.journeys.paging import PageWish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.sandbox import edits
from meetbot_calendar.storage.purges import purge_messages
from tenants.storage import retention
from tests.journeys.killing import Fuse, Killed, mortal
from tests.journeys.stage import ANN, Stage, set_stage
from tests.journeys.trouble import silence

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TABLES = ("events", "bots", "messages", "deliveries", "decisions")
NEVER = 1000


async def keep_for(stage: Stage, days: int) -> None:
    await policy.change_own(stage.services, stage.context, {"retention_days": days})
    await retain.purge(stage.services, stage.context.tenant_id)


async def purge_later(stage: Stage, by: timedelta, services: Services | None = None) -> Any:
    """Let time pass with nobody at work, and purge."""
    stage.world.clock.advance(by)
    return await retain.purge(services or stage.services, stage.context.tenant_id)


async def counts(stage: Stage) -> dict[str, int]:
    return {
        table: (await stage.look(f"select count(*) from {table}"))[0]  # noqa: S608
        for table in TABLES
    }


async def worked(stage: Stage) -> Any:
    """A tenant one of whose meetings was recorded and told; the other comes in twenty days."""
    await stage.listen()
    stage.hold_meeting(ANN, "Done", timedelta(minutes=1))
    stage.hold_meeting(ANN, "Coming", 20 * DAY)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    for _ in range(3):
        await stage.pass_time(timedelta(minutes=10))
    silence(stage)
    return user_id


async def test_what_is_older_than_its_tenant_keeps_it_goes_and_the_rest_stays(
    stage: Stage,
) -> None:
    await worked(stage)
    await keep_for(stage, 7)
    before = await counts(stage)

    young = await purge_later(stage, 6 * DAY)
    purged = await purge_later(stage, DAY + HOUR)

    assert young.counts == {}
    assert await stage.titles() == ["Coming"]
    assert [bot.content.title for bot in await stage.bots()] == ["Coming"]
    assert (await counts(stage))["messages"] == (await counts(stage))["deliveries"] == 0
    assert before["messages"] == before["deliveries"] > 3
    assert purged.counts["messages"] == before["messages"]
    assert (purged.counts["bots"], purged.counts["events"], purged.is_done) == (1, 1, True)


async def test_what_was_said_and_read_of_a_series_goes_when_that_is_long_over(
    stage: Stage,
) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence="RRULE:FREQ=DAILY;COUNT=3")
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    wish = scheduling_series.Wish(all_occurrences=True)
    await scheduling_series.schedule(stage.services, stage.context, user_id, first.id, wish)
    for _ in range(3):
        await stage.pass_time(DAY)
    silence(stage)
    await keep_for(stage, 7)
    before = await of_series(stage)

    young = await purge_later(stage, 6 * DAY)
    old = await purge_later(stage, 2 * DAY)

    assert (before, young.counts["series_overrides"]) == ([1, 1], 0)
    assert (old.counts["series_overrides"], old.counts["series"]) == (1, 1)
    assert await of_series(stage) == [0, 0]


async def test_a_no_to_a_whole_series_without_an_end_stays_however_old(stage: Stage) -> None:
    stage.hold_meeting(ANN, "Daily", HOUR, recurrence="RRULE:FREQ=DAILY;COUNT=3")
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    first, *_ = await stage.events()
    unwish = unscheduling.Unwish(all_occurrences=True)
    await unscheduling.unschedule(stage.services, stage.context, user_id, first.id, unwish)
    silence(stage)

    await keep_for(stage, 7)
    await purge_later(stage, 30 * DAY)

    assert (await of_series(stage))[1] == 1


async def of_series(stage: Stage) -> list[int]:
    return [
        (await stage.look(f"select count(*) from {table}"))[0]  # noqa: S608
        for table in ("series", "series_overrides")
    ]


async def test_a_purge_can_be_seen(stage: Stage) -> None:
    await worked(stage)
    await keep_for(stage, 7)

    purged = await purge_later(stage, 8 * DAY)

    own = await policy.read_own(stage.services, stage.context)
    log = await accounts.list_audit(
        stage.services, stage.context, AuditFilter(), PageWish(limit=100)
    )
    assert (own.last_purged_at, own.last_purge) == (stage.now, dict(purged.counts))
    assert [(e.actor, e.action, e.details) for e in log.results] == [
        ("system", "retention.purged", dict(purged.counts))
    ]


async def test_what_was_used_is_told_as_before_when_the_bots_are_gone(stage: Stage) -> None:
    user_id = await worked(stage)
    await keep_for(stage, 7)
    begin, end = stage.now - DAY, stage.now + 40 * DAY
    before = await accounts.read_usage(stage.services, stage.context, begin, end)

    purged = await purge_later(stage, 8 * DAY)
    after = await accounts.read_usage(stage.services, stage.context, begin, end)
    await erase.erase_user(stage.services, stage.context, user_id)
    erased = await accounts.read_usage(stage.services, stage.context, begin, end)

    assert purged.counts["bots"] == 1
    assert before.in_all.recorded_seconds > 0
    assert after == before
    assert erased.in_all == Used(
        recorded_seconds=before.in_all.recorded_seconds, bots={"completed": 1, "cancelled": 1}
    )
    assert erased.by_person == ()


async def test_a_shorter_retention_is_kept_to_at_the_next_look(stage: Stage) -> None:
    await worked(stage)
    stage.world.clock.advance(2 * DAY)
    await retain.purge(stage.services, stage.context.tenant_id)
    before = await stage.titles()

    await policy.change_own(stage.services, stage.context, {"retention_days": 1})
    await stage.settle()

    assert (before, await stage.titles()) == (["Done", "Coming"], ["Coming"])


async def test_without_a_retention_of_its_own_a_tenant_keeps_what_the_installation_does(
    stage: Stage,
) -> None:
    await worked(stage)
    house = msgspec.structs.replace(stage.services.house, retention=3 * DAY)
    services = msgspec.structs.replace(stage.services, house=house)

    young = await purge_later(stage, 2 * DAY, services)
    old = await purge_later(stage, 2 * DAY, services)

    assert (young.counts["events"], old.counts["events"]) == (0, 1)


async def test_it_is_looked_for_four_times_a_day(stage: Stage) -> None:
    due = [(kind, tenant) for kind, tenant, _ in await stage._due() if kind == "purge"]
    stage.world.clock.advance(timedelta(hours=6))
    later = [(kind, tenant) for kind, tenant, _ in await stage._due() if kind == "purge"]
    await stage.settle()

    assert (due, later) == ([], [("purge", stage.context.tenant_id)])
    assert [w for w in await stage._due() if w[0] == "purge"] == []


async def test_a_message_that_is_still_on_its_way_stays(stage: Stage) -> None:
    endpoint_id = await stage.listen("endpoint.disabled")
    silence(stage)
    await deliver.send_test(stage.services, stage.context, endpoint_id)
    await keep_for(stage, 1)

    kept = await purge_later(stage, 2 * DAY)
    await stage.settle()
    gone = await purge_later(stage, DAY)

    assert (kept.counts["messages"], gone.counts["messages"]) == (0, 1)


async def test_a_meeting_put_off_after_its_bot_was_stopped_still_knows_it(stage: Stage) -> None:
    held = stage.hold_meeting(ANN, "Put off", 2 * HOUR)
    await stage.onboard(Provider.GOOGLE, ANN)
    (bot,) = await stage.bots()
    await steer.cancel_bot(stage.services, stage.context, bot.id)
    await stage.pass_time(HOUR)
    edits.move(stage.world, held.id, stage.now + 20 * DAY, stage.now + 20 * DAY + HOUR)
    await stage.hear()
    await stage.settle()
    await keep_for(stage, 1)

    purged = await purge_later(stage, 5 * DAY)
    await stage.settle()

    assert purged.counts["bots"] == 0
    assert [(b.id, b.status) for b in await stage.bots()] == [(bot.id, "cancelled")]


async def test_connections_long_parted_from_and_keys_long_revoked_go(stage: Stage) -> None:
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    (connection,) = await stage.connections(user_id)
    made = await keys.create_key(stage.services, stage.context, KeyWish(name="old"))
    await keys.create_key(stage.services, stage.context, KeyWish(name="kept"))
    await keys.revoke_key(stage.services, stage.context, made.key.id)
    await parting.disconnect(stage.services, stage.context, connection.id, purge_events=True)
    await stage.settle()
    await keep_for(stage, 2)

    young = await purge_later(stage, DAY)
    old = await purge_later(stage, 2 * DAY)

    assert (young.counts["connections"], young.counts["api_keys"]) == (0, 0)
    assert (old.counts["connections"], old.counts["api_keys"]) == (1, 1)
    assert await stage.look("select name from api_keys where name in ('old', 'kept')") == ["kept"]


async def write_messages(stage: Stage, number: int) -> None:
    written = (
        "insert into messages (id, tenant_id, seq, type, body, created_at)"
        " select 'msg_' || n, :tenant, n, 'bot.missed', '', :at from generate_series(1, :number) n"
    )
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        given = {"tenant": stage.context.tenant_id, "at": stage.now, "number": number}
        await session.execute(text(written), given)


async def test_many_rows_go_in_bounded_turns(stage: Stage) -> None:
    await write_messages(stage, 10_400)
    stage.world.clock.advance(400 * DAY)

    first = await retain.purge(stage.services, stage.context.tenant_id)
    second = await retain.purge(stage.services, stage.context.tenant_id)
    third = await retain.purge(stage.services, stage.context.tenant_id)

    assert first is not None
    assert second is not None
    assert (first.counts["messages"], first.is_done) == (10_000, False)
    assert (second.counts["messages"], second.is_done, third) == (400, True, None)


async def test_a_batch_is_bounded_whatever_plan_the_database_makes(stage: Stage) -> None:
    await write_messages(stage, 20)
    stage.world.clock.advance(400 * DAY)

    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
            await session.execute(text(f"set local enable_{way} = off"))
        counts = [await purge_messages(session, stage.now, 5) for _ in range(2)]

    assert counts == [5, 5]


async def test_two_workers_purge_a_tenant_one_after_the_other(stage: Stage) -> None:
    stage.world.clock.advance(timedelta(hours=6))
    async with stage.services.database.operator() as session:
        until = stage.now + timedelta(minutes=10)
        taken = await retention.claim(session, stage.context.tenant_id, stage.now, until)

    assert taken is not None
    assert await retain.purge(stage.services, stage.context.tenant_id) is None
    assert await purge_later(stage, timedelta(minutes=10)) is not None


async def test_a_purge_that_is_killed_after_any_effect_is_finished_by_the_next(
    emptied: Callable[[], str], tmp_path: Path
) -> None:
    async def ending(at: int) -> tuple[object, Fuse]:
        async with set_stage(emptied(), tmp_path / str(at)) as stage:
            await write_messages(stage, 3)
            made = await keys.create_key(stage.services, stage.context, KeyWish(name="old"))
            await keys.revoke_key(stage.services, stage.context, made.key.id)
            fuse = Fuse(at)
            with suppress(Killed):
                await purge_later(stage, 400 * DAY, mortal(stage.services, fuse))
            await purge_later(stage, timedelta(minutes=11))
            kept = "(select count(*) from api_keys), (select count(*) from audit_log)"
            return await stage.look(f"select count(*), {kept} from messages"), fuse  # noqa: S608

    expected, whole = await ending(NEVER)

    assert expected == [(0, 1, 1)]
    assert len(whole.effects) > 7
    for number in range(1, len(whole.effects) + 1):
        found, fuse = await ending(number)
        assert found == expected, f"killed after {number}: {fuse.effects}"


@pytest.mark.parametrize(
    "statement", ["update audit_log set actor = 'nobody'", "delete from audit_log"]
)
async def test_an_entry_of_the_audit_log_can_be_neither_changed_nor_deleted(
    stage: Stage, statement: str
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        await stage.look(statement)


async def test_the_purgers_door_shows_old_entries_of_one_tenant_and_takes_no_others(
    stage: Stage,
) -> None:
    await keys.create_key(stage.services, stage.context, KeyWish(name="old"))
    stage.world.clock.advance(DAY)
    await keys.create_key(stage.services, stage.context, KeyWish(name="young"))
    database, mine = stage.services.database, stage.context.tenant_id

    async with database.purge(mine, stage.now) as session:
        old = (await session.execute(text("delete from audit_log returning at"))).all()
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.purge(mine, stage.now) as session:
            await session.execute(text("select content from audit_log"))
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.purge(mine, stage.now) as session:
            await session.execute(text("update audit_log set actor = 'x'"))

    assert {row.at for row in old} == {stage.now - DAY}
    assert await stage.look("select count(*) from audit_log") == [1]
