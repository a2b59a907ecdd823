"""A stage for every journey, on one database that every test finds empty."""

import gc
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from meetbot_calendar.embedded.state import ServerState
from tests import database
from tests.database import template_database
from tests.journeys.stage import Stage, set_stage

__all__ = ["template_database"]


@pytest.fixture(scope="session", autouse=True)
def imported_for_good() -> None:
    """Let garbage collection look at what tests make alone, not at the libraries each time."""
    gc.freeze()


@pytest.fixture(scope="session")
def journeys_database(servers: ServerState, template_database: str) -> Iterator[str]:
    """One database for all: copying one takes longer than most of these tests."""
    name = f"journeys_{secrets.token_hex(6)}"
    database._run(servers.owner_url, database._COPY, name, template_database)
    yield database._of(servers.app_url, name)
    database._drop(servers.owner_url, name)


@pytest.fixture
def database_url(journeys_database: str) -> Iterator[str]:
    yield journeys_database
    empty(journeys_database)


@pytest.fixture
def emptied(database_url: str) -> Callable[[], str]:
    """Empties the database, for tests that need a fresh one several times."""

    def make() -> str:
        empty(database_url)
        return database_url

    return make


def empty(url: str) -> None:
    """Remove every tenant, and with it every row there is."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set lock_timeout = '5s'")
        connection.execute("set role meetbot_operator")
        connection.execute("delete from tenants")


@pytest.fixture
async def stage(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_stage(database_url, tmp_path) as found:
        yield found
