"""The sandbox behind a real socket (Granian, embedded in a thread), for clients that block."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import msgspec
from litestar.types import ASGIApp

from meetbot_calendar.commands.serve import serve
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.sandbox.app import create_app
from meetbot_calendar.sandbox.world import World


class Live(msgspec.Struct, kw_only=True):
    """Where it listens, and the world behind it (read it only while no request is under way)."""

    url: str
    world: World


@contextmanager
def serving(world: World) -> Iterator[Live]:
    port = free_port()
    stopping: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stop = asyncio.Event()
        stopping.append((asyncio.get_running_loop(), stop))
        app = cast(ASGIApp, create_app(world))  # a Door is one, loosely typed
        await serve(app, "127.0.0.1", port, stop)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    wait_for(port)
    yield Live(url=f"http://127.0.0.1:{port}", world=world)
    loop, stop = stopping[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(timeout=10)


def wait_for(port: int) -> None:
    while True:
        with socket.socket() as trial:
            trial.settimeout(1)
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
