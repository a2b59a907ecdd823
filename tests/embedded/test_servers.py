import json
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.embedded.trouble import CannotStart
from tests.processes import command_line, has_ended, pids_under


@contextmanager
def running(data_dir: Path, *, durable: bool = False) -> Iterator[ServerState]:
    servers = EmbeddedServers(data_dir, durable=durable)
    state = servers.start()
    try:
        yield state
    finally:
        servers.stop()


def in_postgres(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


def in_valkey(url: str, *words: str) -> object:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.execute_command(*words)


def server_pids(data_dir: Path) -> dict[str, int]:
    """Find our two servers among this process's children."""
    known = {"postgres": data_dir / "postgres/data", "valkey": data_dir / "valkey/data"}
    return {
        name: pid
        for pid in pids_under(os.getpid())
        for name, folder in known.items()
        if Path(f"/proc/{pid}/cwd").readlink() == folder
    }


def test_data_and_addresses_outlast_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, durable=True) as first:
        in_postgres(first.owner_url, "create table kept as select 41 + 1 as answer")
        in_valkey(first.redis_url, "set", "kept", "42")

    with running(tmp_path, durable=True) as second:
        assert second == first
        assert in_postgres(second.owner_url, "select answer from kept") == (42,)
        assert in_valkey(second.redis_url, "get", "kept") == "42"


def test_a_path_may_be_long_and_hold_spaces(tmp_path: Path) -> None:
    data_dir = tmp_path / "with spaces and 'quotes'" / ("long" * 40) / ".meetbot"

    with running(data_dir) as state:
        assert in_postgres(state.app_url, "select 1") == (1,)
        assert in_valkey(state.redis_url, "ping") is True


def test_the_applications_login_owns_nothing_and_may_nothing(servers: ServerState) -> None:
    row = in_postgres(
        servers.app_url,
        "select current_user::text, rolsuper, rolinherit, rolcreaterole, rolcreatedb,"
        " rolbypassrls, (select count(*) from pg_class where relowner = r.oid),"
        " has_schema_privilege('public', 'create')"
        " from pg_roles r where rolname = current_user",
    )

    assert row == ("meetbot", False, False, False, False, False, 0, False)


def test_the_owner_is_no_superuser(servers: ServerState) -> None:
    row = in_postgres(
        servers.owner_url,
        "select current_user::text, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls,"
        " (select pg_get_userbyid(datdba)::text from pg_database where datname = 'meetbot')"
        " from pg_roles where rolname = current_user",
    )

    assert row == ("meetbot_owner", False, True, True, False, "meetbot_owner")


@pytest.mark.parametrize("login", ["postgres", "meetbot", "meetbot_owner"])
def test_nobody_logs_in_without_the_password(login: str, servers: ServerState) -> None:
    address = f"postgresql://{login}:guess@127.0.0.1:{servers.postgres_port}/meetbot"

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


def test_valkey_asks_for_its_password(servers: ServerState) -> None:
    with pytest.raises(redis.AuthenticationError):
        in_valkey(f"redis://127.0.0.1:{servers.valkey_port}/0", "ping")


def test_no_password_can_be_seen_from_outside(tmp_path: Path) -> None:
    with running(tmp_path) as state:
        seen = [command_line(pid) for pid in server_pids(tmp_path).values()]
        kept = (tmp_path / "servers.json").stat().st_mode

    passwords = (state.owner_password, state.app_password, state.valkey_password)
    assert len(seen) == 2
    assert not [word for word in passwords for line in [*seen, repr(state)] if word in line]
    assert stat.S_IMODE(kept) == 0o600


def test_both_listen_on_loopback_alone(tmp_path: Path) -> None:
    with running(tmp_path) as state:
        lines = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()

    ports = {f"{port:04X}" for port in (state.postgres_port, state.valkey_port)}
    listening = [line.split()[1] for line in lines.splitlines() if line.split()[3] == "0A"]
    ours = {address for address in listening if address.rpartition(":")[2] in ports}
    assert ours == {f"0100007F:{port}" for port in ports}


def test_a_second_start_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with running(tmp_path), pytest.raises(CannotStart) as caught:
        EmbeddedServers(tmp_path).start()

    assert caught.value.cause == (
        f"the data directory {tmp_path} is in use by process {os.getpid()}"
    )


def test_a_killed_server_is_started_again_where_it_was(tmp_path: Path) -> None:
    servers = EmbeddedServers(tmp_path)
    state = servers.start()
    in_postgres(state.owner_url, "create table kept as select 1")
    killed = server_pids(tmp_path)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
        assert has_ended(pid, 5)

    again = servers.restart_the_dead()

    try:
        assert sorted(again) == ["PostgreSQL", "Valkey"]
        assert in_postgres(state.owner_url, "select count(*) from kept") == (1,)
        assert in_valkey(state.redis_url, "ping") is True
        assert not set(server_pids(tmp_path).values()) & set(killed.values())
    finally:
        servers.stop()


def test_a_pid_file_that_names_somebody_else_does_no_harm(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n/x\n1\n5432\n")

    with running(tmp_path) as state:
        assert in_postgres(state.app_url, "select 1") == (1,)


def test_lost_passwords_are_made_anew(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        in_postgres(first.owner_url, "create table kept as select 1")
    (tmp_path / "servers.json").unlink()

    with running(tmp_path) as second:
        assert second.owner_password != first.owner_password
        assert in_postgres(second.owner_url, "select count(*) from kept") == (1,)


def test_a_half_made_database_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres/data.new/base").mkdir(parents=True)

    with running(tmp_path) as state:
        assert in_postgres(state.app_url, "select 1") == (1,)


def test_data_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    data = tmp_path / "postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("14\n")

    with pytest.raises(CannotStart, match=r"was made by PostgreSQL 14, and ours is 18"):
        EmbeddedServers(tmp_path).start()

    assert (data / "PG_VERSION").read_text() == "14\n"


def test_a_disk_that_is_nearly_full_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CannotStart, match=r"^only \d+ MiB are free where .*; free 1099511627776 MiB"
    ):
        EmbeddedServers(tmp_path, minimum_free=1 << 60).start()


def test_a_directory_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(CannotStart) as caught:
        EmbeddedServers(Path("/proc/no such place")).start()

    assert caught.value.cause == "/proc/no such place: no such file or directory"


def test_a_directory_is_free_again_after_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(CannotStart):
        EmbeddedServers(tmp_path, minimum_free=1 << 60).start()

    with running(tmp_path) as state:
        assert json.loads((tmp_path / "servers.json").read_text())["app_password"] in state.app_url


def test_only_the_server_that_is_wanted_is_started(tmp_path: Path) -> None:
    servers = EmbeddedServers(tmp_path, postgres=False)
    state = servers.start()

    try:
        assert list(server_pids(tmp_path)) == ["valkey"]
        assert in_valkey(state.redis_url, "ping") is True
    finally:
        servers.stop()


def test_a_taken_port_is_left_to_its_holder(tmp_path: Path) -> None:
    with running(tmp_path / "one") as one:
        (tmp_path / "two").mkdir()
        (tmp_path / "two/servers.json").write_bytes((tmp_path / "one/servers.json").read_bytes())

        with running(tmp_path / "two") as two:
            assert two.postgres_port != one.postgres_port
            assert in_postgres(two.app_url, "select 1") == (1,)
