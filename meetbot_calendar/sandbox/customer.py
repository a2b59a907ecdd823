"""The tenant's own server: takes webhooks, says what came, and shows where a consent led back to.

Trouble on ``customer.webhooks`` (``account`` is the address's name): ``500``, ``410``, ``429``
(retry_after), ``slow`` (seconds, then 200), ``redirect``.
"""

import asyncio
from html import escape
from typing import Any

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from meetbot_calendar.sandbox.customer_inbox import (
    CustomerState,
    Message,
    is_secret,
    judge,
    keep,
    read_body,
    received,
)
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.world import World

Asked = Request[Any, Any, Any]

WEBHOOKS = "customer.webhooks"
_SLOW_SECONDS = 20.0
_LONGEST_WAIT = 60.0
_STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:8vh auto;padding:0 1rem}"


class NewSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The secret of one webhook address; ``keep_old`` while it rotates."""

    secret: str
    keep_old: bool = False


class CustomerServer:
    """One per world: the state in it, and a bell for those who wait for messages."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._rung = asyncio.Event()

    @property
    def state(self) -> CustomerState:
        """Return what the customer keeps, which lives in the world."""
        return note(self.world, "customer", CustomerState)

    def keep(self, message: Message) -> None:
        """Store a message and wake those who wait."""
        keep(self.state, message)
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def waited(self, after: int, kind: str, inbox: str, wait: float) -> list[Message]:
        """Return matching messages, waiting up to ``wait`` (real) seconds for the first."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(wait, _LONGEST_WAIT)
        while not (found := received(self.state, after, kind, inbox)):
            left = until - loop.time()
            if left <= 0:
                break
            try:
                await asyncio.wait_for(self._rung.wait(), left)
            except TimeoutError:
                break
        return found


Server = NamedDependency[CustomerServer]


def router(server: CustomerServer) -> Router:
    """Return everything under ``/customer``."""
    return Router(
        path="/customer",
        route_handlers=[take_webhook, set_secret, list_received, forget_received, connected],
        dependencies={"server": Provide(lambda: server, sync_to_thread=False)},
    )


@post("/webhooks/{name:str}")
async def take_webhook(
    request: Asked, world: Here, server: Server, name: FromPath[str]
) -> Response[str]:
    """Take one message: judge it, store it, answer 200 or what was ordered."""
    content = await request.body()
    now = world.clock.now()
    secrets = server.state.secrets.get(name, [])
    verified, reason = judge(secrets, request.headers, content, now)
    status, headers = await _answer(world, name)
    body = read_body(content)
    server.keep(
        Message(
            number=0,
            inbox=name,
            received_at=now,
            id=request.headers.get("webhook-id", ""),
            type=str(body.get("type", "")) if isinstance(body, dict) else "",
            verified=verified,
            reason=reason,
            answered=status,
            body=body,
            timestamp=request.headers.get("webhook-timestamp", ""),
        )
    )
    return Response("", status_code=status, headers=headers, media_type="text/plain")


@post("/webhooks/{name:str}/secret", status_code=200)
async def set_secret(request: Asked, server: Server, name: FromPath[str]) -> Response[Any]:
    """Set the secret of an address: ``{secret, keep_old?}``."""
    try:
        given = msgspec.json.decode(await request.body(), type=NewSecret)
    except msgspec.MsgspecError as error:
        return Response({"detail": str(error)}, status_code=400)
    if not is_secret(given.secret):
        return Response({"detail": "a secret is whsec_ and base64"}, status_code=400)
    kept = server.state.secrets.get(name, []) if given.keep_old else []
    server.state.secrets[name] = [given.secret, *kept]
    return Response({"inbox": name, "secrets": 1 + len(kept)}, status_code=200)


@get("/received")
async def list_received(request: Asked, server: Server) -> dict[str, Any]:
    """Return messages: ``?after=N&wait=SECONDS&type=&name=``; ``last`` is the next ``after``."""
    query = request.query_params
    after = int(query.get("after", "0"))
    found = await server.waited(
        after, query.get("type", ""), query.get("name", ""), float(query.get("wait", "0"))
    )
    return {"messages": found, "last": found[-1].number if found else after}


@delete("/received", status_code=200)
async def forget_received(server: Server) -> dict[str, Any]:
    """Forget every message; their numbers go on."""
    server.state.messages = []
    return {"last": server.state.numbered}


@get("/connected", media_type="text/html")
async def connected(request: Asked) -> str:
    """Show what a redirect brought back: status, meetbot_calendar_user_id and the rest."""
    rows = "".join(
        f"<tr><th align=left>{escape(name)}<td>{escape(value)}"
        for name, value in request.query_params.items()
    )
    good = request.query_params.get("status") == "success"
    title = "Your calendar is connected" if good else "Your calendar is not connected"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><small>Sandbox &middot; the customer's own page</small>"
        f"<h1>{title}</h1><table>{rows}</table></html>"
    )


async def _answer(world: World, name: str) -> tuple[int, dict[str, str]]:
    if slow := world.faults.take(WEBHOOKS, "slow", account=name):
        await asyncio.sleep(float(slow.detail.get("seconds", _SLOW_SECONDS)))
    fault = world.faults.take(WEBHOOKS, "500", "410", "429", "redirect", account=name)
    if fault is None:
        return 200, {}
    if fault.kind == "redirect":
        return 302, {"Location": "/customer/elsewhere"}
    if fault.kind == "429":
        return 429, {"Retry-After": str(fault.detail.get("retry_after", 5))}
    return int(fault.kind), {}
