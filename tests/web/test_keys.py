"""API keys: shown once, listed by prefix, revoked at once."""

from tests.web.house import OpenHouse


async def test_a_new_tenants_first_key_opens_the_door(house: OpenHouse) -> None:
    _, door = await house.tenant()

    answer = await door.get("/v1/api-keys")

    assert answer.status_code == 200
    assert [key["name"] for key in answer.json()["results"]] == ["first key"]
