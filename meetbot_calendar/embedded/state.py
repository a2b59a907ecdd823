"""What is remembered of our servers between starts: their ports and passwords, for us alone."""

import fcntl
import os
import secrets
from pathlib import Path

import msgspec

from meetbot_calendar.embedded.trouble import CannotStart


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the servers listen and how to log in to them."""

    postgres_port: int = 0
    valkey_port: int = 0
    owner_password: str = ""
    app_password: str = ""
    valkey_password: str = ""

    def __repr__(self) -> str:
        return f"ServerState({self.postgres_port}, {self.valkey_port}, ***)"

    @property
    def owner_url(self) -> str:
        """The database, as the role that owns it."""
        return self._database_url("meetbot_owner", self.owner_password)

    @property
    def app_url(self) -> str:
        """The database, as the role that owns nothing."""
        return self._database_url("meetbot", self.app_password)

    @property
    def redis_url(self) -> str:
        """The Valkey server's first database."""
        return f"redis://:{self.valkey_password}@127.0.0.1:{self.valkey_port}/0"

    def _database_url(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.postgres_port}/meetbot"


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory where there is none.

    As root, the servers run as somebody else, who may pass it but not look around.
    """
    data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def new_state() -> ServerState:
    """Make passwords; ports are chosen later."""
    passwords = [secrets.token_urlsafe(24) for _ in range(3)]
    return ServerState(
        owner_password=passwords[0], app_password=passwords[1], valkey_password=passwords[2]
    )


def read_state(data_dir: Path) -> ServerState | None:
    """Return what was remembered; None where nothing was, or nothing that can be read."""
    try:
        return msgspec.json.decode(_file(data_dir).read_bytes(), type=ServerState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_state(data_dir: Path, state: ServerState) -> None:
    """Remember, whole or not at all, in a file that only we can read."""
    draft = _file(data_dir).with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.geteuid() == 0:  # a person's directory stays that person's to use
            os.fchown(descriptor, data_dir.stat().st_uid, data_dir.stat().st_gid)
        file.write(msgspec.json.encode(state))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(_file(data_dir))


def _file(data_dir: Path) -> Path:
    return data_dir / "servers.json"


class DataDirInUse(CannotStart):
    """Another process holds the data directory."""


class DataLock:
    """Holds a data directory for one process; the kernel lets go when that process ends."""

    def __init__(self, data_dir: Path) -> None:
        self._descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode() or "another"
            os.close(self._descriptor)
            cause = f"the data directory {data_dir} is in use by process {holder}"
            remedy = "end that process, or set MEETBOT_DATA_DIR to another directory"
            raise DataDirInUse(cause, remedy) from error
        os.truncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Let go."""
        os.close(self._descriptor)
