"""Remembers what was asked of the sandbox, without secrets, so that a test can count."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import parse_qsl

import msgspec

_KEPT = 5000
_SECRET = frozenset(
    ("code", "state", "token", "access_token", "refresh_token", "client_secret", "code_verifier")
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it was answered; ``account`` is known where a token named it."""

    at: datetime
    method: str
    path: str
    query: dict[str, str]
    status: int
    account: str = ""
    note: str = ""


class Journal:
    """The last few thousand requests, oldest first."""

    def __init__(self) -> None:
        self.asked: deque[Asked] = deque(maxlen=_KEPT)

    def add(self, asked: Asked) -> None:
        """Write one request down."""
        self.asked.append(asked)

    def find(self, path: str = "", account: str = "") -> list[Asked]:
        """Return the requests whose path holds ``path`` and that came from ``account``."""
        return [a for a in self.asked if path in a.path and account in ("", a.account)]


def safe_query(raw: str) -> dict[str, str]:
    """Read a query string, with the values of secret parameters masked."""
    pairs: Iterable[tuple[str, str]] = parse_qsl(raw, keep_blank_values=True)
    return {name: "***" if name in _SECRET else value for name, value in pairs}
