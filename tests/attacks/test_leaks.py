"""Attempts to find a secret somewhere: the whole product runs a story, and all it leaves is read.

Whoever steals the database, Redis, a log, a page of metrics or the list of processes gets nothing.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
import redis

from meetbot_calendar.sandbox.meetings import Guest
from tenants.identity import TenantId
from tenants.secrets.key_provider import PURPOSES, TenantKey
from tenants.secrets.local import LocalKeys
from tests.attacks.running import Running, canary, family, running, said_of
from tests.attacks.searching import Hunt, forms_of
from tests.gateways.far_ends import allowed

ANN, BOB = "ann@acme.example", "bob@acme.example"
# Files that are there to hold secrets; nobody else may read them.
KEPT = {"operator.key", "servers.json", "keys"}
CAME_UP = {
    "tenant key", "person's key", "webhook secret", "newer webhook secret", "app at google",
    "app at outlook", "state at google", "state at outlook", "code", "refresh token",
    "access token",
}  # fmt: skip
TITLE = canary("title")
# No secret to those whom it concerns, and nobody else's business.
PRIVATE: dict[str, str | bytes] = {
    "Ann's account": ANN,
    "Bob's account": BOB,
    "a guest": "dana@customer.example",
    "a room": "abc-defg-hij",
    "where the tenant is told": "/customer/webhooks/acme",
}


async def connect(run: Running, key: str, provider: str, email: str) -> dict[str, str]:
    """Consent, come back, and come back once more with the same answer."""
    body = {"customer_user_id": email, "login_hint": email}
    link = await run.told("POST", f"/v1/calendar/connect/{provider}", key, body)
    answer = await allowed(run.transport, link["url"], email=email)
    back = f"/v1/calendar/oauth/callback/{provider}?{urlencode(answer)}"
    assert (await run.ask("GET", back, None)).status == 200
    assert (await run.ask("GET", back, None)).status == 400
    return {"state": answer["state"], "code": answer["code"]}


async def tell_story(run: Running) -> dict[str, str | bytes]:
    """Let everything happen once, with trouble; returns the secrets that came up."""
    world = run.world
    world.directory.add_account("google", ANN, "Ann", zone="Europe/Berlin")
    world.directory.add_account("outlook", BOB, "Bob", zone="Europe/Berlin")
    soon = world.clock.now() + timedelta(minutes=4)
    for email in (ANN, BOB):
        guests = [Guest(email="dana@customer.example", response="accepted")]
        link = "https://meet.google.com/abc-defg-hij"
        world.add_meeting(
            email, TITLE, soon, soon + timedelta(minutes=2), attendees=guests, link=link
        )
    found: dict[str, str | bytes] = {}
    made = await run.told("POST", "/v1/tenants", run.planted.operator, {"name": "Acme"})
    found["tenant key"] = key = made["api_key"]["key"]
    hook = {"url": f"{run.sandbox_url}/customer/webhooks/acme", "events": ["*"]}
    endpoint = await run.told("POST", "/v1/webhook-endpoints", key, hook)
    found["webhook secret"] = endpoint["secret"]
    rotate = f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret"
    found["newer webhook secret"] = (await run.told("POST", rotate, key))["secret"]
    for provider in ("google", "outlook"):
        found[f"app at {provider}"] = canary(f"own-{provider}")
        app = {"client_id": "own", "client_secret": found[f"app at {provider}"]}
        assert (await run.ask("PUT", f"/v1/oauth-apps/{provider}", key, app)).is_success
        assert (await run.ask("DELETE", f"/v1/oauth-apps/{provider}", key)).is_success
    for provider, email in (("google", ANN), ("outlook", BOB)):
        told = await connect(run, key, provider, email)
        found |= {f"{what} at {provider}": secret for what, secret in told.items()}
    users = (await run.ask("GET", "/v1/calendar/users", key)).json()["results"]
    person = await run.told("POST", "/v1/api-keys", key, {"name": "x", "user_id": users[0]["id"]})
    found["person's key"] = person["key"]
    for user in users:
        rules = {"default": "record", "rules": []}
        await run.ask("PUT", f"/v1/calendar/users/{user['id']}/rules", key, rules)
        await run.ask("POST", f"/v1/calendar/users/{user['id']}/sync", key)
    await run.heard("bot.completed")
    await have_trouble(run, key, [user["id"] for user in users])
    return found | _of_providers(run) | {"tenant": made["tenant"]["id"]}


async def have_trouble(run: Running, key: str, users: list[str]) -> None:
    """Let providers fail and refuse, and the endpoint too."""
    faults = run.world.faults
    for target, kind in (
        ("google.events", "500"), ("microsoft.delta", "503_html"), ("google.token", "503_json"),
        ("google.events", "401"), ("microsoft.delta", "401_claims"), ("customer.webhooks", "500"),
    ):  # fmt: skip
        faults.add(target, kind)
    for user in users:
        await run.ask("POST", f"/v1/calendar/users/{user}/sync", key)
    faults.add("google.events", "401")
    faults.add("google.token", "invalid_grant", times=5)
    faults.add("microsoft.delta", "401_claims")
    faults.add("microsoft.token", "invalid_grant", times=5)
    for user in users:
        await run.ask("POST", f"/v1/calendar/users/{user}/sync", key)
        await run.ask("GET", f"/v1/calendar/users/{user}/connections", key)
        await run.ask("GET", f"/v1/calendar/users/{user}/export", key)
    for path in ("/v1/audit-log", "/v1/webhook-deliveries", "/v1/api-keys", "/v1/oauth-apps"):
        assert (await run.ask("GET", path, key)).is_success


def _of_providers(run: Running) -> dict[str, str | bytes]:
    grants = run.world.state.grants
    return {
        **{f"refresh token {n}": token for n, token in enumerate(grants.refresh)},
        **{f"access token {n}": token for n, token in enumerate(grants.access)},
        **{f"code {n}": code for n, code in enumerate(grants.codes)},
        **{f"watch secret {w.id}": w.secret for w in run.world.state.watches.values()},
    }


async def send_nonsense(run: Running, key: str, secret: str) -> None:
    """Put a secret wherever a request has room for it, in ways that are all refused."""
    bearer = {"authorization": f"Bearer {secret}"}
    written = quote(secret, safe="")
    where = "/v1/webhook-endpoints"
    for headers in (bearer, {"authorization": f"Basic {secret}"}, {"x-api-key": secret}):
        await run.ask("GET", "/v1/bots", None, headers=headers)
    await run.ask("GET", f"/v1/bots?cursor={written}&access_token={written}&key={written}", key)
    await run.ask("GET", f"/v1/bots/{written}", key)
    await run.ask("GET", f"/v1/{written}", key)
    await run.ask("POST", where, key, {secret: 1})
    await run.ask("POST", where, key, content=f'{{"url": "{secret}'.encode())
    await run.ask("POST", where, key, {"url": f"https://x:{written}@acme.example/", "events": []})
    await run.ask("POST", where, key, content=secret.encode(), headers={"content-type": "text/x"})
    for provider in ("google", "outlook"):
        back = f"/v1/calendar/oauth/callback/{provider}"
        for answer in (
            {"state": secret, "code": secret},
            {"state": secret, "error": secret, "error_description": secret},
        ):
            await run.ask("GET", f"{back}?{urlencode(answer)}", None)
        notice = f"/v1/calendar/notifications/{provider}/{written}"
        said = {"x-goog-channel-id": secret, "x-goog-channel-token": secret}
        body = {"value": [{"clientState": secret, "subscriptionId": secret}]}
        await run.ask("POST", notice, None, body, headers=said)
    signed = {"webhook-id": secret, "webhook-timestamp": "1", "webhook-signature": f"v1,{secret}"}
    await run.ask("POST", "/v1/bots/bot_1/status", None, {"type": secret}, headers=signed)


def rows_of_all(run: Running, tenants: list[str]) -> list[str]:
    """Return the database as text: every row of every table, as each role sees it."""
    found = []
    with psycopg.connect(run.stores.app_url) as connection:
        for scope in tenants:
            taken = "select set_config('role', 'meetbot_tenant', true), set_config('app.scope', %s, true)"  # noqa: E501
            connection.execute(taken, (scope,))
            tables = connection.execute(
                "select relname::text from pg_class where relkind = 'r'"
                " and relnamespace = 'public'::regnamespace"
                " and has_table_privilege(oid, 'select')"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(f"select t::text from {table} t".encode()).fetchall()  # noqa: S608
                found += [f"{table} {row}" for (row,) in rows]
            connection.rollback()
    return found


async def data_keys(run: Running, tenant_id: str) -> dict[str, bytes]:
    """Unwrap the tenant's data keys, as only the running service can."""
    keys = LocalKeys(run.data_dir / "keys")
    found: dict[str, bytes] = {"master key": (run.data_dir / "keys" / "master.key").read_bytes()}
    with psycopg.connect(run.stores.app_url) as connection:
        taken = (
            "select set_config('role', 'meetbot_tenant', true), set_config('app.scope', %s, true)"
        )
        connection.execute(taken, (tenant_id,))
        wrapped = connection.execute("select id, under, wrapped from data_keys").fetchall()
    assert len(wrapped) >= len(PURPOSES)
    for name, under, sealed in wrapped:
        found[name] = bytes(await keys.unwrap(TenantKey(TenantId(tenant_id), under), sealed))
    return found


def everything_in_redis(run: Running) -> bytes:
    client: Any = redis.Redis.from_url(run.stores.redis_url)
    parts = [repr(client.client_list()), repr(client.slowlog_get(1000))]
    found = "\n".join(parts).encode()
    for key in client.scan_iter("*"):
        found += key + (client.dump(key) or b"")
    client.close()
    return found


@pytest.mark.timeout(180)
async def test_no_secret_is_found_in_anything_that_the_running_product_leaves(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as run:
        found = await tell_story(run)
        tenant_id = str(found.pop("tenant"))
        nonsense = canary("nonsense")
        await send_nonsense(run, str(found["tenant key"]), nonsense)
        metrics = await run.ask("GET", "/metrics", None)
        assert b"meetbot_http_requests_total" in metrics.body
        secrets = {
            **found,
            **{f"setting {n}": getattr(run.planted, n) for n in run.planted.__struct_fields__},
            **await data_keys(run, tenant_id),
            **{n: getattr(run.stores, n) for n in ("owner_password", "app_password")},
            "valkey_password": run.stores.valkey_password,
        }
        hunt = Hunt(secrets)
        widely = Hunt({**secrets, "nonsense": nonsense, "title": TITLE})
        private = Hunt(PRIVATE, in_base64=False)  # a provider's sync token may hold its account
        processes = family(run.process.pid)
        leaks = [
            *hunt.in_texts("answers", run.answers),
            *widely.in_texts("rows", rows_of_all(run, [tenant_id])),
            *private.in_texts("rows", rows_of_all(run, [tenant_id])),
            *widely.in_bytes("Redis", everything_in_redis(run)),
            *private.in_bytes("Redis", everything_in_redis(run)),
            *(leak for pid in processes for leak in hunt.in_bytes(*_line(pid, "cmdline"))),
            *(leak for pid in processes for leak in _in_environment(hunt, secrets, pid)),
        ]
        run.process.terminate()
        await asyncio.wait_for(run.process.wait(), 15)
        log = run.log.read_bytes()
        leaks += [
            *widely.in_bytes("log", log),
            *private.in_bytes("log", log),
            *widely.in_folder(run.data_dir, KEPT),
            *private.in_folder(run.data_dir, KEPT),
            *_open_to_others(run.data_dir),
        ]

    assert {name.rstrip(" 0123456789") for name in found} >= CAME_UP
    assert any(name.startswith("watch secret") for name in found)
    assert log.count(b'"request"') > 50, "it logged"
    assert sorted(set(leaks)) == []


def _line(pid: int, what: str) -> tuple[str, bytes]:
    program = said_of(pid, "cmdline").replace(b"\0", b" ")[:60].decode("latin-1")
    return f"{what} of {program}", said_of(pid, what)


def _in_environment(hunt: Hunt, secrets: dict[str, Any], pid: int) -> list[str]:
    """Servers need none of our secrets, and a worker is no operator."""
    where, told = _line(pid, "environ")
    if "meetbot_calendar" not in where:
        return list(hunt.in_bytes(where, told))
    if "meetbot_calendar worker" in where:
        operator = {"operator": secrets["setting operator"]}
        return list(Hunt(operator).in_bytes(where, told))
    return []


def _open_to_others(folder: Path) -> list[str]:
    """Return files with keys in them that anybody else may read."""
    return [
        f"others may read {name}/{path.name}"
        for name in KEPT
        for path in [folder / name, *(folder / name).rglob("*")]
        if path.is_file() and path.name != ".lock" and path.stat().st_mode & 0o077
    ]


def test_the_search_finds_a_secret_in_every_form_and_place(tmp_path: Path) -> None:
    secret = canary("planted") + "/?+"
    hunt = Hunt({"it": secret})
    forms = forms_of(secret)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"x" * 5000 + secret.encode())
    (tmp_path / "kept").write_bytes(secret.encode())

    for name, written in forms.items():
        assert any(name in leak for leak in hunt.in_bytes("here", b"a" + written + b"b"))
    assert list(hunt.in_texts("here", ["a", "b"])) == []
    assert next(hunt.in_folder(tmp_path, {"kept"})).startswith("file below/file")
    assert [p for p in (secret[:10], secret[::-1]) if list(hunt.in_texts("here", [p]))] == []
