"""Who our servers run as, and how a program is started as them, tied to our life."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import msgspec

from meetbot_calendar.embedded import lifeline
from meetbot_calendar.embedded.trouble import CannotStart

# Our own environment is not handed over: it holds secrets, and PG* names that would misdirect.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user of this machine; ``is_us`` when it is the one who runs this process."""

    uid: int
    gid: int
    is_us: bool

    def give(self, folder: Path) -> None:
        """Make a folder that we have just made this account's own."""
        if not self.is_us:
            os.chown(folder, self.uid, self.gid)

    def may_pass(self, folder: Path) -> bool:
        """Say whether this account can go into a folder, and into all that lead to it."""
        return self.is_us or all(
            place.stat().st_mode
            & (stat.S_IXUSR if place.stat().st_uid == self.uid else stat.S_IXOTH)
            for place in (folder, *folder.parents)
        )


def server_account(data: Path) -> Account:
    """Choose ourselves; as root, which PostgreSQL refuses, the data's owner or ``nobody``."""
    if os.geteuid() != 0:
        return ourselves()
    if data.exists() and data.stat().st_uid != 0:
        return Account(uid=data.stat().st_uid, gid=data.stat().st_gid, is_us=False)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        cause = "PostgreSQL refuses to run as root, and this machine has no user nobody"
        raise CannotStart(cause, "start as an ordinary user") from error
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, is_us=False)


def spawn(
    program: list[str],
    *,
    account: Account,
    folder: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    output: IO[bytes] | int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a program in a folder as an account; it gets ``death_signal`` when we are gone."""
    return subprocess.Popen(  # noqa: S603 - program paths are ours
        [*tied(death_signal, account, folder), *program],
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        start_new_session=True,
    )


def ourselves() -> Account:
    """Return the account of this process."""
    return Account(uid=os.geteuid(), gid=os.getegid(), is_us=True)


def tied(death_signal: signal.Signals, account: Account, folder: Path) -> list[str]:
    """Return the words to put before a program so that it gets a signal when we are gone.

    The kernel sends it when the starting thread ends, not the process.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("what dies with us is started from the main thread")
    words = (os.getpid(), int(death_signal), account.uid, account.gid, folder)
    return [sys.executable, "-I", "-S", lifeline.__file__, *map(str, words)]


def run(
    program: list[str], *, account: Account, folder: Path, text: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with ``text`` as its input; its output is kept."""
    process = spawn(program, account=account, folder=folder, stdin=subprocess.PIPE)
    output, _ = process.communicate(text.encode(), timeout=120)
    return subprocess.CompletedProcess(program, process.returncode, output)
