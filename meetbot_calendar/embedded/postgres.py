"""Our own PostgreSQL: made once with its roles, then started on its port."""

import shutil
import signal
import sys
from pathlib import Path

from meetbot_calendar.embedded.account import run, spawn
from meetbot_calendar.embedded.binaries import PostgresPrograms
from meetbot_calendar.embedded.site import Site
from meetbot_calendar.embedded.started import Started
from meetbot_calendar.embedded.trouble import CannotStart, last_words, remedy_for, tail
from meetbot_calendar.embedded.vacancy import vacate

# One statement a line: that is how the stand-alone server reads them. Passwords are url-safe
# base64, so they need no quoting. The superuser gets none, and so cannot log in at all.
_ROLES = """\
CREATE ROLE meetbot_owner LOGIN CREATEROLE CREATEDB PASSWORD '{owner}'
CREATE ROLE meetbot LOGIN NOINHERIT PASSWORD '{app}'
CREATE DATABASE meetbot OWNER meetbot_owner
"""
_NEW_PASSWORDS = """\
ALTER ROLE meetbot_owner PASSWORD '{owner}'
ALTER ROLE meetbot PASSWORD '{app}'
"""
# What a failed statement held stays out of the log: it may be somebody's calendar.
_QUIET = ["log_error_verbosity=terse", "log_min_error_statement=panic"]
_HASTY = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]


class Postgres:
    """One PostgreSQL server at its site."""

    name = "PostgreSQL"

    def __init__(self, site: Site, programs: PostgresPrograms) -> None:
        self._site = site
        self._programs = programs
        self._data = site.folder / "data"
        self._log = site.folder / "postgres.log"

    def prepare(self, *, passwords_are_new: bool) -> None:
        """Make the database where there is none yet; else see that its passwords are ours."""
        if not self._data.exists():
            self._make()
            return
        self._refuse_data_of_another_version()
        if passwords_are_new:
            vacate(self._data)
            self._alone(self._data, _NEW_PASSWORDS)

    def launch(self) -> Started:
        """Start the server on its port."""
        vacate(self._data)
        # Nobody works there, so whatever process this file names is somebody else's.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", *_QUIET]
        settings += [
            f"port={self._site.state.postgres_port}",
            *(() if self._site.durable else _HASTY),
        ]
        program = [str(self._programs.postgres), "-D", _place(self._data)]
        program += [word for setting in settings for word in ("-c", setting)]
        with self._log.open("ab") as output:
            process = spawn(
                program,
                account=self._site.account,
                folder=self._data,
                death_signal=signal.SIGINT,
                output=output,
            )
        return Started(process, gentle=signal.SIGINT, harsh=signal.SIGQUIT)

    def is_ready(self, started: Started) -> bool:
        """Read the server's own word on itself: its pid on line 1, its state on line 8."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return lines[:1] == [str(started.pid)] and lines[7:] == ["ready   "]

    def why_it_ended(self, started: Started) -> str:
        """Return the end of its log."""
        _ = started
        return tail(self._log)

    def _make(self) -> None:
        draft = self._site.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._site.account.give(draft)
        program = [str(self._programs.initdb), "-D", _place(draft), "-U", "postgres"]
        program += ["--auth-local=reject", "--auth-host=scram-sha-256"]
        program += ["-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
        program += [] if self._site.durable else ["--no-sync"]
        self._succeed(program, draft)
        self._alone(draft, _ROLES)
        draft.rename(self._data)

    def _alone(self, data: Path, statements: str) -> None:
        """Run statements in PostgreSQL's single-user mode, where no password is asked for."""
        program = [str(self._programs.postgres), "--single", "-D", _place(data)]
        program += ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "template1"]
        state = self._site.state
        text = statements.format(owner=state.owner_password, app=state.app_password)
        self._succeed(program, data, text)

    def _succeed(self, program: list[str], folder: Path, text: str = "") -> None:
        done = run(program, account=self._site.account, folder=folder, text=text)
        if done.returncode:
            cause = f"PostgreSQL's data could not be made in {self._site.folder}"
            said = last_words(done.stdout)
            raise CannotStart(f"{cause}: {said}", remedy_for(said))

    def _refuse_data_of_another_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(ours := self._programs.major):
            cause = f"{self._data} was made by PostgreSQL {found}, and ours is {ours}"
            remedy = "move it over with pg_dump, or set MEETBOT_DATA_DIR to another directory"
            raise CannotStart(cause, remedy)


def _place(folder: Path) -> str:
    """Name the folder that the program is started in, so that no way to it need be open.

    The account may not pass the folders above, ``/root`` say, and we leave those as they are.
    """
    return "/proc/self/cwd" if sys.platform == "linux" else str(folder)
