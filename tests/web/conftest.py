"""The HTTP door over a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from meetbot_calendar.journeys.services import Services
from tenants.storage.session import Database, open_engine
from tests.database import database_url, template_database
from tests.fixed_clock import FixedClock
from tests.web.house import OpenHouse, Rings, client_of, house_rules

__all__ = ["database_url", "template_database"]


class PlainCipher:
    def seal(self, row_id: str, data: bytes) -> bytes:
        return row_id.encode() + b"\x00" + data

    def open(self, row_id: str, sealed: bytes) -> bytes:
        name, _, data = sealed.partition(b"\x00")
        assert name == row_id.encode()
        return data


class PlainCiphers:
    async def content(self, tenant_id):
        return PlainCipher()

    async def destroy(self, tenant_id):
        return None


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[OpenHouse]:
    engine = open_engine(database_url, pool_size=3)
    clock, rings = FixedClock(), Rings()
    services = Services(
        clock=clock,
        database=Database(engine, PlainCiphers()),
        keyring=PlainCiphers(),
        providers={},
        operator_apps={},
        fleet=None,
        poster=None,
        wakeups=rings,
        house=house_rules(),
    )
    async with client_of(services) as client:
        yield OpenHouse(services=services, clock=clock, rings=rings, client=client)
    await engine.dispose()
