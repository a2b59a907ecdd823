"""What a tenant settles for itself: checked to the last entry, and decided by at once."""

import pytest

from tests.web.house import Json, OpenHouse

_SKIP_ALL = {"rules": [{"name": "hr", "action": "skip", "when": True}]}


async def test_a_new_tenants_policy_shows_the_defaults(house: OpenHouse) -> None:
    tenant, door = await house.tenant()

    policy = (await door.get("/v1/tenant")).json()

    assert policy == {
        "id": tenant["id"],
        "name": "Acme",
        "region": "eu",
        "retention_days": None,
        "join_lead_seconds": 90.0,
        "default_bot_config": {},
        "default_rules": None,
        "redirect_urls": [],
        "internal_domains": [],
        "dedupe": "meeting",
        "policy_rules": None,
        "opt_out": {"emails": [], "domains": [], "rooms": []},
        "record_declined": False,
        "join_late": True,
        "created_at": "2026-11-20T12:00:00Z",
        "updated_at": "2026-11-20T12:00:00Z",
        "last_purged_at": None,
        "last_purge": {},
    }


async def test_what_is_changed_stays_and_the_rest_as_well(house: OpenHouse) -> None:
    _, door = await house.tenant()
    change: Json = {
        "retention_days": 90,
        "join_lead_seconds": 60,
        "default_bot_config": {"bot_name": "Acme Notes"},
        "redirect_urls": ["https://acme.com/back?x=1", "http://127.0.0.1:3000/back"],
        "internal_domains": ["acme.com"],
        "policy_rules": _SKIP_ALL,
        "opt_out": {"emails": ["ann@acme.com"], "rooms": ["https://meet.google.com/abc-defg-hij"]},
    }
    await door.patch("/v1/tenant", change)

    policy = (await door.patch("/v1/tenant", {"dedupe": "user"})).json()

    assert {name: policy[name] for name in change} == change | {
        "opt_out": change["opt_out"] | {"domains": []}
    }
    assert policy["dedupe"] == "user"


async def test_addresses_and_domains_are_taken_in_whatever_case(house: OpenHouse) -> None:
    _, door = await house.tenant()
    opt_out = {"emails": ["Ann@Acme.com"], "domains": ["ACME.com"]}

    answer = await door.patch("/v1/tenant", {"internal_domains": ["Acme.COM"], "opt_out": opt_out})

    policy = answer.json()
    assert policy["internal_domains"] == ["acme.com"]
    assert policy["opt_out"] == {"emails": ["ann@acme.com"], "domains": ["acme.com"], "rooms": []}


async def test_null_takes_a_setting_back(house: OpenHouse) -> None:
    _, door = await house.tenant()
    await door.patch("/v1/tenant", {"join_lead_seconds": 5, "policy_rules": _SKIP_ALL})

    policy = await door.patch("/v1/tenant", {"join_lead_seconds": None, "policy_rules": None})

    assert policy.json()["join_lead_seconds"] == 90.0
    assert policy.json()["policy_rules"] is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"redirect_urls": ["https://a.com/", "http://a.com/"]}, "/redirect_urls/1"),
        ({"redirect_urls": ["ftp://a.com/"]}, "/redirect_urls/0"),
        ({"redirect_urls": ["https://a.com/#x"]}, "/redirect_urls/0"),
        ({"redirect_urls": ["https://u:p@a.com/"]}, "/redirect_urls/0"),
        ({"redirect_urls": ["https://[a.com/"]}, "/redirect_urls/0"),
        ({"redirect_urls": ["https:///x"]}, "/redirect_urls/0"),
        ({"redirect_urls": ["https://a.com/ b"]}, "/redirect_urls/0"),
        ({"internal_domains": ["acme.com", "*.acme.com"]}, "/internal_domains/1"),
        ({"opt_out": {"emails": ["nobody"]}}, "/opt_out/emails/0"),
        ({"opt_out": {"domains": ["@acme.com"]}}, "/opt_out/domains/0"),
        ({"opt_out": {"rooms": ["https://acme.com"]}}, "/opt_out/rooms/0"),
        ({"opt_out": {"people": []}}, "/opt_out/people"),
        ({"dedupe": "never"}, "/dedupe"),
        ({"join_lead_seconds": -1}, "/join_lead_seconds"),
        ({"record_declined": 1}, "/record_declined"),
        ({"name": "Other"}, "/name"),
        ({"default_rules": {"rules": [{"name": "x"}]}}, "/default_rules/rules/0"),
        ({"default_bot_config": {"x": "y" * 40000}}, "/default_bot_config"),
    ],
)
async def test_a_policy_that_cannot_be_is_refused_and_changes_nothing(
    house: OpenHouse, change: Json, pointer: str
) -> None:
    _, door = await house.tenant()
    before = (await door.get("/v1/tenant")).json()

    answer = await door.patch("/v1/tenant", change | {"join_late": False})

    assert answer.status_code == 422
    assert all(fault["pointer"].startswith(pointer) for fault in answer.json()["errors"])
    assert (await door.get("/v1/tenant")).json() == before


async def test_policy_rules_may_skip_and_nothing_else(house: OpenHouse) -> None:
    _, door = await house.tenant()
    recording = {"rules": [{"name": "all", "action": "record", "when": True}]}

    answer = await door.patch("/v1/tenant", {"policy_rules": recording})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/policy_rules/rules/0/action"


async def test_an_oauth_app_is_kept_and_its_secret_never_told(house: OpenHouse) -> None:
    _, door = await house.tenant()
    body = {"client_id": "acme.apps.example", "client_secret": "hush-hush"}

    saved = await door.put("/v1/oauth-apps/microsoft", body)
    listed = await door.get("/v1/oauth-apps")
    read = await door.get("/v1/oauth-apps/outlook")

    assert saved.json() == {
        "provider": "outlook",
        "client_id": "acme.apps.example",
        "created_at": "2026-11-20T12:00:00Z",
        "updated_at": "2026-11-20T12:00:00Z",
    }
    assert listed.json()["results"] == [saved.json()]
    assert read.json() == saved.json()
    assert all("hush-hush" not in answer.text for answer in (saved, listed, read))


async def test_an_oauth_app_that_is_not_there_is_missing(house: OpenHouse) -> None:
    _, door = await house.tenant()

    answers = [
        await door.get("/v1/oauth-apps/google"),
        await door.delete("/v1/oauth-apps/google"),
        await door.get("/v1/oauth-apps/yahoo"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_what_keys_change_stands_in_the_audit_log(house: OpenHouse) -> None:
    tenant, door = await house.tenant()
    await door.patch("/v1/tenant", {"join_late": False})

    rows = (await door.get("/v1/audit-log")).json()["results"]

    assert {(row["action"], row["actor"] == "operator") for row in rows} == {
        ("tenant.created", True),
        ("tenant.policy_changed", False),
    }
    changed = next(row for row in rows if row["action"] == "tenant.policy_changed")
    assert (changed["target"], changed["details"]) == (tenant["id"], {"fields": ["join_late"]})
