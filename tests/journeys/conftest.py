"""A stage for every journey."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.database import database_url, template_database
from tests.journeys.stage import Stage, set_stage

__all__ = ["database_url", "template_database"]


@pytest.fixture
async def stage(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_stage(database_url, tmp_path) as found:
        yield found
