"""Connections to one host that are opened ahead of an instant at which many requests leave.

At the top of an hour a thousand bots leave at once. What costs time then, finding a connection and
shaking hands, is done before; h11 writes and reads the messages, one at a time on each connection.
"""

import asyncio
import re
import ssl
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

import h11
import httpx
import msgspec

from meetbot_calendar.errors import GiveUp, OutcomeUnknown, TryLater

MOST = 400
_FRESH = 4.0  # seconds: below the 5 s after which many servers hang up on who says nothing
_OPENED_TOGETHER = 50
_CONNECT = 5.0
_CHUNK = 64 * 1024
_PLAIN = re.compile(r"[!-~]+")

Headers = Iterable[tuple[str, str]]


def leads_elsewhere(url: str) -> bool:
    """Say whether a name in a path, which may be a stranger's, would lead out of it."""
    return bool({".", ".."} & set(url.partition("?")[0].split("/")))


class Reply(msgspec.Struct, frozen=True):
    """A whole answer as it came. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Lanes:
    """Connections to the host of one address; what lies beneath that address may use them."""

    def __init__(self, url: str, *, most: int = MOST, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._beneath = f"{url.rstrip('/')}/"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._shown = parts.netloc.rpartition("@")[2]
        self._tls = None
        if parts.scheme == "https":
            self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._most = most
        self._places = asyncio.Semaphore(most)
        self._idle: list[_Lane] = []
        self._sweeping: asyncio.TimerHandle | None = None

    def lead_to(self, url: str) -> bool:
        """Say whether a request to this address may use them, just as it is spelt."""
        is_plain = url.startswith(self._beneath) and _PLAIN.fullmatch(url) is not None
        return is_plain and not leads_elsewhere(url)

    async def warm(self, many: int) -> None:
        """Have as many connections open as requests will leave at once, or as many as there may be.

        Never raises: a host that cannot be reached is met when it is asked.
        """
        self._drop_stale()
        opening = asyncio.Semaphore(_OPENED_TOGETHER)

        async def open_one() -> None:
            with suppress(OSError, TimeoutError):
                async with opening:
                    self._rest(await self._open(_CONNECT))

        missing = min(many, self._most) - len(self._idle) if self._host else 0
        await asyncio.gather(*(open_one() for _ in range(missing)))

    async def request(
        self,
        method: str,
        url: str,
        headers: Headers,
        content: bytes,
        *,
        time_limit: float,
        max_bytes: int,
    ) -> Reply:
        """Send one request; raises as ``transport.Transport.request`` does."""
        lane: _Lane | None = None
        try:
            async with asyncio.timeout(time_limit), self._places:
                lane = self._take() or await self._open(time_limit / 3)
                lines = (("host", self._shown), *headers, ("content-length", str(len(content))))
                reply = await lane.exchange(method, _target(url), lines, content, max_bytes)
        except h11.LocalProtocolError as error:
            raise GiveUp(f"{self._host} cannot be asked this", code="malformed_request") from error
        except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
            kind = type(error).__name__
            if lane is None or not lane.has_asked:
                detail = f"{self._host} could not be reached ({kind})"
                raise TryLater(detail, code="unreachable") from error
            raise OutcomeUnknown(
                f"{self._host} was asked and gave no full answer ({kind})"
            ) from error
        finally:
            if lane is not None:
                self._rest(lane)
        return reply

    def close(self) -> None:
        """Close what is open and idle."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> "_Lane | None":
        self._drop_stale()
        return self._idle.pop() if self._idle else None

    async def _open(self, time_limit: float) -> "_Lane":
        async with asyncio.timeout(time_limit):
            reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return _Lane(reader, writer)

    def _rest(self, lane: "_Lane") -> None:
        """Keep a connection on which another request may follow; close any other."""
        if not lane.is_free():
            lane.close()
            return
        lane.rested_at = asyncio.get_running_loop().time()
        self._idle.append(lane)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(_FRESH, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        self._drop_stale()
        if self._idle:
            self._sweeping = asyncio.get_running_loop().call_later(_FRESH, self._sweep)

    def _drop_stale(self) -> None:
        """Close what has rested too long, or was hung up on. The longest rested come first."""
        fresh_since = asyncio.get_running_loop().time() - _FRESH
        while self._idle and self._idle[0].rested_at < fresh_since:
            self._idle.pop(0).close()
        while self._idle and not self._idle[-1].is_free():
            self._idle.pop().close()


class _Lane:
    """One connection: a request, its answer, the next request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self.rested_at = 0.0
        self.has_asked = False

    def is_free(self) -> bool:
        """Say whether nobody waits on it and the other side has not hung up."""
        closing = self._writer.is_closing() or self._reader.at_eof()
        return self._http.our_state is h11.IDLE and not closing

    async def exchange(
        self, method: str, target: str, headers: Headers, content: bytes, max_bytes: int
    ) -> Reply:
        """Write a whole request at once, and read its answer."""
        self.has_asked = False
        asked = h11.Request(method=method, target=target, headers=list(headers))
        written = self._http.send(asked) or b""
        for part in (h11.Data(content), h11.EndOfMessage()):
            written += self._http.send(part) or b""
        self.has_asked = True
        self._writer.write(written)
        return await self._answer(max_bytes)

    async def _answer(self, max_bytes: int) -> Reply:
        head: h11.Response | None = None
        body = bytearray()
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > max_bytes:
                    detail = f"the answer is longer than {max_bytes} bytes"
                    raise OutcomeUnknown(detail, code="answer_too_large")
        if head is None:
            raise h11.RemoteProtocolError("an answer without a beginning")
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        named = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        return Reply(head.status_code, named, bytes(body))

    async def _event(self) -> object:
        """Return what comes next of the answer."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_CHUNK))
        if isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError("it hung up before it answered")
        return event

    def close(self) -> None:
        """Close it, whatever is under way."""
        self._writer.close()


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
