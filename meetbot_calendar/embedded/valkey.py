"""Our own Valkey, which arq speaks to as Redis."""

import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from meetbot_calendar.embedded.account import spawn
from meetbot_calendar.embedded.site import Site
from meetbot_calendar.embedded.started import Started
from meetbot_calendar.embedded.trouble import tail
from meetbot_calendar.embedded.vacancy import vacate

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
protected-mode yes
daemonize no
appendonly {durable}
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class Valkey:
    """One Valkey server at its site."""

    name = "Valkey"

    def __init__(self, site: Site, program: Path) -> None:
        self._site = site
        self._program = program
        self._data = site.folder / "data"
        self._log = site.folder / "valkey.log"

    def prepare(self) -> None:
        """Make its folder where there is none yet."""
        if not self._data.exists():
            self._data.mkdir(mode=0o700)
            self._site.account.give(self._data)

    def launch(self) -> Started:
        """Start the server on its port. It reads its password from its input, not its arguments."""
        vacate(self._data)
        with self._log.open("ab") as output:
            process = spawn(
                [str(self._program), "-"],
                account=self._site.account,
                folder=self._data,
                death_signal=signal.SIGTERM,
                stdin=subprocess.PIPE,
                output=output,
            )
        configuration = _CONFIGURATION.format(
            port=self._site.state.valkey_port,
            password=self._site.state.valkey_password,
            durable="yes" if self._site.durable else "no",
        )
        # Where it is dead already, its exit code will say so.
        if process.stdin:
            with suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(configuration.encode())
        return Started(process, gentle=signal.SIGTERM, harsh=signal.SIGKILL)

    def is_ready(self, started: Started) -> bool:
        """Log in and ask for a sign of life; while it loads its data it gives none."""
        _ = started
        try:
            with socket.create_connection(
                ("127.0.0.1", self._site.state.valkey_port), timeout=0.5
            ) as line:
                line.sendall(f"AUTH {self._site.state.valkey_password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (more := line.recv(256)):  # noqa: PLR2004 - two answers
                    answer += more
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def why_it_ended(self, started: Started) -> str:
        """Return the end of its log."""
        _ = started
        return tail(self._log)
