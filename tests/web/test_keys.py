"""API keys: shown once, listed by prefix, bound, expiring, revoked at once."""

from datetime import timedelta
from itertools import chain

from tenants.identity import TenantId
from tenants.storage import users
from tests.fixed_clock import NOON
from tests.web.house import Door, OpenHouse


async def _person(house: OpenHouse, tenant_id: str, name: str) -> str:
    async with house.services.database.tenant(TenantId(tenant_id)) as session:
        user, _ = await users.ensure(session, name, house.clock.now())
    return user.id


async def test_a_key_is_shown_once_and_listed_by_its_prefix(house: OpenHouse) -> None:
    _, door = await house.tenant()
    await house.clock.advance(timedelta(seconds=1))

    made = (await door.post("/v1/api-keys", {"name": "server"})).json()
    listed = (await door.get("/v1/api-keys")).json()

    assert made["key"].startswith(made["prefix"])
    assert [row["name"] for row in listed["results"]] == ["server", "first key"]
    assert listed["results"][0] == {
        "id": made["id"],
        "name": "server",
        "prefix": made["key"][:12],
        "user_id": None,
        "created_at": "2026-11-20T12:00:01Z",
        "expires_at": None,
        "last_used_at": None,
        "revoked_at": None,
    }


async def test_a_key_opens_the_door_by_bearer_and_by_token_under_both_paths(
    house: OpenHouse,
) -> None:
    _, door = await house.tenant()
    bare = house.stranger

    asked = [
        await bare.get("/v1/api-keys", Authorization=f"Bearer {door.key}"),
        await bare.get("/v1/api-keys", Authorization=f"Token {door.key}"),
        await bare.get("/api/v1/api-keys", Authorization=f"token  {door.key}"),
    ]

    assert [answer.status_code for answer in asked] == [200, 200, 200]


async def test_a_missing_or_wrong_key_is_refused_and_told_how(house: OpenHouse) -> None:
    missing = await house.stranger.get("/v1/api-keys")
    wrong = await house.with_key("mbk_wrong").get("/v1/api-keys")
    odd = await house.stranger.get("/v1/api-keys", Authorization="Basic YTpi")

    assert [answer.status_code for answer in (missing, wrong, odd)] == [401, 401, 401]
    assert missing.headers["www-authenticate"].startswith("Bearer")
    assert missing.json()["code"] == "unauthenticated"


async def test_the_operators_key_opens_tenants_alone_and_no_other_key_does(
    house: OpenHouse,
) -> None:
    _, door = await house.tenant()

    assert (await house.operator.get("/v1/api-keys")).status_code == 401
    assert (await door.get("/v1/tenants")).status_code == 401
    assert (await house.operator.get("/v1/tenants")).status_code == 200


async def test_a_revoked_key_is_refused_at_once_and_stays_listed(house: OpenHouse) -> None:
    _, door = await house.tenant()
    await house.clock.advance(timedelta(seconds=1))
    made = (await door.post("/v1/api-keys", {"name": "lost"})).json()
    lost = house.with_key(made["key"])

    revoked = await door.delete(f"/v1/api-keys/{made['id']}")
    again = await door.delete(f"/v1/api-keys/{made['id']}")

    assert (revoked.status_code, again.status_code) == (204, 404)
    assert (await lost.get("/v1/api-keys")).status_code == 401
    rows = (await door.get("/v1/api-keys")).json()["results"]
    assert rows[0]["revoked_at"] == "2026-11-20T12:00:01Z"


async def test_a_key_expires(house: OpenHouse) -> None:
    _, door = await house.tenant()
    later = (NOON + timedelta(hours=1)).isoformat()
    made = (await door.post("/v1/api-keys", {"name": "short", "expires_at": later})).json()
    short = house.with_key(made["key"])

    before = (await short.get("/v1/api-keys")).status_code
    await house.clock.advance(timedelta(hours=1))

    assert (before, (await short.get("/v1/api-keys")).status_code) == (200, 401)


async def test_an_expiry_in_the_past_or_an_unknown_user_is_refused_with_its_place(
    house: OpenHouse,
) -> None:
    _, door = await house.tenant()

    past = await door.post("/v1/api-keys", {"name": "x", "expires_at": "2026-01-01T00:00:00Z"})
    nobody = await door.post("/v1/api-keys", {"name": "x", "user_id": "mcu_nobody"})

    assert (past.status_code, nobody.status_code) == (422, 422)
    assert past.json()["errors"][0]["pointer"] == "/expires_at"
    assert nobody.json()["errors"][0]["pointer"] == "/user_id"


async def test_last_use_is_written_once_a_minute(house: OpenHouse) -> None:
    _, door = await house.tenant()

    async def last_used() -> str:
        row = (await door.get("/v1/api-keys")).json()["results"][0]
        return str(row["last_used_at"])

    first = await last_used()
    await house.clock.advance(timedelta(seconds=30))
    second = await last_used()
    await house.clock.advance(timedelta(seconds=40))
    third = await last_used()

    assert [first, second, third] == [
        "2026-11-20T12:00:00Z",
        "2026-11-20T12:00:00Z",
        "2026-11-20T12:01:10Z",
    ]


async def test_a_key_of_one_person_sees_that_person_and_nothing_else(house: OpenHouse) -> None:
    tenant, door = await house.tenant()
    ann, bob = [await _person(house, tenant["id"], name) for name in ("ann", "bob")]
    hers = await house.person_key(door, ann)

    own = await hers.get(f"/v1/calendar/users/{ann}")
    listed = await hers.get("/v1/calendar/users")

    assert own.json()["customer_user_id"] == "ann"
    assert [row["id"] for row in listed.json()["results"]] == [ann]
    assert await _statuses(hers, bob) == {404}


async def _statuses(door: Door, other: str) -> set[int]:
    paths = [
        f"/v1/calendar/users/{other}",
        f"/v1/calendar/users/{other}/events",
        f"/v1/calendar/users/{other}/rules",
        f"/v1/calendar/users/{other}/connections",
        f"/v1/bots?user_id={other}",
        "/v1/api-keys",
        "/v1/tenant",
        "/v1/webhook-endpoints",
        "/v1/webhook-messages",
        "/v1/usage",
        "/v1/audit-log",
        "/v1/oauth-apps",
    ]
    return {(await door.get(path)).status_code for path in paths}


async def test_another_tenants_things_are_not_there(house: OpenHouse) -> None:
    tenant, door = await house.tenant("Acme")
    ann = await _person(house, tenant["id"], "ann")
    made = (await door.post("/v1/api-keys", {"name": "mine"})).json()
    _, other = await house.tenant("Other")

    assert (await other.get(f"/v1/calendar/users/{ann}")).status_code == 404
    assert (await other.delete(f"/v1/api-keys/{made['id']}")).status_code == 404
    assert (await other.get("/v1/calendar/users")).json()["results"] == []


async def test_pages_of_keys_lead_on_and_back(house: OpenHouse) -> None:
    _, door = await house.tenant()
    for number in range(4):
        await door.post("/v1/api-keys", {"name": f"key {number}"})

    first = (await door.get("/v1/api-keys?limit=2")).json()
    second = (await door.get(f"/v1/api-keys?limit=2&cursor={first['next']}")).json()
    third = (await door.get(f"/v1/api-keys?limit=2&cursor={second['next']}")).json()
    back = (await door.get(f"/v1/api-keys?limit=2&cursor={second['previous']}")).json()

    names = [[row["name"] for row in page["results"]] for page in (first, second, third)]
    assert sorted(chain.from_iterable(names)) == ["first key", "key 0", "key 1", "key 2", "key 3"]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    assert (first["previous"], third["next"]) == (None, None)
    assert back["results"] == first["results"]


async def test_a_cursor_of_another_list_is_refused(house: OpenHouse) -> None:
    _, door = await house.tenant()
    await door.post("/v1/api-keys", {"name": "another"})
    cursor = (await door.get("/v1/api-keys?limit=1")).json()["next"]

    answers = [
        await door.get(f"/v1/audit-log?cursor={cursor}"),
        await door.get("/v1/api-keys?cursor=nonsense"),
        await door.get("/v1/api-keys?cursor=%C3%A9"),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert {answer.json()["code"] for answer in answers} == {"invalid_cursor"}
