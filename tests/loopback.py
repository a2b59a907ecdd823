"""A far end on loopback that a test scripts byte by byte: what it heard, and what it says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec


class Heard(msgspec.Struct, kw_only=True):
    """One request as it arrived. Header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class FarEnd(msgspec.Struct, kw_only=True):
    """Where it listens, and everything it heard so far."""

    port: int
    heard: list[Heard]
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


Script = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


def says(
    body: bytes = b"{}",
    status: int = 200,
    headers: dict[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> Script:
    """Answer every request the same."""

    async def script(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(body, status, headers, content_type=content_type))

    return script


def answer(
    body: bytes = b"{}",
    status: int = 200,
    headers: dict[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> bytes:
    """Write one whole answer."""
    lines = {"content-type": content_type, "content-length": str(len(body))} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body


@asynccontextmanager
async def listening(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[FarEnd]:
    """Listen on a free port until the block ends; open conversations are then cut."""
    heard: list[Heard] = []
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                heard.append(request)
                await script(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.ensure_future(talk(reader, writer)))

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        yield FarEnd(port=port, heard=heard, scheme="https" if tls else "http")
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed on the loop's next turn


async def _read(reader: asyncio.StreamReader) -> Heard | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Heard(method=method, target=target, headers=headers, body=body)
