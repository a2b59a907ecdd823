"""What cannot be reached is said to be unreachable, with when to try again and no more."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from meetbot_calendar.web.app import Doors
from tenants.identity import TenantId
from tenants.secrets.key_provider import KeyServiceDown
from tenants.secrets.keyring import Keyring
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine
from tests.web.house import Door, OpenHouse, app_of, client_of


class SealedVault:
    """A key service that is sealed."""

    def __getattr__(self, name: str) -> Any:
        async def sealed(*_: object) -> None:
            raise KeyServiceDown("Vault is sealed: unseal it")

        return sealed


class SealedCiphers:
    async def content(self, tenant_id: TenantId) -> object:
        raise KeyServiceDown(f"Vault is sealed; it was asked for {tenant_id}")


@pytest.fixture
async def without_keys(house: OpenHouse, database_url: str) -> AsyncIterator[Doors]:
    engine = open_engine(database_url, pool_size=2)
    keyring = Keyring(SealedVault(), DataKeys(engine))
    database = Database(engine, SealedCiphers())  # type: ignore[arg-type]
    services = msgspec.structs.replace(house.services, keyring=keyring, database=database)
    yield app_of(services)
    await engine.dispose()


async def test_a_database_that_is_away_is_told_without_its_address(
    house: OpenHouse,
) -> None:
    engine = open_engine("postgresql://meetbot:hush@127.0.0.1:1/meetbot", pool_size=1)
    database = Database(engine, SealedCiphers())  # type: ignore[arg-type]
    services = msgspec.structs.replace(house.services, database=database)

    async with client_of(app_of(services)) as client:
        answer = await Door(client, "mbk_any").get("/v1/api-keys")
    await engine.dispose()

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "hush" not in answer.text
    assert "127.0.0.1" not in answer.text


async def test_a_key_service_that_is_away_is_told_and_makes_no_half_tenant(
    house: OpenHouse, without_keys: Doors
) -> None:
    _, door = await house.tenant("Acme")

    async with client_of(without_keys) as client:
        read = await Door(client, door.key).get("/v1/tenant")
        made = await Door(client, house.operator.key).post("/v1/tenants", {"name": "Late"})

    names = [row["name"] for row in (await house.operator.get("/v1/tenants")).json()["results"]]
    assert (read.status_code, made.status_code) == (503, 503)
    assert "Vault" not in read.text + made.text
    assert names == ["Acme"]
