"""One of our own commands as a child process: started tied to us, watched, asked whether ready."""

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from meetbot_calendar.embedded.account import ourselves, tied
from meetbot_calendar.embedded.started import Started
from meetbot_calendar.embedded.trouble import tail
from meetbot_calendar.settings import child_environment

_TIMEOUT = 2.0


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A command to run: ``words`` after the program's name, and changes to our environment.

    ``ready_url`` answers 200 when it is ready; where only a port can be asked, it has no path.
    Without one it is ready as soon as it runs. Without ``log`` it writes where we write.
    """

    name: str
    words: tuple[str, ...]
    changes: Mapping[str, str]
    program: tuple[str, ...] = (sys.executable, "-P", "-m", "meetbot_calendar")
    ready_url: str | None = None
    log: Path | None = None

    def __repr__(self) -> str:
        return f"Child({self.name})"  # the changes hold secrets

    def launch(self) -> Started:
        """Start it. It is killed when this process ends, however that comes."""
        with ExitStack() as stack:
            output = stack.enter_context(self.log.open("ab")) if self.log else None
            process = subprocess.Popen(  # noqa: S603 - our own words
                [*tied(signal.SIGKILL, ourselves(), Path.cwd()), *self.program, *self.words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=child_environment(self.changes),
                start_new_session=True,
            )
        return Started(process)

    def is_ready(self, started: Started) -> bool:
        """Ask it."""
        if self.ready_url is None:
            return started.is_alive
        if urlsplit(self.ready_url).path:
            return answers_ok(self.ready_url)
        return is_listening(self.ready_url)

    def why_it_ended(self, started: Started) -> str:
        """Say how it ended, and what it said last where that is kept."""
        said = f": {tail(self.log)}" if self.log else ", as it says above"
        return f"it {started.how_it_ended}{said}"


def is_listening(url: str) -> bool:
    """Say whether anybody takes connections there."""
    where = urlsplit(url)
    try:
        socket.create_connection((where.hostname or "", where.port or 80), _TIMEOUT).close()
    except OSError:
        return False
    return True


def answers_ok(url: str) -> bool:
    """Say whether a plain http address of this machine answers 200."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", where.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
