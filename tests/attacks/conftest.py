"""One scene for every attack on it, and a look at the victim's rows when all are over."""

import gc
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from meetbot_calendar.embedded.state import ServerState
from tests import database
from tests.attacks.scene import Scene, set_scene
from tests.database import template_database

__all__ = ["template_database"]


@pytest.fixture(scope="session", autouse=True)
def imported_for_good() -> None:
    """Let garbage collection look at what tests make alone, not at the libraries each time."""
    gc.freeze()


@pytest.fixture(scope="session")
def scene_database(servers: ServerState, template_database: str) -> Iterator[str]:
    """One database for the scene: setting it takes longer than a hundred attacks."""
    name = f"scene_{secrets.token_hex(6)}"
    database._run(servers.owner_url, database._COPY, name, template_database)
    yield database._of(servers.app_url, name)
    database._drop(servers.owner_url, name)


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scene's keys lie."""
    return tmp_path_factory.mktemp("scene")


@pytest.fixture(scope="session")
async def scene(scene_database: str, scene_folder: Path) -> AsyncIterator[Scene]:
    async with set_scene(scene_database, scene_folder) as found:
        yield found
