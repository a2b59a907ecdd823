import hashlib
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.storage.migrations import MigrationFailed, migrate, refuse_drift, unmake


@pytest.fixture
def empty_database(servers: ServerState) -> Iterator[str]:
    """An empty database of its own, as its owner."""
    name = f"empty_{uuid.uuid1().hex}"
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield servers.owner_url.removesuffix("meetbot") + name
        connection.execute(f"drop database {name}".encode())


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select tablename::text from pg_tables where schemaname = 'public' order by 1"
        ).fetchall()
    return [name for (name,) in rows]


def test_the_tables_are_what_the_code_says(empty_database: str) -> None:
    migrate(empty_database, "meetbot")

    refuse_drift(empty_database, "meetbot")


def test_up_down_and_up_again_leave_no_drift(empty_database: str) -> None:
    migrate(empty_database, "meetbot")
    all_of_them = tables(empty_database)

    unmake(empty_database, "meetbot")
    left = tables(empty_database)
    migrate(empty_database, "meetbot")

    assert left == ["alembic_version"]
    assert tables(empty_database) == all_of_them
    refuse_drift(empty_database, "meetbot")


def told(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as the owner, past the walls; return the last one's rows."""
    with psycopg.connect(url) as connection:
        for change in ("no force", "force"):
            for table in (
                "tenants",
                "calendar_users",
                "connections",
                "calendars",
                "watches",
                "webhook_endpoints",
                "messages",
                "deliveries",
            ):
                connection.execute(f"alter table {table} {change} row level security".encode())
            if change == "no force":
                cursor = [connection.execute(each.encode()) for each in statements][-1]
                rows = cursor.fetchall() if cursor.description else []
    return rows


TENANT = (
    "insert into tenants (id, name, region, created_at, updated_at)"
    " values ('ten_a', 'Acme', 'eu', now(), now())"
)


def test_a_delivery_of_before_learns_its_messages_place(empty_database: str) -> None:
    migrate(empty_database, "meetbot", "20261121_tenant_keys")
    told(
        empty_database,
        TENANT,
        "insert into webhook_endpoints (id, tenant_id, url, events, status, secrets, created_at,"
        " updated_at) values ('whe_a', 'ten_a', 'u', '{*}', 'enabled', '', now(), now())",
        "insert into messages (id, tenant_id, seq, type, body, created_at)"
        " values ('msg_a', 'ten_a', 7, 'bot.joined', '', now())",
        "insert into deliveries (id, tenant_id, message_id, endpoint_id, type, status, created_at,"
        " updated_at) values ('dlv_a', 'ten_a', 'msg_a', 'whe_a', 'bot.joined', 'pending', now(),"
        " now())",
    )

    migrate(empty_database, "meetbot")

    assert told(empty_database, "select seq from deliveries") == [(7,)]
    assert told(empty_database, "select names_in_clear from tenants") == [(True,)]


def test_a_watch_of_before_is_found_by_what_its_provider_calls_it(empty_database: str) -> None:
    migrate(empty_database, "meetbot", "20261121_tenant_keys")
    told(
        empty_database,
        TENANT,
        "insert into calendar_users (id, tenant_id, customer_user_id, created_at, updated_at)"
        " values ('mcu_a', 'ten_a', 'ann', now(), now())",
        "insert into connections (id, tenant_id, user_id, provider, account_id, account_key,"
        " status, scopes, client_id, grant_sealed, created_at, updated_at) values ('con_a',"
        " 'ten_a', 'mcu_a', 'outlook', 'a@b.de', 'k', 'active', '{}', 'c', '', now(), now())",
        "insert into calendars (id, tenant_id, user_id, connection_id, platform_id, name,"
        " is_primary, is_shared, selected, access_role, created_at, updated_at) values ('cal_a',"
        " 'ten_a', 'mcu_a', 'con_a', 'p', 'Calendar', true, false, true, 'owner', now(), now())",
        "insert into watches (id, tenant_id, calendar_id, token_hash, secret_hash, state,"
        " platform_watch_id, expires_at, created_at)"
        " values ('wch_a', 'ten_a', 'cal_a', '', '', 'active', 'sub-1', now(), now())",
    )

    migrate(empty_database, "meetbot")

    found = told(empty_database, "select encode(platform_hash, 'hex') from watches")
    assert found == [(hashlib.sha256(b"sub-1").hexdigest(),)]


def test_names_that_are_sealed_already_are_not_unmade(empty_database: str) -> None:
    migrate(empty_database, "meetbot")
    told(
        empty_database,
        TENANT,
        "insert into calendar_users (id, tenant_id, customer_user_id, about, created_at,"
        " updated_at) values ('mcu_a', 'ten_a', 'hash', 'sealed', now(), now())",
    )

    with pytest.raises(MigrationFailed, match="restore a backup"):
        unmake(empty_database, "meetbot")

    refuse_drift(empty_database, "meetbot")
    assert told(empty_database, "select names_in_clear from tenants") == [(False,)]


def test_a_second_migration_changes_nothing(empty_database: str) -> None:
    migrate(empty_database, "meetbot")

    migrate(empty_database, "meetbot")

    refuse_drift(empty_database, "meetbot")


def test_a_table_that_the_code_does_not_know_of_is_drift(empty_database: str) -> None:
    migrate(empty_database, "meetbot")
    with psycopg.connect(empty_database) as connection:
        connection.execute("alter table bots add column forgotten text")

    with pytest.raises(MigrationFailed, match="forgotten"):
        refuse_drift(empty_database, "meetbot")


def test_tables_of_a_newer_version_are_left_alone(empty_database: str) -> None:
    migrate(empty_database, "meetbot")
    with psycopg.connect(empty_database) as connection:
        connection.execute("update alembic_version set version_num = '20990101_future'")

    with pytest.raises(MigrationFailed, match="another version's"):
        migrate(empty_database, "meetbot")


def test_a_database_that_refuses_is_named_without_data(servers: ServerState) -> None:
    with pytest.raises(MigrationFailed, match="permission denied"):
        migrate(servers.app_url, "meetbot")
