"""Everything on one machine, for real: start, kill, end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meetbot_calendar.commands.child import answers_ok
from meetbot_calendar.embedded.ports import free_port, is_free
from meetbot_calendar.settings import child_environment
from tests.processes import command_line, has_ended, pids_under, said


@pytest.fixture
def port() -> int:
    """A port for the API."""
    return free_port()


@contextmanager
def up(data_dir: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run ``up`` until it says that it is ready; it is killed at the end."""
    settings = {"MEETBOT_DATA_DIR": str(data_dir), "MEETBOT_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "meetbot_calendar", "up"],
        cwd=data_dir.parent,
        env=child_environment({**settings, "MEETBOT_LOG_LEVEL": "error"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        listen_for(process, "ready: ")
        yield process
    finally:
        process.kill()
        process.communicate()


def listen_for(process: subprocess.Popen[str], beginning: str) -> str:
    """Read what it says until a line begins so."""
    heard: list[str] = []
    while line := said(process):
        heard.append(line)
        if line.startswith(beginning):
            return line
    raise AssertionError("".join(heard))


def parts(process: subprocess.Popen[str], words: str) -> list[int]:
    """Find the children whose command line holds these words."""
    return [pid for pid in pids_under(process.pid) if words in command_line(pid)]


def wait_until_back(process: subprocess.Popen[str], words: str, port: int) -> None:
    deadline = time.monotonic() + 30
    while not (parts(process, words) and answers_ok(f"http://127.0.0.1:{port}/health/ready")):
        assert time.monotonic() < deadline


def end(process: subprocess.Popen[str], wish: signal.Signals) -> None:
    """Ask it to end, and see that it does in time, with all that it started."""
    children = pids_under(process.pid)
    begun = time.monotonic()

    process.send_signal(wish)

    assert process.wait(10) == 0
    assert time.monotonic() - begun < 5
    assert len(children) == 4
    assert [has_ended(pid, 0) for pid in children] == [True] * 4


def test_whatever_is_killed_comes_back_until_it_is_asked_to_end(tmp_path: Path, port: int) -> None:
    victims = {
        "meetbot_calendar api": "api",
        "meetbot_calendar worker": "worker",
        "bin/postgres": "PostgreSQL",
        "valkey-server": "Valkey",
    }
    with up(tmp_path / "data", port) as process:
        for words, name in victims.items():
            (victim,) = parts(process, words)
            os.kill(victim, signal.SIGKILL)
            told = listen_for(process, name)

            assert told == f"{name} was ended by SIGKILL; it is started again\n"
            wait_until_back(process, words, port)
        end(process, signal.SIGTERM)


def test_after_it_is_killed_nothing_is_left_and_it_starts_again(tmp_path: Path, port: int) -> None:
    with up(tmp_path / "data", port) as process:
        children = pids_under(process.pid)
        process.send_signal(signal.SIGKILL)
        assert [has_ended(pid, 5) for pid in children] == [True] * 4

    with up(tmp_path / "data", port) as process:
        assert answers_ok(f"http://127.0.0.1:{port}/health/ready")
        assert not is_free("127.0.0.1", port)
        end(process, signal.SIGINT)
