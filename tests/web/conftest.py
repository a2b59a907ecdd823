"""The HTTP door over a database of the test's own: alone, or with the sandbox's world outside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journeys.stage import set_stage
from tests.web.house import OpenHouse, open_house
from tests.web.staged import Staged, staged_of


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[OpenHouse]:
    async with open_house(database_url, tmp_path) as found:
        yield found


@pytest.fixture
async def staged(database_url: str, tmp_path: Path) -> AsyncIterator[Staged]:
    async with set_stage(database_url, tmp_path) as stage, staged_of(stage) as found:
        yield found
