import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from meetbot_calendar.commands.child import Child
from meetbot_calendar.commands.supervise import Supervisor
from meetbot_calendar.embedded.trouble import CannotStart
from tests.processes import has_ended, said, script

# A child that calls home with its process id, and then does as it is told.
_CHILD = """
import os, signal, socket, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as home:
    home.sendall(f"{os.getpid()} {os.environ['SAID']}\\n".encode())
if "brief" in sys.argv:
    sys.exit("it went wrong")
signal.pause()
"""


class Home(msgspec.Struct):
    """Where children call."""

    port: int
    calls: asyncio.Queue[tuple[int, str]]

    def child(self, *manners: str, log: Path | None = None) -> Child:
        return Child(
            name="child",
            program=(sys.executable, "-c", _CHILD),
            words=(str(self.port), *manners),
            changes={"SAID": "hello"},
            log=log,
        )


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    """A server on loopback that children call."""
    calls: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if line := await reader.readline():  # empty: somebody only looked whether we listen
            pid, _, word = line.decode().strip().partition(" ")
            calls.put_nowait((int(pid), word))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield Home(port=server.sockets[0].getsockname()[1], calls=calls)


@asynccontextmanager
async def kept(*children: Child, told: list[str]) -> AsyncIterator[Supervisor]:
    supervisor, stop = Supervisor(told.append), asyncio.Event()
    try:
        assert await supervisor.start(children, stop)
        keeping = asyncio.create_task(supervisor.keep(stop))
        yield supervisor
        stop.set()
        await keeping
    finally:
        await supervisor.end(5)


async def test_a_killed_child_is_started_again(home: Home) -> None:
    told: list[str] = []
    async with asyncio.timeout(10), kept(home.child(), told=told):
        first, _ = await home.calls.get()

        os.kill(first, signal.SIGKILL)
        second, word = await home.calls.get()

        assert second != first
        assert word == "hello"
        assert told == ["child was ended by SIGKILL; it is started again"]


async def test_a_child_that_keeps_dying_is_started_less_and_less_often(home: Home) -> None:
    told: list[str] = []
    async with asyncio.timeout(20), kept(home.child("brief"), told=told):
        calls: list[float] = []
        for _ in range(4):
            await home.calls.get()
            calls.append(time.monotonic())

    pauses = [later - earlier for earlier, later in pairwise(calls)]
    assert pauses[1] > pauses[0] + 0.1
    assert pauses[2] > pauses[1] + 0.3


async def test_all_end_in_time_and_the_stubborn_are_killed(home: Home) -> None:
    supervisor, stop = Supervisor(print), asyncio.Event()
    async with asyncio.timeout(10):
        await supervisor.start([home.child(), home.child("stubborn")], stop)
        pids = [(await home.calls.get())[0] for _ in range(2)]
        begun = time.monotonic()

        await supervisor.end(0.5)

    assert time.monotonic() - begun < 2
    assert [has_ended(pid, 0) for pid in pids] == [True, True]


async def test_a_child_that_dies_while_starting_says_why(home: Home, tmp_path: Path) -> None:
    supervisor, stop = Supervisor(print), asyncio.Event()
    child = msgspec.structs.replace(
        home.child("brief", log=tmp_path / "child.log"), ready_url="http://127.0.0.1:1"
    )

    with pytest.raises(CannotStart) as caught:
        await supervisor.start([child], stop)

    assert caught.value.cause == "child did not start: it ended with code 1: it went wrong"
    await supervisor.end(1)


async def test_a_wait_for_readiness_ends_when_asked(home: Home) -> None:
    supervisor, stop = Supervisor(print), asyncio.Event()
    child = msgspec.structs.replace(home.child(), ready_url="http://127.0.0.1:1")
    starting = asyncio.create_task(supervisor.start([child], stop))
    async with asyncio.timeout(10):
        await home.calls.get()

        stop.set()

        assert await starting is False
        await supervisor.end(1)


async def test_a_port_that_is_listened_on_counts_as_ready(home: Home) -> None:
    told: list[str] = []
    child = msgspec.structs.replace(home.child(), ready_url=f"http://127.0.0.1:{home.port}")

    async with asyncio.timeout(10), kept(child, told=told):
        assert told == []


def test_children_end_when_their_parent_is_killed() -> None:
    text = """
import asyncio, sys
from meetbot_calendar.commands.child import Child
child = Child(name="x", program=(sys.executable, "-c"), changes={},
              words=("import os, signal; print(os.getpid(), flush=True); signal.pause()",))
started = child.launch()
sys.stdin.read()
"""
    with script(text) as parent:
        child = int(said(parent))

        parent.send_signal(signal.SIGKILL)

        assert has_ended(child, 5)


def test_a_child_shows_no_secret() -> None:
    child = Child(name="api", words=("api",), changes={"MEETBOT_OPERATOR_KEY": "hunter2"})

    assert "hunter2" not in repr(child)
