"""A far end that costs as little as can be: notes when each POST was whole, and answers at once.

``python bench/receiver.py PORT``. ``GET /arrivals`` tells what came since it was last asked.
"""

import asyncio
import json
import sys
import time

import uvloop

ARRIVED: list[tuple[str, float]] = []


class Receiver(asyncio.Protocol):
    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            size = int(field(head, b"content-length") or 0)
            if len(self._unread) < end + 4 + size:
                return
            self._unread = self._unread[end + 4 + size :]
            self._transport.write(answered(head))  # type: ignore[attr-defined]


def field(head: bytes, name: bytes) -> str:
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip().decode() if found else ""


def answered(head: bytes) -> bytes:
    if head.startswith(b"post"):
        key = field(head, b"idempotency-key") or field(head, b"webhook-id")
        ARRIVED.append((key, time.time()))  # noqa: TID251 - another program
        body = b'{"id": "fb_%d"}' % len(ARRIVED)
    else:
        body = json.dumps([{"key": key, "at": at} for key, at in ARRIVED]).encode()
        ARRIVED.clear()
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        % len(body)
        + body
    )


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiver, "127.0.0.1", port, backlog=8192)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
