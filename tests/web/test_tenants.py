"""The operator's tenants: made once, changed, destroyed with their key."""

from pathlib import Path

import pytest

from meetbot_calendar.journeys import closing
from tenants.identity import TenantId
from tests.web.house import OpenHouse


async def test_a_tenant_comes_with_its_first_key(house: OpenHouse) -> None:
    answer = await house.operator.post("/v1/tenants", {"name": "Acme", "retention_days": 30})

    made = answer.json()
    assert answer.status_code == 201
    assert made["tenant"] == {
        "id": made["tenant"]["id"],
        "name": "Acme",
        "region": "eu",
        "retention_days": 30,
        "created_at": "2026-11-20T12:00:00Z",
        "updated_at": "2026-11-20T12:00:00Z",
        "last_purged_at": None,
        "last_purge": {},
        "closing": None,
    }
    assert made["tenant"]["id"].startswith("ten_")
    assert made["api_key"]["key"].startswith(made["api_key"]["prefix"])


async def test_a_tenant_is_read_listed_and_changed(house: OpenHouse) -> None:
    tenant, _ = await house.tenant("Acme")
    path = f"/v1/tenants/{tenant['id']}"

    changed = await house.operator.patch(path, {"name": "Acme Ltd", "retention_days": None})

    assert changed.json()["name"] == "Acme Ltd"
    assert (await house.operator.get(path)).json() == changed.json()
    assert (await house.operator.get("/v1/tenants")).json()["results"] == [changed.json()]


async def test_a_tenant_that_is_not_there_is_missing(house: OpenHouse) -> None:
    operator = house.operator

    answers = [
        await operator.get("/v1/tenants/ten_none"),
        await operator.patch("/v1/tenants/ten_none", {"name": "x"}),
        await operator.delete("/v1/tenants/ten_none"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_a_removed_tenants_keys_open_nothing_and_its_own_key_is_destroyed(
    house: OpenHouse, tmp_path: Path
) -> None:
    tenant, door = await house.tenant()
    kept_before = _files_of(tmp_path, tenant["id"])

    removed = await house.remove(tenant["id"])

    assert removed.status_code == 204
    assert (await door.get("/v1/tenant")).status_code == 401
    assert (await house.operator.get("/v1/tenants")).json()["results"] == []
    assert (len(kept_before), len(_files_of(tmp_path, tenant["id"]))) == (2, 0)


async def test_a_tenant_that_is_being_removed_is_neither_changed_nor_made_again(
    house: OpenHouse,
) -> None:
    made = await house.operator.post("/v1/tenants", {"name": "Acme"}, Idempotency_Key="once")
    tenant_id = made.json()["tenant"]["id"]
    await closing.shut(house.services, TenantId(tenant_id))

    shown = (await house.operator.get(f"/v1/tenants/{tenant_id}")).json()
    answers = [
        await house.operator.patch(f"/v1/tenants/{tenant_id}", {"name": "Saved"}),
        await house.operator.post("/v1/tenants", {"name": "Acme"}, Idempotency_Key="once"),
    ]

    assert shown["closing"] == {"since": "2026-11-20T12:00:00Z", "bots": 0, "connections": 0}
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(409, "tenant_closing")] * 2


def _files_of(folder: Path, tenant_id: str) -> list[Path]:
    return [path for path in folder.rglob("*") if tenant_id in path.name]


async def test_a_repeated_creation_gives_the_same_tenant_and_the_same_key(
    house: OpenHouse,
) -> None:
    body = {"name": "Acme"}

    first = await house.operator.post("/v1/tenants", body, Idempotency_Key="once")
    again = await house.operator.post("/v1/tenants", body, Idempotency_Key="once")
    other = await house.operator.post("/v1/tenants", {"name": "B"}, Idempotency_Key="once")

    assert again.json() == first.json()
    assert len((await house.operator.get("/v1/tenants")).json()["results"]) == 1
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "A", "region": "mars"}, "/region"),
        ({"name": "A", "retention_days": 0}, "/retention_days"),
        ({"name": "A", "plan": "gold"}, "/plan"),
    ],
)
async def test_a_tenant_that_cannot_be_is_refused(
    house: OpenHouse, body: dict[str, object], pointer: str
) -> None:
    answer = await house.operator.post("/v1/tenants", body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
