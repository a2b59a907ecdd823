"""The HTTP door over a database of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meetbot_calendar.journeys.services import Services
from tenants.identity import TenantId
from tenants.secrets.keyring import Keyring, TenantCipher
from tenants.secrets.local import LocalKeys
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine
from tests.database import database_url, template_database
from tests.fixed_clock import FixedClock
from tests.web.house import OpenHouse, Rings, client_of, house_rules

__all__ = ["database_url", "template_database"]


class ContentCiphers:
    """The keyring, as sessions ask for it."""

    def __init__(self, keyring: Keyring, clock: FixedClock) -> None:
        self._keyring = keyring
        self._clock = clock

    async def content(self, tenant_id: TenantId) -> TenantCipher:
        return await self._keyring.cipher(tenant_id, "content", self._clock.now())


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[OpenHouse]:
    engine = open_engine(database_url, pool_size=3)
    clock, rings = FixedClock(), Rings()
    keyring = Keyring(LocalKeys(tmp_path / "keys"), DataKeys(engine))
    services = Services(
        clock=clock,
        database=Database(engine, ContentCiphers(keyring, clock)),
        keyring=keyring,
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
