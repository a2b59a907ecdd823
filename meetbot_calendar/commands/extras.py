"""What may be added to ``up``, and what it tells the person who runs it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from meetbot_calendar.commands.child import Child
from meetbot_calendar.commands.port import own_url
from meetbot_calendar.settings import Settings

Beside = Callable[[Settings, asyncio.Event], Awaitable[None]]


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """Children to start first, changes to the environment of api and worker, a screen.

    ``beside`` runs once all is ready, beside the keeping; it returns when the event is set.
    With ``logs`` the children write to files in that folder, else where we write.
    """

    beside: Beside
    first: tuple[Child, ...] = ()
    changes: Mapping[str, str] = {}
    logs: Path | None = None

    def __repr__(self) -> str:
        return f"Extras({self.first})"  # the changes hold secrets

    def log(self, name: str) -> Path | None:
        """Name the file that a child writes to; None: where we write."""
        return self.logs / f"{name}.log" if self.logs else None


async def say_ready(stores: Settings, stop: asyncio.Event) -> None:
    """Tell where it is, the plain screen."""
    if not stop.is_set():
        tell(f"ready: {own_url(stores)} (API documents: {own_url(stores)}/schema); Ctrl-C ends it")


def tell(sentence: str) -> None:
    """Say something to the person who runs us."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
