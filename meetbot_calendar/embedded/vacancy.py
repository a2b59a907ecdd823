"""Makes sure that nobody works in a server's folder any more before a new server starts there."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from meetbot_calendar.embedded.trouble import CannotStart

_PATIENCE = 10.0
_STEP = 0.05
# A person's shell may stand in that folder too, and is left alone.
_SERVERS = {"postgres", "valkey-server", "redis-server"}


def vacate(folder: Path) -> None:
    """Ask whoever still works in ``folder`` to end, then insist; return when nobody is left.

    Both servers make their data folder their working directory, so this finds the orphans of a
    killed server, and one that is still shutting down. The caller holds the data directory's
    lock, so nobody there is wanted. Only Linux shows this; elsewhere the server's own check of its
    pid file has to do.
    """
    for wish in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not (there := _workers(folder)):
            return
        for process in there:
            with suppress(ProcessLookupError):
                os.kill(process, wish)
        _wait(folder)
    if left := _workers(folder):
        cause = f"process {left[0]} still works in {folder} and cannot be ended"
        raise CannotStart(cause, f"end process {left[0]}, then start again")


def _wait(folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while _workers(folder) and time.monotonic() < deadline:
        time.sleep(_STEP)


def _workers(folder: Path) -> list[int]:
    place = folder.resolve()
    found: list[int] = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == place and _name(link.parent) in _SERVERS:
                found.append(int(link.parent.name))
    return found


def _name(process: Path) -> str:
    return (process / "comm").read_text().strip()
