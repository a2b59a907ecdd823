"""Serves an ASGI application until asked to end."""

import asyncio

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar.types import ASGIApp

GRACE = 2.0


async def serve(app: ASGIApp, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set; requests under way then get ``GRACE`` seconds to finish.

    Check first that the port is free: the server shares its port on purpose, and so would sit
    beside another one without a word.
    """
    server = Server(
        app, address=host, port=port, interface=Interfaces.ASGI, websockets=False, log_enabled=False
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            server.stop()  # type: ignore[no-untyped-call]
            await asyncio.wait((serving,), timeout=GRACE)
    finally:
        stopping.cancel()
        serving.cancel()
    if serving.done() and not serving.cancelled():
        serving.result()
