"""What ``doctor`` looks at, one finding each: how it is, and what to do where it is not well."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import Literal

import msgspec

from meetbot_calendar.commands.child import answers_ok
from meetbot_calendar.commands.database import check_database, check_owner
from meetbot_calendar.commands.port import own_url
from meetbot_calendar.commands.redis_store import check_redis
from meetbot_calendar.commands.settings_table import unknown_names
from meetbot_calendar.commands.stores import owner_setting
from meetbot_calendar.embedded.account import server_account
from meetbot_calendar.embedded.binaries import find_postgres, find_valkey
from meetbot_calendar.embedded.ports import holder, is_free
from meetbot_calendar.embedded.state import make_data_dir, read_state
from meetbot_calendar.embedded.trouble import CannotStart, in_words
from meetbot_calendar.settings import Settings

_MEBIBYTE = 1 << 20
_LITTLE_SPACE = 1024
_PRIVATE = 0o077


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How one thing is. ``warning`` still runs, ``broken`` does not; then ``remedy`` says more."""

    name: str
    state: Literal["ok", "warning", "broken"]
    detail: str
    remedy: str = ""


def ok(name: str, detail: str) -> Finding:
    """Find nothing wrong."""
    return Finding(name=name, state="ok", detail=detail)


def checked(name: str, look: Callable[[], str]) -> Finding:
    """Look; what cannot be used is broken."""
    try:
        return ok(name, look())
    except CannotStart as error:
        return Finding(name=name, state="broken", detail=error.cause, remedy=error.remedy)


def python() -> Finding:
    """Name the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    return ok("Python", f"{version} at {sys.executable}")


def settings_names() -> Finding:
    """Find names that look like settings and are none."""
    if not (strange := unknown_names()):
        return ok("settings", "all can be read")
    return Finding(
        name="settings",
        state="warning",
        detail=f"no such setting: {', '.join(strange)}",
        remedy="correct the name; README lists them",
    )


def data_directory(settings: Settings) -> Finding:
    """Write to it, and see how much space is left."""

    def look() -> str:
        with in_words(settings.data_dir):
            make_data_dir(settings.data_dir)
            probe = settings.data_dir / f"doctor.{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
            free = shutil.disk_usage(settings.data_dir).free // _MEBIBYTE
        if free < _LITTLE_SPACE:
            cause = f"only {free} MiB are free where {settings.data_dir} is"
            raise CannotStart(cause, "free some space, or set MEETBOT_DATA_DIR to another disk")
        return f"{settings.data_dir}, {free} MiB free"

    return checked("data directory", look)


def database(settings: Settings) -> Finding:
    """Log in to the database that is set; or see that our own could run, or does."""

    def look() -> str:
        if settings.database_url is None:
            return _own_database(settings)
        found = check_database(settings.database_url.reveal())
        owner = settings.owner_database_url or settings.database_url
        check_owner(owner.reveal(), owner_setting(settings))
        return found

    return checked("database", look)


def _own_database(settings: Settings) -> str:
    state = read_state(settings.data_dir)
    if state and not is_free("127.0.0.1", state.postgres_port):
        return f"our own {check_database(state.app_url)}, running"
    account = server_account(settings.data_dir / "postgres" / "data")
    found = find_postgres(account, settings.data_dir)
    return f"our own PostgreSQL {found.major}, not running"


def redis(settings: Settings) -> Finding:
    """Log in to the Redis that is set; or see that our own could run, or does."""

    def look() -> str:
        if settings.redis_url is not None:
            return check_redis(settings.redis_url.reveal())
        state = read_state(settings.data_dir)
        if state and not is_free("127.0.0.1", state.valkey_port):
            return f"our own {check_redis(state.redis_url)}, running"
        account = server_account(settings.data_dir / "postgres" / "data")
        find_valkey(account, settings.data_dir)
        return "our own Valkey, not running"

    return checked("Redis", look)


def key_provider(settings: Settings) -> Finding:
    """See that nobody else can read the master key; Vault is asked elsewhere."""

    def look() -> str:
        path = settings.data_dir / "keys" / "master.key"
        with in_words(path):
            if not path.exists():
                return f"{path} is made on first start"
            mode = path.stat().st_mode & 0o777
        if mode & _PRIVATE:
            raise CannotStart(f"{path} can be read by others", f"run: chmod 600 '{path}'")
        return f"{path}, for its owner alone"

    return checked("key provider", look)


def port(settings: Settings) -> Finding:
    """See whether we could listen, or do already."""

    def look() -> str:
        where = f"{settings.host}:{settings.port}"
        if is_free(settings.host, settings.port):
            return f"{where} is free"
        if answers_ok(f"{own_url(settings)}/health/live"):
            return f"{where} is served by us"
        cause = f"{where} is taken by {holder(settings.port)}"
        raise CannotStart(cause, "set MEETBOT_PORT to a free port, or end that program")

    return checked("port", look)
