import os
import socket
import subprocess
import sys
from pathlib import Path

from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.settings import child_environment


def run(*words: str, cwd: Path, **settings: str) -> tuple[int, str]:
    """Type a command; return its exit code and all that it said."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", "meetbot_calendar", *words],
        cwd=cwd,
        env=child_environment(settings),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


def test_without_a_command_it_lists_them(tmp_path: Path) -> None:
    code, said = run(cwd=tmp_path)

    assert code == 0
    assert all(f"\n  {name} " in said for name in ("up", "api", "worker", "migrate", "doctor"))


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    code, said = run("dance", cwd=tmp_path)

    assert code == 2
    assert "invalid choice: 'dance'" in said


def test_wrong_settings_are_told_with_their_remedies(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEETBOT_PORT=many\n")

    code, said = run("up", cwd=tmp_path, MEETBOT_REDIS_URL="nowhere")

    assert code == 2
    assert said.splitlines() == [
        "meetbot-calendar: The settings cannot be used.",
        "MEETBOT_REDIS_URL: it is not the address of a Redis server",
        "    what to do: give one that begins with redis://",
        "MEETBOT_PORT: 'many' does not fit",
        "    what to do: give a whole number from 1 to 65535",
    ]


def test_a_port_in_use_names_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        holder = Path("/proc/self/comm").read_text().strip()

        code, said = run("up", cwd=tmp_path, MEETBOT_PORT=str(port))

    assert code == 2
    assert said.splitlines() == [
        f"meetbot-calendar: port {port} on 127.0.0.1 is taken by {holder} (process {os.getpid()})",
        "    what to do: set MEETBOT_PORT to a free port, or end that program",
    ]


def test_a_data_directory_in_use_is_refused(tmp_path: Path) -> None:
    servers = EmbeddedServers(tmp_path / "data", durable=False)
    servers.start()

    try:
        code, said = run(
            "up", cwd=tmp_path, MEETBOT_DATA_DIR="data", MEETBOT_OPERATOR_KEY="mbo_for_tests"
        )
    finally:
        servers.stop()

    assert code == 2
    place = f"the data directory {tmp_path / 'data'}"
    assert said.splitlines() == [
        f"meetbot-calendar: {place} is in use by process {os.getpid()}",
        "    what to do: end that process, or set MEETBOT_DATA_DIR to another directory",
    ]


def test_a_data_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    code, said = run("up", cwd=tmp_path, MEETBOT_DATA_DIR="/proc/none")

    assert code == 2
    assert said.splitlines()[0] == "meetbot-calendar: /proc/none: no such file or directory"


def test_migrations_run_twice(tmp_path: Path) -> None:
    runs = [run("migrate", cwd=tmp_path) for _ in range(2)]

    assert runs == [(0, "the database is up to date\n")] * 2


def test_the_doctor_finds_what_is_broken(tmp_path: Path) -> None:
    code, said = run(
        "doctor",
        cwd=tmp_path,
        MEETBOT_DATABASE_URL="postgresql://me:hunter2@127.0.0.1:1/x",
        MEETBOT_PRT="1",
        COLUMNS="200",
        **no_far_ends(),
    )

    assert code == 1
    assert "hunter2" not in said
    assert "start it, or correct its address" in said
    assert "no such setting: MEETBOT_PRT" in said


def test_the_doctor_is_content_with_a_fresh_checkout(tmp_path: Path) -> None:
    code, said = run("doctor", cwd=tmp_path, COLUMNS="200", **no_far_ends())

    assert code == 0, said
    assert "our own PostgreSQL 18, not running" in said


def no_far_ends() -> dict[str, str]:
    """Point at loopback what would else be asked over the network."""
    nowhere = "http://127.0.0.1:1"
    names = ("GOOGLE_TOKEN_URL", "GOOGLE_API_URL", "MICROSOFT_AUTHORITY", "GRAPH_URL")
    return {f"MEETBOT_{name}": nowhere for name in names}
