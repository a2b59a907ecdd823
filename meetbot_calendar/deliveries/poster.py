"""The port: one POST to a tenant's endpoint."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """How the endpoint answered, or why it could not be asked.

    ``status_code`` is None where no answer came, and ``error`` then says why. ``excerpt`` is the
    beginning of the answer's body, ``retry_after`` seconds.
    """

    status_code: int | None
    latency_ms: int
    error: str | None = None
    excerpt: str | None = None
    retry_after: float | None = None


class Poster(Protocol):
    """Posts to addresses that tenants gave us, and only to those we may call."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Post once. Never raises for anything that the far end, or its address, does."""
        ...
