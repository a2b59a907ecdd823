"""The audit log: every route that changes something leaves who did it, what, to what, and when."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest
from httpx import Response
from redis.asyncio import Redis

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.gateways.limits import open_limits
from tests.journeys.stage import BOB, MEET
from tests.web.house import OPERATOR_KEY, Door, Json, OpenHouse, app_of, client_of
from tests.web.staged import RECORD_ALL, SKIP_ALL, Staged

SENT_TO_US = {"take_notice", "take_report", "take_fleet_notice"}  # by no key, and signed or secret
ASKS_ONLY = {"preview_rules"}


class Scene(msgspec.Struct, kw_only=True):
    """A tenant with a person, a bot, an endpoint, a key and a delivery to do things to."""

    staged: Staged
    ann: str
    bots: list[str]
    calendar: str
    endpoint: str
    delivery: str
    key: str

    @property
    def door(self) -> Door:
        return self.staged.door

    @property
    def operator(self) -> Door:
        return self.staged.with_key(OPERATOR_KEY)

    @property
    def person(self) -> str:
        return f"/v1/calendar/users/{self.ann}"

    @property
    def tenant(self) -> str:
        return f"/v1/tenants/{self.staged.stage.context.tenant_id}"


Deed = Callable[[Scene], Awaitable[Response]]
CONSENT: Json = {"customer_user_id": "ann"}
APP: Json = {"client_id": "own", "client_secret": "hush"}
HOOK: Json = {"url": "https://hooks.example.com/x", "events": ["*"]}

DEEDS: dict[str, tuple[Deed, str]] = {
    "change_bot": (
        lambda s: s.door.patch(f"/v1/bots/{s.bots[0]}", {"bot_config": {"bot_name": "x"}}),
        "bot.changed",
    ),
    "cancel_bot": (lambda s: s.door.delete(f"/v1/bots/{s.bots[0]}"), "bot.cancelled"),
    "change_own_tenant": (
        lambda s: s.door.patch("/v1/tenant", {"record_declined": True}),
        "tenant.policy_changed",
    ),
    "save_oauth_app": (lambda s: s.door.put("/v1/oauth-apps/outlook", APP), "oauth_app.saved"),
    "remove_oauth_app": (lambda s: s.door.delete("/v1/oauth-apps/outlook"), "oauth_app.removed"),
    "create_api_key": (lambda s: s.door.post("/v1/api-keys", {"name": "x"}), "api_key.created"),
    "revoke_api_key": (lambda s: s.door.delete(f"/v1/api-keys/{s.key}"), "api_key.revoked"),
    "begin_connection": (
        lambda s: s.door.post("/v1/calendar/connect/outlook", CONSENT),
        "calendar.connect_begun",
    ),
    "change_calendar_user": (
        lambda s: s.door.patch(s.person, {"attributes": {"team": "x"}}),
        "calendar_user.changed",
    ),
    "select_calendar": (
        lambda s: s.door.patch(f"{s.person}/calendars/{s.calendar}", {"selected": False}),
        "calendar.deselected",
    ),
    "sync_now": (lambda s: s.door.post(f"{s.person}/sync"), "request.sync_now"),
    "save_rules": (lambda s: s.door.put(f"{s.person}/rules", SKIP_ALL), "rules.saved"),
    "remove_rules": (lambda s: s.door.delete(f"{s.person}/rules"), "rules.removed"),
    "restore_rules": (
        lambda s: s.door.post(f"{s.person}/rules/restore", {"version": 1}),
        "rules.restored",
    ),
    "create_webhook_endpoint": (
        lambda s: s.door.post("/v1/webhook-endpoints", HOOK),
        "endpoint.created",
    ),
    "change_webhook_endpoint": (
        lambda s: s.door.patch(f"/v1/webhook-endpoints/{s.endpoint}", {"description": "x"}),
        "endpoint.changed",
    ),
    "rotate_webhook_secret": (
        lambda s: s.door.post(f"/v1/webhook-endpoints/{s.endpoint}/rotate-secret"),
        "endpoint.secret_rotated",
    ),
    "test_webhook_endpoint": (
        lambda s: s.door.post(f"/v1/webhook-endpoints/{s.endpoint}/test"),
        "endpoint.tested",
    ),
    "redeliver": (
        lambda s: s.door.post(f"/v1/webhook-deliveries/{s.delivery}/redeliver"),
        "delivery.sent_again",
    ),
    "remove_webhook_endpoint": (
        lambda s: s.door.delete(f"/v1/webhook-endpoints/{s.endpoint}"),
        "endpoint.removed",
    ),
    "erase_calendar_user": (lambda s: s.door.delete(s.person), "calendar_user.erased"),
    "change_tenant": (lambda s: s.operator.patch(s.tenant, {"name": "Acme Ltd"}), "tenant.changed"),
}


async def scene(staged: Staged) -> Scene:
    endpoint = await staged.stage.listen()
    await staged.meet("Kick-off", link=MEET)
    ann = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{ann}/rules", RECORD_ALL)
    calendars = (await staged.door.get(f"/v1/calendar/users/{ann}/calendars")).json()["results"]
    deliveries = (await staged.door.get("/v1/webhook-deliveries")).json()["results"]
    key = (await staged.door.post("/v1/api-keys", {"name": "old"})).json()["id"]
    return Scene(
        staged=staged,
        ann=ann,
        bots=[bot.id for bot in await staged.stage.bots()],
        calendar=calendars[0]["id"],
        endpoint=endpoint,
        delivery=deliveries[0]["id"],
        key=key,
    )


async def written(staged: Staged) -> Counter[str]:
    """Count the actions in the log."""
    return Counter(await staged.stage.look("select action from audit_log"))


async def test_every_route_that_changes_something_leaves_an_entry(staged: Staged) -> None:
    set_up = await scene(staged)
    left: dict[str, tuple[int, set[str]]] = {}

    for name, (deed, _) in DEEDS.items():
        before = await written(staged)
        answer = await deed(set_up)
        left[name] = (answer.status_code // 100, set(await written(staged) - before))

    left["erase_calendar_user"][1].discard("connection.removed")
    assert left == {name: (2, {action}) for name, (_, action) in DEEDS.items()}


async def test_a_route_that_nobody_thought_of_here_is_witnessed_all_the_same(
    house: OpenHouse,
) -> None:
    document = (await house.stranger.get("/schema/openapi.json")).json()
    changing = {
        operation["operationId"]: operation
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in {"post", "put", "patch", "delete"}
    }
    unasked = changing.keys() - DEEDS.keys() - SENT_TO_US - ASKS_ONLY

    for name in unasked - {"create_tenant", "remove_tenant"}:
        assert changing[name]["security"] != [], f"{name} is open to everybody"
    assert changing.keys() >= DEEDS.keys() | ASKS_ONLY


async def test_what_no_journey_writes_down_the_door_does_once(staged: Staged) -> None:
    ann = await staged.ann()
    path = f"/v1/calendar/users/{ann}/sync"

    first = await staged.door.post(path, None, Idempotency_Key="once")
    await staged.door.post(path, None, Idempotency_Key="once")
    await staged.door.post("/v1/calendar/users/mcu_none/sync")

    assert first.status_code == 200
    log = (await staged.door.get("/v1/audit-log?action=request.sync_now")).json()["results"]
    assert [(entry["action"], entry["target"]) for entry in log] == [("request.sync_now", ann)]


async def test_a_new_tenants_log_begins_with_the_operator_and_nothing_is_told_of_secrets(
    house: OpenHouse,
) -> None:
    tenant, door = await house.tenant()
    made = await door.post("/v1/webhook-endpoints", HOOK)
    await door.put("/v1/oauth-apps/google", APP)

    answer = await door.get("/v1/audit-log")

    (first,) = [row for row in answer.json()["results"] if row["actor"] == "operator"]
    assert (first["action"], first["target"]) == ("tenant.created", tenant["id"])
    assert made.json()["secret"] not in answer.text
    assert "hush" not in answer.text
    assert str(door.key) not in answer.text


async def test_the_log_says_from_where_and_is_sought_by_who_what_whom_and_when(
    house: OpenHouse,
) -> None:
    _, door = await house.tenant()
    await house.clock.advance(timedelta(seconds=10))
    made = (await door.post("/v1/api-keys", {"name": "x"})).json()
    await house.clock.advance(timedelta(seconds=10))
    other = house.with_key(made["key"])
    await other.patch("/v1/tenant", {"record_declined": True})

    async def sought(query: str) -> list[str]:
        rows = (await door.get(f"/v1/audit-log?{query}")).json()["results"]
        return [row["action"] for row in rows]

    (entry,) = (await door.get(f"/v1/audit-log?actor={made['id']}")).json()["results"]
    assert (entry["action"], entry["address"]) == ("tenant.policy_changed", "127.0.0.1")
    assert await sought("action=api_key.created") == ["api_key.created"]
    assert await sought(f"target={made['id']}") == ["api_key.created"]
    assert await sought("from=2026-11-20T12:00:10Z&to=2026-11-20T12:00:20Z") == ["api_key.created"]
    assert await sought("actor=nobody") == []
    assert (await door.get("/v1/audit-log?from=yesterday")).status_code == 400


async def test_a_cursor_of_one_search_is_none_of_another(house: OpenHouse) -> None:
    _, door = await house.tenant()
    await house.clock.advance(timedelta(seconds=1))
    await door.post("/v1/api-keys", {"name": "x"})

    page = (await door.get("/v1/audit-log?limit=1")).json()
    rest = (await door.get(f"/v1/audit-log?limit=1&cursor={page['next']}")).json()
    wrong = await door.get(f"/v1/audit-log?action=api_key.created&cursor={page['next']}")

    actions = [row["action"] for row in (*page["results"], *rest["results"])]
    assert actions == ["api_key.created", "tenant.created"]
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_cursor")


async def test_an_export_and_a_consent_are_written_down(staged: Staged) -> None:
    await staged.consent(Provider.OUTLOOK, {"customer_user_id": "bob"})
    (bob,) = (await staged.door.get("/v1/calendar/users")).json()["results"]
    await staged.door.get(f"/v1/calendar/users/{bob['id']}/export")

    log = (await staged.door.get("/v1/audit-log")).json()["results"]

    told = {entry["action"]: entry["actor"] for entry in log}
    assert told["connection.made"] == f"consent:{bob['id']}"
    assert told["calendar_user.exported"].startswith("key_")
    assert BOB not in str(log)


@pytest.fixture
async def counted(house: OpenHouse, servers: ServerState) -> AsyncIterator[OpenHouse]:
    """A house that counts."""
    async with Redis.from_url(servers.redis_url) as redis:
        await redis.flushall()
    async with open_limits(servers.redis_url) as limits:
        services = msgspec.structs.replace(house.services, limits=limits)
        async with client_of(app_of(services)) as client:
            yield msgspec.structs.replace(house, services=services, client=client)


async def test_a_revoked_key_that_is_still_used_is_written_down_once_an_hour(
    counted: OpenHouse,
) -> None:
    _, door = await counted.tenant()
    made = (await door.post("/v1/api-keys", {"name": "lost"})).json()
    await door.delete(f"/v1/api-keys/{made['id']}")

    statuses = {(await counted.with_key(made["key"]).get("/v1/tenant")).status_code for _ in "abc"}
    await counted.clock.advance(timedelta(hours=1))
    await counted.with_key(made["key"]).get("/v1/tenant")

    log = (await door.get("/v1/audit-log?action=api_key.refused")).json()["results"]
    assert statuses == {401}
    assert [entry["actor"] for entry in log] == [made["id"]] * 2
