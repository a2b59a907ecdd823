"""A stage, for those who look at the rows that a whole job leaves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journeys.stage import Stage, set_stage


@pytest.fixture
async def stage(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_stage(database_url, tmp_path) as found:
        yield found
