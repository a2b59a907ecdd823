"""A stage for every journey, and databases for those who need several."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from meetbot_calendar.embedded.state import ServerState
from tests import database
from tests.database import database_url, template_database
from tests.journeys.stage import Stage, set_stage

__all__ = ["database_url", "template_database"]


@pytest.fixture
async def stage(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_stage(database_url, tmp_path) as found:
        yield found


@pytest.fixture
def new_database(servers: ServerState, template_database: str) -> Iterator[Callable[[], str]]:
    """Makes databases that live as long as the test."""
    made: list[str] = []

    def make() -> str:
        made.append(f"test_{secrets.token_hex(6)}")
        database._run(servers.owner_url, database._COPY, made[-1], template_database)
        return database._of(servers.app_url, made[-1])

    yield make
    for name in made:
        database._drop(servers.owner_url, name)
