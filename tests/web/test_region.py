"""One installation may be bound to one region: it takes no tenant of another."""

import msgspec
import pytest

from tests.web.house import Door, OpenHouse, app_of, client_of


@pytest.mark.parametrize(
    ("region", "asked", "status", "made"),
    [
        ("eu", None, 201, "eu"),
        ("us", None, 201, "us"),
        ("us", "us", 201, "us"),
        ("us", "eu", 422, None),
        (None, "us", 201, "us"),
    ],
)
async def test_a_tenant_of_another_region_is_refused(
    house: OpenHouse, region: str | None, asked: str | None, status: int, made: str | None
) -> None:
    settled = msgspec.structs.replace(house.services.house, region=region)
    services = msgspec.structs.replace(house.services, house=settled)
    body = {"name": "Acme"} | ({"region": asked} if asked else {})

    async with client_of(app_of(services)) as client:
        answer = await Door(client, house.operator.key).post("/v1/tenants", body)

    told = answer.json()
    assert answer.status_code == status
    assert told.get("tenant", {}).get("region") == made
    if made is None:
        assert told["errors"] == [
            {"pointer": "/region", "detail": "This installation keeps its data in 'us'."}
        ]
