"""Opens the one HTTP client, and turns what can go wrong on the wire into our errors.

Redirects are not followed, cookies not kept, proxies of the environment not used; neither bodies
nor query strings are ever logged.
"""

import asyncio
import logging
import re
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import httpx
import msgspec

from meetbot_calendar.errors import GiveUp, OutcomeUnknown, TryLater
from meetbot_calendar.gateways.lanes import Lanes, leads_elsewhere

MAX_BYTES = 10 * 1024 * 1024
MAX_WAIT = timedelta(days=30)

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_MAY = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_LIMITS = httpx.Limits(
    max_connections=200,
    max_keepalive_connections=50,
    keepalive_expiry=4.0,  # below the 5 s after which many servers hang up, or the last one races
)
_NAME = "meetbot-calendar"
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)

T = TypeVar("T")
Params = Mapping[str, str] | Sequence[tuple[str, str]]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"

    @property
    def is_success(self) -> bool:
        """Say whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110, section 15.3

    def json(self) -> Any:  # noqa: ANN401 - JSON may be anything
        """Return the body as JSON values; raises as ``read`` does."""
        return _decoded(self, msgspec.json.Decoder())

    def read(self, kind: type[T]) -> T:
        """Return the body as a ``kind``.

        What is not JSON of that shape is a page of some proxy (``TryLater``) when it is HTML or
        comes with 429 or 5xx, and otherwise not the API that we know (``GiveUp``).
        """
        return _decoded(self, msgspec.json.Decoder(kind))


class Transport:
    """Sends requests and reads bounded answers. Statuses are the caller's to judge.

    ``lanes`` are connections kept for one host each, which requests to it use: they cost less.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,  # noqa: TID251 - the one file
        lanes: Sequence[Lanes] = (),
    ) -> None:
        self._client = client
        self._lanes = tuple(lanes)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: object = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        timeout: float = 20.0,  # noqa: ASYNC109 - a bound on the wire, whose end tells what is known
        max_bytes: int = MAX_BYTES,
    ) -> Answer:
        """Send one request; ``timeout`` seconds bound all of it. ``params`` join those of the URL.

        Raises ``TryLater`` with code ``unreachable`` when the request cannot have reached the other
        side, ``OutcomeUnknown`` when it left and no full answer came, ``GiveUp`` when it cannot be
        sent at all.
        """
        body = _Body(json, content, form)
        lanes = None if form else next((each for each in self._lanes if each.lead_to(url)), None)
        if lanes is not None:
            target = _with(url, params)
            return await _by(
                lanes, method, target, headers, body, time_limit=timeout, max_bytes=max_bytes
            )
        course = _Course()
        try:
            request = self._build(method, url, headers, params, body)
            request.extensions = {
                "timeout": _steps(timeout),
                "trace": course.note,
            }
            async with asyncio.timeout(timeout):
                return await self._exchange(request, max_bytes)
        except _NEVER_MAY as error:
            raise GiveUp(f"{_host(url)} cannot be asked this", code="malformed_request") from error
        except (httpx.TransportError, TimeoutError) as error:
            raise course.failure(_host(url), error) from error

    def _build(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        params: Params | None,
        body: "_Body",
    ) -> httpx.Request:
        if leads_elsewhere(url):
            raise httpx.InvalidURL("a name of theirs would lead to another place")
        target = httpx.URL(url)
        if params:
            given = params.items() if isinstance(params, Mapping) else params
            target = target.copy_with(params=target.params.merge(list(given)))
        sent = _header_lines(headers, body)
        return self._client.build_request(
            method, target, headers=sent, content=body.content(), data=body.form
        )

    async def _exchange(self, request: httpx.Request, max_bytes: int) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            raw = await _bounded(response, max_bytes)
        finally:
            await response.aclose()
        body = _unpacked(raw, response.headers.get("content-encoding", ""), max_bytes)
        return Answer(status=response.status_code, headers=dict(response.headers), body=body)


@asynccontextmanager
async def open_transport(
    over: httpx.AsyncBaseTransport | None = None, lanes: Sequence[Lanes] = ()
) -> AsyncIterator[Transport]:
    """Open the client, and close it in the end. ``over`` stands in for the network in tests."""
    for name in ("httpx", "httpcore"):  # they log whole URLs at INFO, and headers at DEBUG
        logging.getLogger(name).setLevel(logging.WARNING)
    async with httpx.AsyncClient(  # noqa: TID251 - the one place
        transport=over,
        trust_env=False,
        follow_redirects=False,
        limits=_LIMITS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": _NAME},
    ) as client:
        try:
            yield Transport(client, lanes)
        finally:
            for each in lanes:
                each.close()


def retry_after(answer: Answer, now: datetime | None = None) -> timedelta | None:
    """Return how long the other side asks us to wait (RFC 9110, section 10.2.3), if it does.

    A date is measured against the answer's own ``Date``, and against ``now`` where it has none.
    """
    given = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(given):
        return min(timedelta(seconds=float(given)), MAX_WAIT)
    until = _http_date(given)
    since = _http_date(answer.headers.get("date", "")) or now
    if until is None or since is None:
        return None
    return min(max(until - since, timedelta(0)), MAX_WAIT)


def _steps(timeout: float) -> dict[str, float]:
    """Bound each step, so that connecting (TCP, then TLS) always fails by itself.

    The whole's limit ends the rest by cancelling, and a half-made connection would not be closed.
    """
    third = timeout / 3
    return {"pool": timeout / 4, "connect": third, "read": timeout, "write": timeout}


class _Body:
    """What a request carries: one of three."""

    def __init__(self, json: object, content: bytes | None, form: Mapping[str, str] | None) -> None:
        self.json = json
        self.raw = content
        self.form = dict(form) if form is not None else None

    def content(self) -> bytes | None:
        return self.raw if self.json is None else msgspec.json.encode(self.json)


def _header_lines(headers: Mapping[str, str] | None, body: _Body) -> dict[str, str]:
    sent = {"accept-encoding": "gzip", "accept": "application/json"}
    if body.json is not None:
        sent["content-type"] = "application/json"
    return sent | {name.lower(): value for name, value in (headers or {}).items()}


def _with(url: str, params: Params | None) -> str:
    """Add parameters to an address, in the place of any of their names that it has."""
    if not params:
        return url
    given = list(params.items() if isinstance(params, Mapping) else params)
    bare, _, query = url.partition("?")
    named = {name for name, _ in given}
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in named]
    return f"{bare}?{urlencode([*kept, *given])}"


async def _by(
    lanes: Lanes,
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    body: _Body,
    *,
    time_limit: float,
    max_bytes: int,
) -> Answer:
    lines = ({"user-agent": _NAME} | _header_lines(headers, body)).items()
    found = await lanes.request(
        method, url, lines, body.content() or b"", time_limit=time_limit, max_bytes=max_bytes
    )
    raw = _unpacked(found.body, found.headers.get("content-encoding", ""), max_bytes)
    return Answer(status=found.status, headers=found.headers, body=raw)


class _Course:
    """How far a request came: httpcore tells each step of it."""

    def __init__(self) -> None:
        self._connecting = False

    async def note(self, step: str, _: Mapping[str, Any]) -> None:
        if step == "connection.connect_tcp.started":
            self._connecting = True
        elif step.endswith("send_request_headers.started"):
            self._connecting = False

    def failure(self, host: str, error: Exception) -> TryLater:
        kind = type(error).__name__
        if self._connecting or isinstance(error, _NEVER_LEFT):
            return TryLater(f"{host} could not be reached ({kind})", code="unreachable")
        return OutcomeUnknown(f"{host} was asked and gave no full answer ({kind})")


async def _bounded(response: httpx.Response, max_bytes: int) -> bytes:
    read = bytearray()
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(read)


def _unpacked(raw: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo gzip ourselves: httpx would unpack a small bomb whole before we could count."""
    if not raw or encoding.strip().lower() not in ("gzip", "x-gzip"):
        return raw
    gzip = zlib.decompressobj(wbits=31)
    try:
        unpacked = gzip.decompress(raw, max_bytes + 1)
    except zlib.error as error:
        raise OutcomeUnknown("the answer's compression is broken") from error
    if len(unpacked) > max_bytes:
        raise _too_large(max_bytes)
    if not gzip.eof:
        raise OutcomeUnknown("the answer ends before its compression does")
    return unpacked


def _too_large(max_bytes: int) -> OutcomeUnknown:
    return OutcomeUnknown(f"the answer is longer than {max_bytes} bytes", code="answer_too_large")


def _decoded(answer: Answer, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(answer.body)
    except (msgspec.DecodeError, RecursionError) as error:
        detail = f"the answer (status {answer.status}) is not what the API sends"
        html = "html" in answer.headers.get("content-type", "").lower()
        passing = html or answer.status == 429 or answer.status >= 500  # noqa: PLR2004 - RFC 9110
        kind = TryLater if passing else GiveUp
        raise kind(detail, code="unreadable_answer") from error


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return found if found.tzinfo else None


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host or "the other side"
    except httpx.InvalidURL:
        return "the other side"
