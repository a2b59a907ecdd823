"""Stands before every end: lets in, writes down, and keeps the world before answers leave."""

import asyncio
import ipaddress
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from meetbot_calendar.sandbox.journal import Asked, safe_query
from meetbot_calendar.sandbox.world import World

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_REDIRECTS = range(300, 400)
_READING_SAVES_EVERY = 1.0


class Door:
    """An ASGI application around the sandbox.

    The control API (everything under ``/sandbox``) is for this machine alone, and its calls are
    not written down. Where a request may have promised something (a token, a watch), the world is
    saved before the status line is sent, so the promise outlives ``kill -9``; reading saves what
    happened meanwhile, once a second at most.
    """

    def __init__(self, app: App, world: World, keep_in: Path | None = None) -> None:
        self.app = app
        self.world = world
        self.keep_in = keep_in
        self._saved = b""
        self._saved_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            self.save()
            return
        if scope["path"].startswith("/sandbox") and not _near(scope):
            await _turn_away(send)
            return
        scope["state"] = {}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"])
                if self._promises(scope, message["status"]):
                    self.save()
            await send(message)

        await self.app(scope, receive, sending)

    def save(self) -> None:
        """Write the world to its file if it is not as it was."""
        if self.keep_in is None:
            return
        self._saved_at = asyncio.get_running_loop().time()
        fresh = self.world.snapshot()
        if fresh != self._saved:
            _write(self.keep_in, fresh)
            self._saved = fresh

    def _promises(self, scope: Scope, status: int) -> bool:
        """Tell whether to save first: redirects carry codes, other reading promises nothing."""
        if scope["method"] not in ("GET", "HEAD") or status in _REDIRECTS:
            return True
        return asyncio.get_running_loop().time() - self._saved_at >= _READING_SAVES_EVERY

    def _note(self, scope: Scope, status: int) -> None:
        if scope["path"].startswith("/sandbox"):
            return
        said = scope["state"]
        self.world.journal.add(
            Asked(
                at=self.world.clock.now(),
                method=scope["method"],
                path=scope["path"],
                query=safe_query(scope["query_string"].decode("latin-1")),
                status=status,
                account=said.get("account", ""),
                note=said.get("note", ""),
            )
        )


def _write(path: Path, state: bytes) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_bytes(state)
    fresh.chmod(0o600)
    os.replace(fresh, path)  # noqa: PTH105 - atomic, and its intent is plain


def _near(scope: Scope) -> bool:
    host = (scope.get("client") or ("", 0))[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _turn_away(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    body = b"The sandbox is controlled from this machine alone."
    await send({"type": "http.response.body", "body": body})
