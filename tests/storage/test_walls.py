"""The wall between tenants, asked of PostgreSQL itself and tried with raw SQL."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from meetbot_calendar.storage.tables import metadata
from tenants.storage.session import Database, open_engine, scoped
from tests.storage.rooms import ACME, OTHER, two_tenants

OF_TENANT = sorted(t.name for t in metadata.tables.values() if "tenant_id" in t.columns)
WALLED = [*OF_TENANT, "tenants"]
MARKED = "select count(*) from {table}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with two_tenants(database_url) as found:
        yield found


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    found = open_engine(database_url, pool_size=2)
    yield found
    await found.dispose()


async def add_people(database: Database) -> None:
    for tenant_id in (ACME, OTHER):
        async with database.tenant(tenant_id) as session:
            await session.execute(
                text(
                    "insert into calendar_users"
                    " (id, tenant_id, customer_user_id, created_at, updated_at)"
                    " values (:id, :tenant, 'ann', now(), now())"
                ),
                {"id": f"mcu_{tenant_id}", "tenant": tenant_id},
            )


async def test_every_table_of_a_tenant_has_forced_row_level_security_and_the_wall(
    engine: AsyncEngine,
) -> None:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "select relname from pg_class where relkind = 'r'"
                " and relrowsecurity and relforcerowsecurity"
            )
        )
        forced = {row.relname for row in rows}
        policies = await connection.execute(
            text("select tablename from pg_policies where policyname = 'wall'")
        )
        walls = {row.tablename for row in policies}

    assert forced >= set(WALLED)
    assert walls == set(WALLED)


async def test_raw_sql_without_a_filter_shows_a_tenants_own_rows_alone(
    database: Database,
) -> None:
    await add_people(database)

    async with database.tenant(ACME) as session:
        people = await session.execute(text("select tenant_id from calendar_users"))
        tenants = await session.execute(text("select id from tenants"))

        assert [row.tenant_id for row in people] == [ACME]
        assert [row.id for row in tenants] == [ACME]


async def test_a_row_for_another_tenant_is_refused(database: Database) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.tenant(ACME) as session:
            await session.execute(
                text(
                    "insert into calendar_users"
                    " (id, tenant_id, customer_user_id, created_at, updated_at)"
                    " values ('mcu_x', :tenant, 'eve', now(), now())"
                ),
                {"tenant": OTHER},
            )


async def test_an_update_without_a_filter_changes_a_tenants_own_rows_alone(
    database: Database,
) -> None:
    await add_people(database)

    async with database.tenant(ACME) as session:
        changed = await session.execute(text("update calendar_users set auto_schedule = true"))

    assert changed.rowcount == 1


@pytest.mark.parametrize("table", WALLED)
async def test_a_scope_that_is_empty_shows_nothing(engine: AsyncEngine, table: str) -> None:
    async with scoped(engine, "meetbot_tenant", "") as connection:
        found = await connection.execute(text(MARKED.format(table=table)))

        assert found.scalar_one() == 0


@pytest.mark.parametrize("table", WALLED)
async def test_the_login_itself_may_do_nothing(engine: AsyncEngine, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with engine.connect() as connection:
            await connection.execute(text(MARKED.format(table=table)))


async def test_the_scope_ends_with_its_transaction(database: Database, engine: AsyncEngine) -> None:
    await add_people(database)
    async with scoped(engine, "meetbot_tenant", ACME) as connection:
        await connection.execute(text("select 1"))

    async with scoped(engine, "meetbot_tenant", "") as connection:
        found = await connection.execute(text("select id from calendar_users"))

        assert found.all() == []


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("calendars", "name"),
        ("events", "content"),
        ("bots", "content"),
        ("deliveries", "type"),
        ("connections", "grant_sealed"),
        ("tenants", "name"),
        ("calendar_users", "id"),
        ("messages", "body"),
    ],
)
async def test_a_sweep_sees_ids_and_due_times_and_nothing_else(
    database: Database, table: str, column: str
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.sweep() as session:
            await session.execute(text(f"select {column} from {table}"))  # noqa: S608 - our names


async def test_a_sweep_changes_nothing(database: Database) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.sweep() as session:
            await session.execute(text("update calendars set due_at = null"))


async def test_the_gate_shows_no_row_that_was_not_named(database: Database) -> None:
    async with database.gate(b"no such hash") as session:
        found = await session.execute(text("select id from api_keys"))

        assert found.all() == []
