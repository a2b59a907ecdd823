"""The two stores a command works on: those that are set, or servers of our own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from meetbot_calendar.commands.database import check_database
from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.embedded.state import DataDirInUse, ServerState, read_state
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.settings import Secret, Settings

_PATIENCE = 30.0
_STEP = 0.2


@contextmanager
def open_stores(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with every store's address in them.

    Servers of our own that run already, under ``up`` say, are joined; else they are started, and
    end with this command.
    """
    if settings.database_url and settings.redis_url:
        yield with_addresses(settings, ServerState())
        return
    servers = own_servers(settings)
    try:
        addresses = servers.start()
    except DataDirInUse as error:
        yield with_addresses(settings, _join(settings, error))
        return
    try:
        yield with_addresses(settings, addresses)
    finally:
        servers.stop()


def own_servers(settings: Settings) -> EmbeddedServers:
    """Return servers for the stores that are not set, not started yet."""
    return EmbeddedServers(
        settings.data_dir,
        postgres=settings.database_url is None,
        valkey=settings.redis_url is None,
    )


def with_addresses(settings: Settings, own: ServerState) -> Settings:
    """Fill in the addresses of our own servers where no others are set."""
    database, owner = settings.database_url, settings.owner_database_url
    if database is None:
        database, owner = Secret(own.app_url), Secret(own.owner_url)
    return msgspec.structs.replace(
        settings,
        database_url=database,
        owner_database_url=owner or database,
        redis_url=settings.redis_url or Secret(own.redis_url),
    )


def owner_setting(stores: Settings) -> str:
    """Name the setting that the owner's address came from."""
    same = stores.owner_database_url == stores.database_url
    return "MEETBOT_DATABASE_URL" if same else "MEETBOT_OWNER_DATABASE_URL"


def _join(settings: Settings, in_use: DataDirInUse) -> ServerState:
    """Wait until the servers of the process that holds the directory answer."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if state := read_state(settings.data_dir):
            with suppress(CannotStart):
                check_database(state.app_url)
                return state
        time.sleep(_STEP)
    raise in_use
