import asyncio
import time

import msgspec
from litestar import Litestar, get

from meetbot_calendar.commands.child import answers_ok
from meetbot_calendar.commands.serve import GRACE, serve
from meetbot_calendar.embedded.ports import free_port


class Gate(msgspec.Struct, kw_only=True):
    """Lets a test see a request arrive, and decides when it is answered."""

    arrived: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    opened: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    closed_down: list[str] = msgspec.field(default_factory=list)

    def app(self) -> Litestar:
        @get("/quick")
        async def quick() -> str:
            return "ok"

        @get("/slow")
        async def slow() -> str:
            self.arrived.set()
            await self.opened.wait()
            return "done"

        return Litestar(
            [quick, slow],
            on_shutdown=[lambda: self.closed_down.append("closed")],
            logging_config=None,
            openapi_config=None,
        )


async def ask(port: int, path: str) -> bytes:
    """Send one request by hand, trying again until somebody listens."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            continue
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer


async def test_it_answers_and_ends_when_asked() -> None:
    gate, port, stop = Gate(), free_port(), asyncio.Event()
    async with asyncio.timeout(10):
        serving = asyncio.create_task(serve(gate.app(), "127.0.0.1", port, stop))

        answer = await ask(port, "/quick")
        stop.set()
        await serving

    assert answer.startswith(b"HTTP/1.1 200")
    assert gate.closed_down == ["closed"]
    assert not await asyncio.to_thread(answers_ok, f"http://127.0.0.1:{port}/quick")


async def test_a_request_under_way_is_finished() -> None:
    gate, port, stop = Gate(), free_port(), asyncio.Event()
    async with asyncio.timeout(10):
        serving = asyncio.create_task(serve(gate.app(), "127.0.0.1", port, stop))
        asking = asyncio.create_task(ask(port, "/slow"))
        await gate.arrived.wait()

        stop.set()
        gate.opened.set()

        assert (await asking).endswith(b"done")
        await serving


async def test_a_request_without_end_does_not_hold_it_up() -> None:
    gate, port, stop = Gate(), free_port(), asyncio.Event()
    async with asyncio.timeout(10):
        serving = asyncio.create_task(serve(gate.app(), "127.0.0.1", port, stop))
        asking = asyncio.create_task(ask(port, "/slow"))
        await gate.arrived.wait()
        begun = time.monotonic()

        stop.set()
        await serving
        gate.opened.set()
        await asking

    assert time.monotonic() - begun < GRACE + 1
