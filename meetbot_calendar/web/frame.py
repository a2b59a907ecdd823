"""The frame around every request: its id, its log line, its count, and the second way in."""

import re
import secrets
import time
from collections.abc import Iterable, Iterator
from math import ceil
from typing import cast

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from tenants.limits import Quota

_LOG = structlog.get_logger("meetbot.web")
_ALIAS = "/api/v1"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_QUIET = ("/health/", "/metrics")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

REQUESTS = Counter(
    "meetbot_http_requests_total", "Requests answered.", ["method", "route", "status"]
)
SECONDS = Histogram("meetbot_http_request_seconds", "How long answers took.", ["route"])


async def framed(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Serve one request inside the frame."""
    request_id = _request_id(scope)
    asked = _under_v1(scope["path"])
    inner = cast("Scope", {**scope, "path": asked, "request_id": request_id})
    # A method may be any word: a stranger's words shall not become series of a metric.
    method = scope["method"] if scope["method"] in _METHODS else "other"
    status, begun = 500, time.perf_counter()

    async def sign(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            message["headers"] = [
                *message["headers"],
                *quota_headers(inner),
                *_not_to_be_kept(asked, message["headers"]),
                (b"x-request-id", request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
        await send(message)

    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    try:
        await app(inner, receive, sign)
    finally:
        took = time.perf_counter() - begun
        route = str(inner.get("path_template", "unknown"))
        REQUESTS.labels(method, route, str(status)).inc()
        SECONDS.labels(route).observe(took)
        if not asked.startswith(_QUIET):
            _LOG.info(
                "request",
                method=method,
                route=route,
                status=status,
                milliseconds=round(took * 1000, 1),
            )


def _not_to_be_kept(
    path: str, headers: Iterable[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    """Answers of the API hold people's calendars, and keys that are shown once."""
    if path.startswith("/v1/") and all(name.lower() != b"cache-control" for name, _ in headers):
        yield b"cache-control", b"no-store"


def quota_headers(scope: Scope) -> Iterator[tuple[bytes, bytes]]:
    """Tell what is left of the caller's quota (draft-ietf-httpapi-ratelimit-headers-10)."""
    quota = cast("Quota | None", scope.get("quota"))
    if quota is not None:
        rate, wait = quota.rate, ceil(quota.wait.total_seconds())
        window = ceil(rate.window.total_seconds())
        yield b"ratelimit-policy", f'"{rate.name}";q={rate.quota};w={window}'.encode()
        yield b"ratelimit", f'"{rate.name}";r={quota.left};t={wait}'.encode()


def _request_id(scope: HTTPScope) -> str:
    """Take the caller's id where it is fit to be logged, or make one."""
    given = next((v for name, v in scope["headers"] if name == b"x-request-id"), b"")
    text = given.decode("latin-1")
    return text if _REQUEST_ID.fullmatch(text) else secrets.token_hex(8)


def _under_v1(path: str) -> str:
    """Lead ``/api/v1/…`` to ``/v1/…``: the same routes, said twice."""
    if path == _ALIAS or path.startswith(_ALIAS + "/"):
        return path.removeprefix("/api")
    return path
