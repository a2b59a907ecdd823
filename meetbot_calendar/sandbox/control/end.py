"""The control API as one router under ``/sandbox``; the door lets in this machine alone."""

from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from litestar import Request, Response, Router
from litestar.handlers import BaseRouteHandler
from litestar.types import ControllerRouterHandler

from meetbot_calendar.sandbox.control import meetings, people, trouble

Asked = Request[Any, Any, Any]


def router() -> Router:
    """Return everything under ``/sandbox``; 404 is "not here", 400 "makes no sense"."""
    return Router(
        path="/sandbox",
        route_handlers=[*_handlers()],
        exception_handlers={
            LookupError: _missing,
            ZoneInfoNotFoundError: _wrong,
            ValueError: _wrong,
            TypeError: _wrong,
        },
    )


def _handlers() -> list[ControllerRouterHandler]:
    found = [vars(module).values() for module in (people, meetings, trouble)]
    return [each for values in found for each in values if isinstance(each, BaseRouteHandler)]


def _missing(_request: Asked, error: LookupError) -> Response[dict[str, str]]:
    return Response({"detail": f"not here: {error}"}, status_code=404)


def _wrong(_request: Asked, error: Exception) -> Response[dict[str, str]]:
    return Response({"detail": str(error)}, status_code=400)
