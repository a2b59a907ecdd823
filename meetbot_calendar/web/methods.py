"""``OPTIONS``: which methods an address takes; Litestar forgets some where handlers share one."""

from litestar import Litestar
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import HTTPScope, Send

_NOBODY_TAKES = "TRACE"


def allowed(app: Litestar, path: str) -> str | None:
    """Return the methods of an address, as the header has them; None where there is nothing."""
    try:
        app.asgi_router.handle_routing(path=path.rstrip("/") or "/", method=_NOBODY_TAKES)
    except MethodNotAllowedException as error:
        return (error.headers or {}).get("allow")
    except NotFoundException:
        return None
    return None


async def answer_options(app: Litestar, scope: HTTPScope, send: Send) -> bool:
    """Answer an ``OPTIONS`` request; False where it is none, or there is nothing to tell of."""
    methods = allowed(app, scope["path"]) if scope["method"] == "OPTIONS" else None
    if methods is None:
        return False
    headers = [(b"allow", methods.encode())]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return True
