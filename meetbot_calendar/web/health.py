"""Alive, ready, measured: each part of the service answers for itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from meetbot_calendar.telemetry import metrics_text
from meetbot_calendar.web.auth import PUBLIC

Probe = Callable[[], Awaitable[str | None]]
"""Asks one part how it is: None when well, else a sentence that says what to do."""

_METRICS = "text/plain; version=1.0.0"
_SECONDS = 5.0
_MAY_BE_AWAY = frozenset({"redis"})  # it only rings: without it work is late, never lost


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How one part is."""

    status: Literal["ok", "degraded", "down"]
    detail: str | None = None


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """How the whole is: as its worst part; degraded is still ready."""

    status: Literal["ok", "degraded", "down"]
    parts: dict[str, Part]


def handlers(probes: Mapping[str, Probe]) -> list[HTTPRouteHandler]:
    """Make the routes that tell how the service is."""

    @get("/health/live", opt=PUBLIC, tags=["Service"], security=[])
    async def live() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @get("/health/ready", opt=PUBLIC, tags=["Service"], security=[])
    async def ready() -> Response[Readiness]:
        """Say whether every part works: 200, also when degraded, or 503."""
        names = list(probes)
        parts = await asyncio.gather(*(_ask(name, probes[name]) for name in names))
        readiness = _together(dict(zip(names, parts, strict=True)))
        return Response(readiness, status_code=503 if readiness.status == "down" else 200)

    @get("/metrics", opt=PUBLIC, include_in_schema=False)
    async def metrics() -> Response[bytes]:
        """Tell the counters, as Prometheus reads them."""
        return Response(metrics_text(), media_type=_METRICS)

    return [live, ready, metrics]


async def _ask(name: str, probe: Probe) -> Part:
    try:
        async with asyncio.timeout(_SECONDS):
            trouble = await probe()
    except TimeoutError:
        trouble = f"no answer within {_SECONDS:g} s"
    if trouble is None:
        return Part(status="ok")
    return Part(status="degraded" if name in _MAY_BE_AWAY else "down", detail=trouble)


def _together(parts: dict[str, Part]) -> Readiness:
    found = {part.status for part in parts.values()}
    worst: Literal["ok", "degraded", "down"] = (
        "down" if "down" in found else "degraded" if "degraded" in found else "ok"
    )
    return Readiness(status=worst, parts=parts)
