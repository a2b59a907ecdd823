"""Servers that tests share: real ones, started once, under a folder of their own."""

from collections.abc import Iterator

import pytest

from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.embedded.state import ServerState
from tests.database import database_url, template_database

__all__ = ["database_url", "template_database"]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerState]:
    """PostgreSQL and Valkey of this test run: ``owner_url``, ``app_url``, ``redis_url``."""
    embedded = EmbeddedServers(tmp_path_factory.mktemp("servers"), durable=False)
    yield embedded.start()
    embedded.stop()
