"""Attempts on the bytes of HTTP itself, at a real socket: two readings of one request, slowness."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from meetbot_calendar.commands.serve import serve
from meetbot_calendar.embedded.ports import free_port
from tests.attacks.scene import Scene
from tests.web.house import app_of

END = "\r\n\r\n"
PATIENCE = 5.0
ALIVE = f"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close{END}".encode()


@pytest.fixture(scope="module")
async def port(scene: Scene) -> AsyncIterator[int]:
    """The whole door on a real socket, as the command serves it."""
    stop, port = asyncio.Event(), free_port()
    app = app_of(scene.acme.stage.services)
    serving = asyncio.ensure_future(serve(app, "127.0.0.1", port, stop))
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            break
    yield port
    stop.set()
    await serving


async def send(port: int, *parts: bytes) -> bytes:
    """Send bytes, and return all that comes until the other side hangs up or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(1.0):
            while chunk := await reader.read(65536):
                found += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return found


def statuses(told: bytes) -> list[int]:
    lines = [line for line in told.split(b"\r\n") if line.startswith(b"HTTP/1.")]
    return [int(line.split(b" ")[1]) for line in lines]


SECOND = "GET /v1/tenants HTTP/1.1\r\nHost: x\r\n\r\n"
TWO_READINGS = {
    "length and chunks": f"Content-Length: 45\r\nTransfer-Encoding: chunked{END}0{END}",
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(SECOND)}{END}",
    "a list of lengths": f"Content-Length: 0, {len(SECOND)}{END}",
    "a signed length": f"Content-Length: +{len(SECOND)}{END}",
    "a negative length": f"Content-Length: -1{END}",
    "a length in hex": f"Content-Length: 0x10{END}",
    "chunked, spelt oddly": f"Transfer-Encoding: xchunked{END}0{END}",
    "chunked twice": f"Transfer-Encoding: chunked, chunked{END}0{END}",
    "a blank before the colon": f"Transfer-Encoding : chunked{END}0{END}",
    "a folded header": f"X: y\r\n Transfer-Encoding: chunked{END}0{END}",
    "a bare line feed": f"X: y\nTransfer-Encoding: chunked{END}0{END}",
    "a bare return": f"X: y\rTransfer-Encoding: chunked{END}0{END}",
    "a chunk of hex nonsense": f"Transfer-Encoding: chunked{END}zz\r\n{END}",
    "a chunk that never ends": f"Transfer-Encoding: chunked{END}FFFFFFFFFFFFFFFF\r\nx",
    "a NUL in a header": f"X: a\0b{END}",
}


LINES = [
    "GET http://127.0.0.1/v1/tenants HTTP/1.1", "GET /v1/tenants HTTP/9.9", "GET /v1/tenants",
    "CONNECT 127.0.0.1:5432 HTTP/1.1", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "\x16\x03\x01",
    "GET /" + "x" * 100_000 + " HTTP/1.1", "GET  /v1/tenants  HTTP/1.1",
    "GET /v1/\x00 HTTP/1.1",
]  # fmt: skip


async def test_a_request_that_can_be_read_in_two_ways_smuggles_none_past_the_door(
    scene: Scene, port: int
) -> None:
    head = (
        "POST /v1/api-keys HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {scene.mallory.tenant.key}\r\n"
    )
    told = await asyncio.gather(
        *(send(port, (head + rest + SECOND).encode()) for rest in TWO_READINGS.values())
    )

    for what, said in zip(TWO_READINGS, told, strict=True):
        assert [status for status in statuses(said) if status < 300] == [], what
        assert scene.acme.tenant_id.encode() not in said, what


async def test_an_odd_first_line_opens_nothing_and_breaks_nothing(scene: Scene, port: int) -> None:
    told = await asyncio.gather(*(send(port, f"{line}\r\nHost: x{END}".encode()) for line in LINES))
    after = await send(port, ALIVE)

    for line, said in zip(LINES, told, strict=True):
        assert scene.acme.tenant_id.encode() not in said, line[:40]
        assert [s for s in statuses(said) if s in (200, 201, 500)] == [], line[:40]
    assert statuses(after) == [200]


async def test_headers_without_end_are_cut_off(port: int) -> None:
    lines = "".join(f"X-{number}: {'y' * 200}\r\n" for number in range(5000))

    told = await send(port, f"GET /v1/bots HTTP/1.1\r\nHost: x\r\n{lines}{END}".encode())

    assert [status for status in statuses(told) if status < 400] == []


async def test_callers_who_never_finish_do_not_keep_others_waiting(port: int) -> None:
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
    for number, (_, writer) in enumerate(slow):
        begun = (
            "GET /v1/bots HTTP/1.1\r\nHost: x\r\nX"
            if number % 2
            else ("POST /v1/bots/bot_1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        )
        writer.write(begun.encode())
        await writer.drain()
    loop = asyncio.get_running_loop()
    before = loop.time()

    told = await send(port, ALIVE)

    assert statuses(told) == [200]
    assert loop.time() - before < PATIENCE
    for _, writer in slow:
        writer.transport.abort()


async def test_a_body_larger_than_allowed_is_refused_before_all_of_it_is_there(
    port: int,
) -> None:
    head = f"POST /v1/bots/bot_1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000{END}"

    told = await send(port, head.encode(), b"x" * (1 << 20), b"x" * (1 << 20))

    assert statuses(told) == [413]
