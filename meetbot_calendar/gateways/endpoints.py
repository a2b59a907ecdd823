"""POSTs a signed delivery to a tenant's address, connecting to the very address that was vetted.

Each POST has a connection of its own: the name is resolved once, every address it has is vetted,
one of those is connected to, and TLS is verified against the name. Redirects are not followed.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpcore
import httpx

from meetbot_calendar.deliveries.address_guard import Target, check_address, check_url
from meetbot_calendar.deliveries.poster import Answered
from meetbot_calendar.errors import Refused
from meetbot_calendar.gateways.transport import Answer, retry_after

TIME_LIMIT = 15.0
EXCERPT_BYTES = 512
_TRIED_ADDRESSES = 3
_RESOLVERS = 8

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_TROUBLE = (
    TimeoutError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
)
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "timeout: no full answer in time"),
    (httpcore.ConnectTimeout, "timeout: no connection in time"),
    (httpcore.TimeoutException, "timeout: no full answer in time"),
    (httpcore.ConnectError, "connection_failed"),
    (httpcore.NetworkError, "connection_lost: it ended before the answer did"),
    (httpcore.RemoteProtocolError, "no_http: the answer is not HTTP, or was cut short"),
)


class EndpointPoster:
    """Posts to tenants' endpoints; behind the port ``deliveries.poster.Poster``."""

    def __init__(
        self, pool: httpcore.AsyncConnectionPool, *, allow_private: bool, time_limit: float
    ) -> None:
        self._pool = pool
        self._allow_private = allow_private
        self._time_limit = time_limit

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Post once, within the time limit. Whatever the far end does is in the answer.

        Its head says how it answered, whether or not the body ever ends.
        """
        begun = asyncio.get_running_loop().time()
        answer: Answer | None = None
        error: str | None = None
        try:
            answer = await self._exchange(url, headers, body, begun + self._time_limit)
        except Refused as refusal:
            error = f"{refusal.code}: {refusal.detail}"
        except _TROUBLE as trouble:
            error = _in_words(trouble)
        latency = asyncio.get_running_loop().time() - begun
        return _answered(answer, error, int(latency * 1000))

    async def _exchange(
        self, url: str, headers: Mapping[str, str], body: bytes, until: float
    ) -> Answer:
        target = check_url(url, allow_private=self._allow_private)
        asked = self._pool.stream(
            "POST",
            _httpcore_url(target),
            headers=list(_header_lines(target, headers)),
            content=body,
            extensions={"timeout": _steps(self._time_limit)},
        )
        async with AsyncExitStack() as stack:
            async with asyncio.timeout_at(until):
                response = await stack.enter_async_context(asked)
            excerpt = await _beginning(response, until)
        names = {name.decode("ascii").lower(): value for name, value in response.headers}
        read = {name: value.decode("latin-1") for name, value in names.items()}
        return Answer(status=response.status, headers=read, body=excerpt)


@asynccontextmanager
async def open_endpoints(
    *,
    allow_private: bool,
    time_limit: float = TIME_LIMIT,
    resolve: Resolve | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[EndpointPoster]:
    """Open the poster; ``time_limit`` is in seconds.

    ``resolve`` and ``tls`` stand in for the system's resolver and trusted certificates in tests.
    """
    threads = ThreadPoolExecutor(_RESOLVERS, "resolve")
    vetting = _VettingBackend(resolve or _system_resolver(threads), allow_private)
    try:
        async with httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(trust_env=False),
            max_connections=None,  # the worker bounds them; a slow tenant must not block the others
            max_keepalive_connections=0,  # tenants may share a host: no answer may outlive its POST
            network_backend=vetting,
        ) as pool:
            yield EndpointPoster(pool, allow_private=allow_private, time_limit=time_limit)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


class _VettingBackend(httpcore.AsyncNetworkBackend):
    """Connects by name only after every address of the name was vetted, and then to one of them."""

    def __init__(self, resolve: Resolve, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._vetted(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name did not resolve in time") from error
        tried = addresses[:_TRIED_ADDRESSES]
        each = None if timeout is None else timeout / len(tried)
        for address in tried[:-1]:
            try:
                return await self._sockets.connect_tcp(address, port, each)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._sockets.connect_tcp(tried[-1], port, each, local_address, socket_options)

    async def _vetted(self, host: str, port: int) -> Sequence[str]:
        addresses = await self._resolve(host, port)
        if not addresses:
            raise httpcore.ConnectError("the name has no address")
        for address in addresses:
            check_address(address, allow_private=self._allow_private)
        return addresses


def _system_resolver(threads: ThreadPoolExecutor) -> Resolve:
    """Resolve in threads of our own: a name server that hangs must not starve other work."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(threads, _look_up, host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name does not resolve") from error
        return tuple(dict.fromkeys(found))

    return resolve


def _look_up(host: str, port: int) -> list[str]:
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in rows]


def _steps(time_limit: float) -> dict[str, float]:
    """Bound each step, so that connecting (name, TCP, TLS) fails by itself, and tidily."""
    return {"pool": 1.0, "connect": time_limit / 4, "write": time_limit, "read": time_limit}


def _httpcore_url(target: Target) -> httpcore.URL:
    return httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )


def _header_lines(target: Target, headers: Mapping[str, str]) -> Iterable[tuple[bytes, bytes]]:
    name = f"[{target.host}]" if ":" in target.host else target.host
    usual = {"https": 443, "http": 80}[target.scheme] == target.port
    lines = {
        "host": name if usual else f"{name}:{target.port}",
        "user-agent": "meetbot-calendar",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/json",
        **{name.lower(): value for name, value in headers.items()},
    }
    return ((name.encode("ascii"), value.encode("latin-1")) for name, value in lines.items())


async def _beginning(response: httpcore.Response, until: float) -> bytes:
    """Read what an excerpt needs, or what comes of it; what is left unread ends the connection."""
    read = bytearray()
    with suppress(*_TROUBLE):
        async with asyncio.timeout_at(until):
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) > EXCERPT_BYTES:
                    break
    return bytes(read[:EXCERPT_BYTES])


def _answered(answer: Answer | None, error: str | None, latency_ms: int) -> Answered:
    if answer is None:
        return Answered(status_code=None, latency_ms=latency_ms, error=error)
    wait = retry_after(answer)
    text = answer.body.decode("utf-8", "replace").replace("\x00", "\ufffd")  # no NUL in PostgreSQL
    return Answered(
        status_code=answer.status,
        latency_ms=latency_ms,
        excerpt=text or None,
        retry_after=wait.total_seconds() if wait is not None else None,
    )


def _in_words(trouble: Exception) -> str:
    origin = trouble.args[0] if trouble.args else None  # httpcore drops the cause, keeps it here
    if isinstance(origin, ssl.SSLCertVerificationError):
        return f"tls_failed: {origin.verify_message}"
    if isinstance(origin, ssl.SSLError):
        return f"tls_failed: {origin.reason}"
    words = (word for kind, word in _WORDS if isinstance(trouble, kind))
    word = next(words, "not_sent: the message cannot be written as HTTP")
    return word if ":" in word else f"{word}: {trouble}"
