"""Every table, filled by two tenants' whole jobs, seen through each role's eyes with raw SQL."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import (
    admin,
    keys,
    live,
    once,
    policy,
    rotate,
    scheduling_series,
    steer,
    tenants,
)
from meetbot_calendar.journeys.keys import KeyWish
from meetbot_calendar.journeys.once import Ticket
from meetbot_calendar.journeys.scheduling_series import Wish
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.storage import errands, usage
from meetbot_calendar.storage.errands import Question
from meetbot_calendar.storage.tables import connections
from tenants.identity import TenantContext, TenantId
from tests.journeys.stage import ANN, BOB, Stage

HOUR = timedelta(hours=1)
OF_TENANT = sorted(
    table.name for table in connections.metadata.tables.values() if "tenant_id" in table.columns
)
# A sweep finds what is due by these; what a tenant says or holds is in none of them.
SWEPT = {
    "tenant_id", "id", "connection_id", "calendar_id", "user_id", "endpoint_id", "state", "status",
    "due_at", "push_due_at", "decide_due_at", "lease_until", "expires_at", "created_at",
    "retention_days", "closing_due_at", "is_urgent", "held_until", "nightly_due_at",
    "renewal_due_at", "closing_at", "purge_due_at",
}  # fmt: skip


async def fill(stage: Stage, provider: Provider, email: str) -> None:
    """Do everything once that leaves a row."""
    await stage.listen()
    now = timedelta(minutes=1)
    stage.hold_meeting(email, "Now", now)
    stage.hold_meeting(email, "Later", HOUR)
    room = "https://zoom.us/j/5551112222"
    stage.hold_meeting(email, "Daily", 2 * HOUR, recurrence="RRULE:FREQ=DAILY;COUNT=2", link=room)
    user_id = await stage.onboard(provider, email)
    daily = next(event for event in await stage.events() if event.series_id is not None)
    wish = Wish(all_occurrences=True, follow=True)
    await scheduling_series.schedule(stage.services, stage.context, user_id, daily.id, wish)
    (bot, *_) = [bot for bot in await stage.bots() if bot.status == "scheduled"]
    await steer.cancel_bot(stage.services, stage.context, bot.id)
    await keys.create_key(stage.services, stage.context, KeyWish(name="x", user_id=user_id))
    page = await keys.create_key(stage.services, stage.context, KeyWish(name="page"))
    assert await admin.enter(stage.services, page.secret, "192.0.2.1")
    await policy.save_app(stage.services, stage.context, provider, "own", "secret")
    await once.begin(stage.services, Ticket(context=stage.context, key="k", fingerprint=b"f"))
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        await usage.write_off(session, [bot.id])
    await stage.consent_link(Provider.GOOGLE if provider is Provider.OUTLOOK else Provider.OUTLOOK)
    await stage.settle()


@pytest.fixture
async def two(stage: Stage) -> tuple[Stage, TenantId]:
    """A stage whose tenant has everything, and another tenant who has the same."""
    made = await tenants.create_tenant(stage.services, TenantWish(name="Other"))
    context = TenantContext(tenant_id=made.tenant.id, actor="test")
    other = msgspec.structs.replace(stage, context=context)
    for (provider, email), each in zip(
        [(Provider.GOOGLE, ANN), (Provider.OUTLOOK, BOB)], (stage, other), strict=True
    ):
        await fill(each, provider, email)
        async with each.services.database.tenant(each.context.tenant_id) as session:
            account = live.Account("con_none", provider)  # type: ignore[arg-type]
            question = Question(kind="calendars", body=msgspec.msgpack.encode(account))
            await errands.ask(session, question, each.now)
    assert [done async for done in rotate.rotate_keys(stage.services, None)]
    return stage, made.tenant.id


async def rows(stage: Stage, statement: str) -> list[Any]:
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        return list((await session.execute(text(statement))).all())


async def test_a_tenant_sees_and_changes_its_own_rows_of_every_table_and_no_others(
    two: tuple[Stage, TenantId],
) -> None:
    stage, other = two

    for table in OF_TENANT:
        found = await rows(stage, f"select distinct tenant_id from {table}")  # noqa: S608
        assert [row.tenant_id for row in found] == [stage.context.tenant_id], table

        theirs = f"jsonb_populate_record(t, jsonb_build_object('tenant_id', '{other}'))"
        for statement in (
            f"update {table} set tenant_id = '{other}'",  # noqa: S608
            f"insert into {table} select ({theirs}).* from {table} t limit 1",  # noqa: S608
        ):
            with pytest.raises(ProgrammingError, match=r"row-level security|permission denied"):
                await rows(stage, statement)


async def test_a_sweep_may_read_ids_and_times_of_every_tenant_and_change_nothing(
    two: tuple[Stage, TenantId],
) -> None:
    stage, other = two
    rights = text(
        "select table_name, column_name, privilege_type from information_schema.column_privileges"
        " where grantee = 'meetbot_sweep' and table_name <> 'alembic_version'"
    )

    async with stage.services.database.sweep() as session:
        granted = (await session.execute(rights)).all()
        for table in sorted({row.table_name for row in granted} & set(OF_TENANT)):
            found = await session.execute(text(f"select distinct tenant_id from {table}"))  # noqa: S608
            assert {row.tenant_id for row in found} == {stage.context.tenant_id, other}, table

    assert {row.privilege_type for row in granted} == {"SELECT"}
    assert {row.column_name for row in granted} <= SWEPT


async def test_the_gate_opens_for_one_name_at_a_time(two: tuple[Stage, TenantId]) -> None:
    stage, _ = two
    names = {
        "api_keys": "encode(key_hash, 'hex')",
        "oauth_states": "encode(state_hash, 'hex')",
        "watches": "encode(token_hash, 'hex')",
        "bots": "id",
        "connections": "account_key || ' ' || client_id",
    }

    for table, written in names.items():
        (name, *_) = await stage.look(f"select {written} from {table}")  # noqa: S608
        async with stage.services.database.gate(name) as gate:
            found = (await gate.execute(text(f"select tenant_id from {table}"))).all()  # noqa: S608
        assert [row.tenant_id for row in found] == [stage.context.tenant_id], table
