"""``OPTIONS``, of which Litestar forgets some, and ``HEAD``, which it does not answer at all."""

from litestar import Litestar
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import HTTPScope, Message, Send

_NOBODY_TAKES = "TRACE"


def allowed(app: Litestar, path: str) -> str | None:
    """Return the methods of an address, as the header has them; None where there is nothing."""
    try:
        app.asgi_router.handle_routing(path=path.rstrip("/") or "/", method=_NOBODY_TAKES)
    except MethodNotAllowedException as error:
        return with_head((error.headers or {}).get("allow", ""))
    except NotFoundException:
        return None
    return None


def with_head(methods: str) -> str:
    """Add ``HEAD`` to the methods of an ``Allow`` header that names ``GET``."""
    named = methods.split(", ")
    return ", ".join(sorted({*named, "HEAD"})) if "GET" in named else methods


def without_body(send: Send) -> Send:
    """Send what ``GET`` would, but for its body (RFC 9110, section 9.3.2)."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return send_head


async def answer_options(app: Litestar, scope: HTTPScope, send: Send) -> bool:
    """Answer an ``OPTIONS`` request; False where it is none, or there is nothing to tell of."""
    methods = allowed(app, scope["path"]) if scope["method"] == "OPTIONS" else None
    if methods is None:
        return False
    headers = [(b"allow", methods.encode())]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return True
