"""The demo in real processes: both providers to a verified completion, whatever is killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.settings import child_environment
from tests.processes import command_line, has_ended, pids_under, said

PARTS = ("meetbot_calendar api", "meetbot_calendar worker", "valkey-server", "postgres")


@contextmanager
def demo(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the demo, twelve times as fast as the clock, until it has told its story."""
    port = free_port()
    settings = {
        "MEETBOT_DATA_DIR": str(data_dir),
        "MEETBOT_PORT": str(port),
        "MEETBOT_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "meetbot_calendar", "up", "--demo", "--speed", "12"],
        cwd=data_dir.parent,
        env=child_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        while line := said(process):
            if line.startswith("Try:"):
                break
        yield process
    finally:
        process.kill()
        process.communicate()


def told(data_dir: Path, kind: str, times: int) -> list[dict[str, Any]]:
    """Wait until the customer was told so often of this kind; returns what it was told."""
    sandbox = f"http://127.0.0.1:{json.loads((data_dir / 'demo.json').read_text())['port']}"
    found: list[dict[str, Any]] = []
    while len(found) < times:
        after = found[-1]["number"] if found else 0
        url = f"{sandbox}/customer/received?type={kind}&after={after}&wait=60"
        with urlopen(url, timeout=90) as answer:  # noqa: S310 - our own sandbox
            fresh = json.load(answer)["messages"]
        assert fresh, f"nobody was told of {kind} within a minute"
        found += fresh
    return found


@pytest.mark.timeout(180)
def test_both_providers_reach_a_verified_completion_though_every_part_is_killed(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "my data"

    with demo(data_dir) as process:
        told(data_dir, "bot.scheduled", 4)
        for part in PARTS:
            (pid,) = [p for p in pids_under(process.pid) if part in command_line(p)][:1]
            os.kill(pid, signal.SIGKILL)
            assert has_ended(pid, 5)
        completed = told(data_dir, "bot.completed", 3)
        process.send_signal(signal.SIGINT)
        ended = has_ended(process.pid, 5)

    assert ended
    titles = {message["body"]["data"]["event"]["title"] for message in completed}
    assert titles >= {"Customer kick-off", "Renewal call", "Pipeline review"}
    assert all(message["verified"] for message in completed)


@pytest.mark.timeout(180)
def test_a_killed_demo_goes_on_where_it_stopped(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with demo(data_dir) as process:
        told(data_dir, "bot.scheduled", 4)
        process.kill()

    with demo(data_dir):
        completed = told(data_dir, "bot.completed", 2)
        orders = told_by_fleet(data_dir)

    assert all(message["verified"] for message in completed)
    assert len(orders) == len({order["body"]["bot_id"] for order in orders})


def told_by_fleet(data_dir: Path) -> list[dict[str, Any]]:
    sandbox = f"http://127.0.0.1:{json.loads((data_dir / 'demo.json').read_text())['port']}"
    with urlopen(f"{sandbox}/sandbox/fleet/bots", timeout=10) as answer:  # noqa: S310 - our own
        found: list[dict[str, Any]] = json.load(answer)["bots"]
    return found
