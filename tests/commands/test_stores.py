import asyncio
import stat
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg import sql

from meetbot_calendar.commands.database import check_database, check_owner, login_of
from meetbot_calendar.commands.operator_key import with_operator_key
from meetbot_calendar.commands.redis_store import check_redis
from meetbot_calendar.commands.stores import open_stores
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.settings import Secret, Settings


@asynccontextmanager
async def postgres_that_says(version: str) -> AsyncIterator[str]:
    """Play the first minute of a PostgreSQL server, as the protocol's documentation has it."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!i", len(body) + 4) + body

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (size := struct.unpack("!i", await reader.readexactly(4))[0]) == 8:
            await reader.readexactly(4)  # asks for TLS or GSSAPI
            writer.write(b"N")
        await reader.readexactly(size - 4)
        facts = {"server_version": version, "server_encoding": "UTF8", "client_encoding": "UTF8"}
        writer.write(message(b"R", struct.pack("!i", 0)))
        for name, value in facts.items():
            writer.write(message(b"S", f"{name}\0{value}\0".encode()))
        writer.write(message(b"Z", b"I"))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"postgresql://me:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


def refusal(url: str) -> tuple[str, str]:
    with pytest.raises(CannotStart) as caught:
        check_database(url)
    assert "hunter2" not in str(caught.value)
    return caught.value.cause, caught.value.remedy


def test_our_own_database_passes(servers: ServerState) -> None:
    assert check_database(servers.app_url).startswith("PostgreSQL 18")


async def test_a_database_that_is_too_old_is_refused() -> None:
    async with postgres_that_says("14.19") as url:
        answer = await asyncio.to_thread(refusal, url)

    assert answer == (
        "MEETBOT_DATABASE_URL is a PostgreSQL 14, which is too old",
        "give a PostgreSQL 15 or newer",
    )


async def test_the_oldest_database_that_will_do_passes() -> None:
    async with postgres_that_says("15.0") as url:
        assert await asyncio.to_thread(check_database, url) == "PostgreSQL 15.0"


def test_a_database_that_does_not_answer_is_refused() -> None:
    cause, remedy = refusal(f"postgresql://me:hunter2@127.0.0.1:{free_port()}/x")

    assert cause.startswith("the database in MEETBOT_DATABASE_URL does not answer: ")
    assert remedy == "start it, or correct its address"


def test_a_wrong_password_is_refused(servers: ServerState) -> None:
    url = f"postgresql://meetbot:hunter2@127.0.0.1:{servers.postgres_port}/meetbot"

    assert refusal(url)[1] == "correct the user or the password"


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    assert refusal("postgresql://me:hunter2@db/x?no_such_option=1") == (
        "the address in MEETBOT_DATABASE_URL cannot be read",
        "give postgresql://user:password@host:5432/database",
    )


def test_a_database_of_another_encoding_is_refused(servers: ServerState) -> None:
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute(
            "create database plain encoding 'SQL_ASCII' locale 'C' template template0"
        )

    cause, remedy = refusal(servers.owner_url.removesuffix("meetbot") + "plain")

    assert cause == "the database in MEETBOT_DATABASE_URL stores text as SQL_ASCII"
    assert remedy == "make it with encoding UTF8"


def test_an_owner_may_migrate(servers: ServerState) -> None:
    check_owner(servers.owner_url, "MEETBOT_DATABASE_URL")


def test_a_login_that_may_make_no_tables_is_told_how_to(servers: ServerState) -> None:
    with pytest.raises(CannotStart) as caught:
        check_owner(servers.app_url, "MEETBOT_DATABASE_URL")

    assert caught.value.cause == "meetbot may not make tables in the database meetbot"
    assert caught.value.remedy == "run: alter database meetbot owner to meetbot"


def test_a_login_that_may_make_no_roles_is_told_how_to(servers: ServerState) -> None:
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        password = sql.Literal(servers.app_password)
        connection.execute(sql.SQL("create role humble login password {}").format(password))
        connection.execute("grant humble to meetbot_owner with set true")
        connection.execute("create database humble_home owner humble")
    url = servers.app_url.removesuffix("meetbot").replace("//meetbot:", "//humble:") + "humble_home"

    with pytest.raises(CannotStart) as caught:
        check_owner(url, "MEETBOT_DATABASE_URL")

    assert caught.value.remedy == "run as a superuser: alter role humble createrole"


def test_the_login_of_an_address_is_found() -> None:
    assert login_of("postgresql://some%40one:pw@db/x") == "some@one"


def test_our_own_redis_passes(servers: ServerState) -> None:
    assert check_redis(servers.redis_url) == "Valkey 9.1.2"


def test_a_redis_that_does_not_answer_is_refused() -> None:
    port = free_port()

    with pytest.raises(CannotStart) as caught:
        check_redis(f"redis://:hunter2@127.0.0.1:{port}/0")

    assert f"does not answer at 127.0.0.1:{port}" in caught.value.cause
    assert "hunter2" not in str(caught.value)


def test_a_wrong_redis_password_is_refused(servers: ServerState) -> None:
    with pytest.raises(CannotStart) as caught:
        check_redis(f"redis://:hunter2@127.0.0.1:{servers.valkey_port}/0")

    assert caught.value.remedy == "correct the password"


def test_stores_that_are_set_are_taken_as_they_are(tmp_path: Path) -> None:
    url, ring = Secret("postgresql://me@db/x"), Secret("redis://cache")
    settings = Settings(data_dir=tmp_path / "none", database_url=url, redis_url=ring)

    with open_stores(settings) as stores:
        assert stores == msgspec.structs.replace(settings, owner_database_url=url)

    assert not (tmp_path / "none").exists()


def test_a_second_command_joins_the_servers_of_the_first(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)

    with open_stores(settings) as first, open_stores(settings) as second:
        assert second == first
        assert first.database_url is not None
        assert check_database(first.database_url.reveal()).startswith("PostgreSQL 18")


def test_the_operators_key_is_made_once_and_shown_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path / "new")

    first = with_operator_key(settings)
    shown = capsys.readouterr().out
    second = with_operator_key(settings)

    assert first.operator_key is not None
    assert first.operator_key.reveal() in shown
    assert first == second
    assert capsys.readouterr().out == ""
    assert stat.S_IMODE((tmp_path / "new/operator.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["operator.key"]


def test_an_operators_key_that_is_set_is_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, operator_key=Secret("mine"))

    assert with_operator_key(settings) == settings
    assert list(tmp_path.iterdir()) == []
