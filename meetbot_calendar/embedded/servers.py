"""PostgreSQL and Valkey of our own under one data directory: prepare, start, watch, stop."""

import shutil
import time
from pathlib import Path

import msgspec

from meetbot_calendar.embedded.account import Account, server_account
from meetbot_calendar.embedded.binaries import find_postgres, find_valkey
from meetbot_calendar.embedded.ports import same_port
from meetbot_calendar.embedded.postgres import Postgres
from meetbot_calendar.embedded.site import Site
from meetbot_calendar.embedded.started import Part, Started
from meetbot_calendar.embedded.state import (
    DataLock,
    ServerState,
    make_data_dir,
    new_state,
    read_state,
    write_state,
)
from meetbot_calendar.embedded.trouble import CannotStart, in_words, remedy_for
from meetbot_calendar.embedded.vacancy import vacate
from meetbot_calendar.embedded.valkey import Valkey

_MEBIBYTE = 1 << 20
_PATIENCE = 60.0
_STEP = 0.02
_ENDING = 5.0


class EmbeddedServers:
    """Both servers of one data directory, held by this process alone while it lives.

    Start them from the main thread: they die with the thread that started them.
    ``durable=False`` trades crash safety for speed, in tests.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        postgres: bool = True,
        valkey: bool = True,
        durable: bool = True,
        minimum_free: int = 256 * _MEBIBYTE,
    ) -> None:
        self._data_dir = data_dir.absolute()
        self._wants_postgres = postgres
        self._wants_valkey = valkey
        self._durable = durable
        self._minimum_free = minimum_free
        self._lock: DataLock | None = None
        self._started: dict[Part, Started] = {}
        self.parts: tuple[Part, ...] = ()
        self.addresses = ServerState()

    def prepare(self) -> None:
        """Take the data directory, make what is missing, choose ports. Raises ``CannotStart``.

        Where no server of ours is wanted, this does nothing.
        """
        if not (self._wants_postgres or self._wants_valkey):
            return
        with in_words(self._data_dir):
            make_data_dir(self._data_dir)
            _refuse_full_disk(self._data_dir, self._minimum_free)
            self._lock = DataLock(self._data_dir)
            try:
                self._make_parts()
            except BaseException:
                self.release()
                raise

    def start(self) -> ServerState:
        """Prepare, launch, and return the addresses once both servers do their work."""
        self.prepare()
        try:
            for part in self.parts:
                self._start(part)
        except BaseException:
            self.stop()
            raise
        return self.addresses

    def restart_the_dead(self) -> list[str]:
        """Start again, on the same port, what has died; return the names."""
        dead = [part for part, started in self._started.items() if not started.is_alive]
        for part in dead:
            self._start(part)
        return [part.name for part in dead]

    def stop(self) -> None:
        """End both servers, and let go of the data directory."""
        for started in self._started.values():
            started.ask_to_end()
        for started in self._started.values():
            if not started.ended_within(_ENDING):
                started.insist()
                started.ended_within(_ENDING)
        self._started.clear()
        self.release()

    def release(self) -> None:
        """Let go of the data directory."""
        if self._lock:
            self._lock.release()
            self._lock = None

    def _make_parts(self) -> None:
        for name in ("postgres", "valkey"):
            # Servers whose starter was killed end a moment after it; till then they hold the ports.
            vacate(self._data_dir / name / "data")
        account = server_account(self._data_dir / "postgres" / "data")
        remembered = read_state(self._data_dir)
        state = self._with_free_ports(remembered or new_state())
        if state != remembered:
            write_state(self._data_dir, state)
        parts: list[Part] = []
        if self._wants_postgres:
            postgres = Postgres(
                self._site("postgres", account, state), find_postgres(account, self._data_dir)
            )
            postgres.prepare(passwords_are_new=remembered is None)
            parts.append(postgres)
        if self._wants_valkey:
            valkey = Valkey(
                self._site("valkey", account, state), find_valkey(account, self._data_dir)
            )
            valkey.prepare()
            parts.append(valkey)
        self.parts, self.addresses = tuple(parts), state

    def _with_free_ports(self, state: ServerState) -> ServerState:
        postgres, valkey = state.postgres_port, state.valkey_port
        return msgspec.structs.replace(
            state,
            postgres_port=same_port(postgres) if self._wants_postgres else postgres,
            valkey_port=same_port(valkey) if self._wants_valkey else valkey,
        )

    def _site(self, name: str, account: Account, state: ServerState) -> Site:
        folder = self._data_dir / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return Site(folder=folder, account=account, state=state, durable=self._durable)

    def _start(self, part: Part) -> None:
        started = self._started[part] = part.launch()
        deadline = time.monotonic() + _PATIENCE
        while not part.is_ready(started):
            if not started.is_alive or time.monotonic() > deadline:
                said = part.why_it_ended(started)
                raise CannotStart(f"{part.name} did not start: {said}", remedy_for(said))
            time.sleep(_STEP)


def _refuse_full_disk(data_dir: Path, minimum_free: int) -> None:
    if (free := shutil.disk_usage(data_dir).free) < minimum_free:
        cause = f"only {free // _MEBIBYTE} MiB are free where {data_dir} is"
        remedy = f"free {minimum_free // _MEBIBYTE} MiB, or set MEETBOT_DATA_DIR to another disk"
        raise CannotStart(cause, remedy)
