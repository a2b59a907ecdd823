"""Health, counters, the document and its page: what the service says of itself."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from meetbot_calendar.web.health import Probe
from tests.web.house import OpenHouse, app_of, client_of


async def _well() -> str | None:
    return None


async def _ill() -> str | None:
    return "it is not there: start it"


@pytest.mark.parametrize(
    ("probes", "status", "told"),
    [
        ({"database": _well, "redis": _well}, 200, "ok"),
        ({"database": _well, "redis": _ill}, 200, "degraded"),
        ({"database": _ill, "redis": _well}, 503, "down"),
        ({"migrations": _ill, "redis": _ill}, 503, "down"),
    ],
)
async def test_ready_is_as_well_as_its_worst_part(
    house: OpenHouse, probes: dict[str, Probe], status: int, told: str
) -> None:
    async with client_of(app_of(house.services, probes)) as client:
        answer = await client.get("/health/ready")

    assert (answer.status_code, answer.json()["status"]) == (status, told)


async def test_a_part_that_is_ill_says_what_to_do(house: OpenHouse) -> None:
    async with client_of(app_of(house.services, {"database": _ill})) as client:
        answer = await client.get("/health/ready")

    assert answer.json()["parts"] == {
        "database": {"status": "down", "detail": "it is not there: start it"}
    }


async def test_the_process_says_that_it_lives(house: OpenHouse) -> None:
    assert (await house.stranger.get("/health/live")).json() == {"status": "ok"}


async def test_requests_are_counted_by_route_and_not_by_address(house: OpenHouse) -> None:
    await house.stranger.get("/v1/calendar/users/mcu_very_own_id")

    text = (await house.stranger.get("/metrics")).text

    assert 'route="/v1/calendar/users/{user_id}",status="401"' in text
    assert "mcu_very_own_id" not in text


async def _document(house: OpenHouse) -> dict[str, Any]:
    found: dict[str, Any] = (await house.stranger.get("/schema/openapi.json")).json()
    return found


async def test_json_and_yaml_are_one_document(house: OpenHouse) -> None:
    as_yaml = await house.stranger.get("/schema/openapi.yaml")

    assert yaml.safe_load(as_yaml.text) == await _document(house)


async def test_the_document_shows_each_route_once_and_says_where_else_it_is(
    house: OpenHouse,
) -> None:
    document = await _document(house)

    assert document["openapi"].startswith("3.1")
    assert not [path for path in document["paths"] if path.startswith("/api/")]
    assert "/api/v1" in document["info"]["description"]


async def test_every_operation_says_who_may_and_how_it_refuses(house: OpenHouse) -> None:
    document = await _document(house)

    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            problem = operation["responses"]["default"]["content"]["application/problem+json"]
            assert problem == {"schema": {"$ref": "#/components/schemas/Problem"}}, where
            assert operation["summary"], where
            assert operation["description"], where
            assert len(operation["tags"]) == 1, where
            is_public = path.startswith(("/health", "/v1/calendar/oauth"))
            assert not (is_public and operation["security"]), where


async def test_operation_names_are_unique_and_bodies_forbid_what_they_do_not_know(
    house: OpenHouse,
) -> None:
    document = await _document(house)
    operations = [o for item in document["paths"].values() for o in item.values()]
    schemas = document["components"]["schemas"]

    bodies = {
        body
        for operation in operations
        for body in re.findall(r"#/components/schemas/(\w+)", str(operation.get("requestBody")))
    }
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert len(bodies) > 10
    assert all(schemas[body]["additionalProperties"] is False for body in bodies)


async def test_every_reference_in_the_document_leads_somewhere(house: OpenHouse) -> None:
    document = await _document(house)

    for target in set(re.findall(r"'\$ref': '#/([^']*)'", str(document))):
        found: Any = document
        for step in target.split("/"):
            found = found[step]


async def test_the_reference_page_loads_nothing_from_anywhere(house: OpenHouse) -> None:
    page = await house.stranger.get("/schema", Accept="text/html,*/*")

    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert page.status_code == 200
    assert set(loaded) == {"/schema/openapi.json", "/schema/openapi.yaml"}
    assert "url(" not in page.text
    assert "/v1/calendar/users/{user_id}/rules/preview" in page.text


async def test_the_landing_page_says_where_things_are(house: OpenHouse) -> None:
    page = await house.stranger.get("/")

    statuses = [
        (await house.stranger.get(where)).status_code
        for where in re.findall(r'href="([^"]*)"', page.text)
    ]
    assert sorted(set(statuses)) == [200, 303]  # the admin page leads on to its login


async def test_a_program_that_asks_for_the_schema_gets_the_document(house: OpenHouse) -> None:
    answer = await house.stranger.get("/schema", Accept="*/*")

    assert answer.json()["openapi"].startswith("3.1")
