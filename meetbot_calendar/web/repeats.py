"""``Idempotency-Key``: a repeated POST is answered as the first one was, and not done again."""

import hashlib
from typing import cast

import msgspec
from litestar.enums import ScopeType
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.middleware import ASGIMiddleware
from litestar.types import (
    ASGIApp,
    HTTPDisconnectEvent,
    HTTPReceiveMessage,
    HTTPRequestEvent,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
)

from meetbot_calendar.errors import Fault, Invalid
from meetbot_calendar.journeys import once
from meetbot_calendar.journeys.once import KeptAnswer, Ticket
from meetbot_calendar.journeys.services import Services
from tenants.identity import TenantContext

MOST_BYTES = 1 << 20
_LONGEST_KEY = 255
_WHOSE = b"x-customer-user-id"


class Repeats(ASGIMiddleware):
    """Stands behind the doorkeeper: it needs to know whose key it is."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Do the request once, or answer as before."""
        asked = cast("HTTPScope", scope)
        _refuse_too_much(asked)
        key = key_of(asked)
        context = cast("TenantContext | None", scope["auth"])
        if key is None or context is None or asked["method"] != "POST":
            await next_app(scope, receive, send)
            return
        body = await _read(receive)
        ticket = Ticket(context=context, key=key, fingerprint=_fingerprint(asked, body))
        kept = await once.begin(self._services, ticket)
        if kept is not None:
            await _repeat(kept, send)
            return
        await self._do(ticket, scope, _again(body), send, next_app)

    async def _do(
        self, ticket: Ticket, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp
    ) -> None:
        """Pass the request on; what worked is kept before it is told, the rest may be repeated.

        A request that is cut off keeps its claim: nobody knows how far it got.
        """
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await next_app(scope, receive, hold)
        answer = _answer_of(held)
        if answer is not None and answer.status // 100 == 2:  # noqa: PLR2004 - 2xx
            await once.keep(self._services, ticket, answer)
        else:
            await once.let_go(self._services, ticket)
        for message in held:
            await send(message)


def _refuse_too_much(scope: HTTPScope) -> None:
    """Refuse a body that says how long it is, also where nobody would read it."""
    given = next((v for name, v in scope["headers"] if name == b"content-length"), b"")
    if given.isdigit() and int(given) > MOST_BYTES:
        raise RequestEntityTooLarge


def key_of(scope: HTTPScope) -> str | None:
    """Return the caller's idempotency key."""
    given = next((v for name, v in scope["headers"] if name == b"idempotency-key"), None)
    if given is None:
        return None
    key = given.decode("latin-1")
    if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        fault = Fault("/header/Idempotency-Key", f"It has 1 to {_LONGEST_KEY} printable letters.")
        raise Invalid("The idempotency key cannot be used.", (fault,), code="invalid_parameter")
    return key


def _fingerprint(scope: HTTPScope, body: bytes) -> bytes:
    """Digest what is asked, and for whom: a header may name the person."""
    named = [value for name, value in scope["headers"] if name == _WHOSE]
    asked = (scope["method"], scope["path"], scope["query_string"], body, *named)
    return hashlib.sha256(msgspec.msgpack.encode(asked)).digest()


async def _read(receive: Receive) -> bytes:
    """Read a body, of which a byte too many is enough to be refused further in."""
    body = b""
    while len(body) <= MOST_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message["body"]
        if not message["more_body"]:
            break
    return body


def _again(body: bytes) -> Receive:
    whole: HTTPRequestEvent = {"type": "http.request", "body": body, "more_body": False}
    over: HTTPDisconnectEvent = {"type": "http.disconnect"}
    waiting = iter((whole,))

    async def receive() -> HTTPReceiveMessage:
        return next(waiting, over)

    return cast("Receive", receive)


def _answer_of(held: list[Message]) -> KeptAnswer | None:
    start = next((m for m in held if m["type"] == "http.response.start"), None)
    if start is None:
        return None
    kind = next((v for name, v in start["headers"] if name.lower() == b"content-type"), b"")
    body = b"".join(m["body"] for m in held if m["type"] == "http.response.body")
    return KeptAnswer(status=start["status"], content_type=kind.decode("latin-1"), body=body)


async def _repeat(kept: KeptAnswer, send: Send) -> None:
    headers = [
        (b"content-type", kept.content_type.encode("latin-1")),
        (b"content-length", str(len(kept.body)).encode()),
        (b"idempotent-replayed", b"true"),
    ]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body, "more_body": False})
