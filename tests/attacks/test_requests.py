"""Attempts on what reads requests: bodies, numbers, letters, paths, methods, headers."""

import gzip
from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy import text

from tests.attacks.scene import Party, Scene

ENDPOINTS = "/v1/webhook-endpoints"
GOOD = b'{"url": "https://acme.example/hook", "events": ["*"]'
DEEP = b'{"a":' * 50_000 + b"1" + b"}" * 50_000

BODIES = {
    "nested 50,000 deep": GOOD + b', "x": ' + DEEP + b"}",
    "brackets without end": b"[" * 900_000,
    "not utf-8": GOOD + b', "description": "\xff\xfe"}',
    "overlong utf-8": GOOD + b', "description": "\xc0\xae"}',
    "a lone surrogate": GOOD + b', "description": "\\ud800"}',
    "a NUL": GOOD + b', "description": "a\\u0000b"}',
    "two documents": GOOD + b"}" + GOOD + b"}",
    "a comment": GOOD + b"/* */}",
    "a trailing comma": GOOD + b",}",
    "NaN": GOOD + b', "description": NaN}',
    "Infinity": GOOD + b', "description": -Infinity}',
    "single quotes": GOOD.replace(b'"', b"'") + b"}",
    "a number for a text": GOOD + b', "description": 1e400}',
    "a huge number": GOOD + b', "description": ' + b"9" * 5000 + b"}",
    "an unknown field": GOOD + b', "__proto__": {"admin": true}}',
    "an id of one's own": GOOD + b', "id": "we_mine", "tenant_id": "ten_other"}',
    "a list for the whole": b"[" + GOOD + b"}]",
    "xml": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>',
    "yaml": b"!!python/object/apply:os.system ['id']",
    "pickle": b"cos\nsystem\n(S'id'\ntR.",
    "a form": b"url=https://acme.example/&events=*",
    "packed": gzip.compress(GOOD + b"}"),
    "nothing": b"",
    "blanks": b" " * 1000,
}  # fmt: skip


@pytest.fixture
async def mallory(scene: Scene) -> AsyncIterator[Party]:
    """Mallory, of whose endpoints not one more may be there in the end."""
    count = "select count(*) from webhook_endpoints"
    before = await scene.mallory.stage.look(count)
    yield scene.mallory
    assert await scene.mallory.stage.look(count) == before


@pytest.mark.parametrize("what", BODIES)
async def test_a_body_that_is_no_plain_json_is_refused_and_changes_nothing(
    mallory: Party, what: str
) -> None:
    answer = await mallory.tenant.send("POST", ENDPOINTS, BODIES[what])

    assert answer.status_code in (400, 413, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain", "application/xml", "application/x-www-form-urlencoded", "text/yaml",
        "multipart/form-data; boundary=x", "application/json; charset=utf-16", "x" * 5000, "",
    ],
)  # fmt: skip
async def test_a_content_type_does_not_change_how_a_body_is_read(mallory: Party, kind: str) -> None:
    answer = await mallory.tenant.send("POST", ENDPOINTS, BODIES["xml"], Content_Type=kind)

    assert answer.status_code in (400, 415, 422)


async def test_a_body_over_the_limit_is_refused_whatever_it_says_of_its_length(
    mallory: Party,
) -> None:
    body = GOOD + b', "description": "' + b"x" * (1 << 20) + b'"}'
    plain = await mallory.tenant.send("POST", ENDPOINTS, body)
    keyed = await mallory.tenant.send("POST", ENDPOINTS, body, Idempotency_Key="large")
    public = await mallory.tenant.send("POST", "/v1/bots/bot_1/status", body)

    assert [answer.status_code for answer in (plain, keyed, public)] == [413, 413, 413]


async def test_of_a_field_given_twice_one_alone_is_checked_and_used(scene: Scene) -> None:
    twice = b'{"url": "https://a.example/", "url": "http://169.254.169.254/", "events": ["*"]}'

    answer = await scene.mallory.tenant.send("POST", ENDPOINTS, twice)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "name",
    ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"],
)
async def test_a_method_is_not_changed_by_a_header_or_a_query(scene: Scene, name: str) -> None:
    (endpoint, *_) = (await scene.acme.tenant.get(ENDPOINTS)).json()["results"]
    path = f"{ENDPOINTS}/{endpoint['id']}"

    await scene.acme.tenant.get(f"{path}?{name}=DELETE", **{name: "DELETE"})

    assert (await scene.acme.tenant.get(path)).status_code == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "GET\x0b", "DEBUG"])
async def test_a_method_that_nobody_takes_does_nothing(scene: Scene, method: str) -> None:
    answer = await scene.acme.tenant.ask(method, "/v1/bots")

    assert answer.status_code in (400, 405, 501)
    assert str(scene.acme.tenant.key) not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../v1/tenants", "/v1/calendar/../tenants", "/v1/calendar/users/..%2f..%2ftenants",
        "//v1/tenants", "/v1//tenants", "/V1/TENANTS", "/v1/tenants/", "/v1/tenants;x=y",
        "/v1/tenants%00", "/v1/tenants%2f", "/v1/%74enants", "/api/v1/tenants",
        "/api/api/v1/tenants",
        "/v1/./tenants", "/api/v1/../v1/tenants", "/v1/tenants?x=/v1/bots", "/v1/tenants%20",
        "/v1/tenants.json", "/\\v1/tenants", "/v1/calendar/connect/../../tenants",
    ],
)  # fmt: skip
async def test_no_spelling_of_a_path_leads_past_who_stands_at_its_door(
    scene: Scene, path: str
) -> None:
    for door in (scene.mallory.tenant, scene.stranger):
        answer = await door.get(path)
        assert answer.status_code in (307, 308, 401, 404), path
        assert scene.acme.tenant_id not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/schema/../../etc/passwd",
        "/schema/%2e%2e%2fetc/passwd", "/admin/../../etc/passwd",
        "/admin/static/..%2f..%2fsettings",
        "/.env", "/.git/config", "/.meetbot/operator.key", "/metrics/../.env",
    ],
)  # fmt: skip
async def test_no_path_leads_to_a_file(scene: Scene, path: str) -> None:
    answer = await scene.stranger.get(path)

    assert answer.status_code in (401, 404)
    assert "root:" not in answer.text


async def test_a_request_id_that_would_forge_a_log_line_is_not_taken(scene: Scene) -> None:
    for given in ("a b", "x" * 65, '"}', "a=b", "<x>", "a,b"):
        answer = await scene.acme.tenant.get("/v1/bots", X_Request_Id=given)
        assert answer.headers["x-request-id"] != given


async def test_a_host_of_the_callers_choice_gets_into_no_address_that_we_give_out(
    scene: Scene,
) -> None:
    told = {
        "Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http",
        "Forwarded": "host=evil.example", "X-Original-Url": "/v1/tenants", "Origin": "https://evil",
    }  # fmt: skip
    body = {"customer_user_id": "eve"}
    link = await scene.mallory.tenant.post("/v1/calendar/connect/google", body, **told)
    page = await scene.stranger.get("/", **told)
    schema = await scene.stranger.get("/schema/openapi.json", **told)

    assert link.status_code == 201
    assert [a.text for a in (link, page, schema) if "evil.example" in a.text] == []


async def test_no_site_may_read_answers_in_a_visitors_browser(scene: Scene) -> None:
    for method in ("GET", "OPTIONS"):
        answer = await scene.acme.tenant.ask(method, "/v1/bots", Origin="https://evil.example")
        assert [h for h in answer.headers if h.startswith("access-control")] == []


async def test_no_answer_of_the_api_is_kept_or_taken_for_a_page(scene: Scene) -> None:
    for answer in (
        await scene.acme.tenant.get("/v1/bots"),
        await scene.acme.tenant.get("/v1/nothing"),
        await scene.stranger.get("/v1/bots"),
        await scene.mallory.tenant.post("/v1/api-keys", {"name": "x"}),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].startswith("application/")


async def test_an_idempotency_key_gives_an_answer_again_for_the_same_request_alone(
    scene: Scene,
) -> None:
    door = scene.mallory.tenant
    first = await door.post("/v1/api-keys", {"name": "one"}, Idempotency_Key="once")
    again = await door.post("/v1/api-keys", {"name": "one"}, Idempotency_Key="once")
    other = await door.post("/v1/api-keys", {"name": "two"}, Idempotency_Key="once")
    elsewhere = await door.post(ENDPOINTS, {"name": "one"}, Idempotency_Key="once")
    persons = await scene.mallory.person.post(
        "/v1/calendar/connect/google", {"customer_user_id": "eve"}, Idempotency_Key="once"
    )

    assert again.json() == first.json()
    assert {other.status_code, elsewhere.status_code} == {422}
    assert persons.status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\x7f"])
async def test_an_idempotency_key_that_cannot_be_kept_is_refused(mallory: Party, key: str) -> None:
    body = {"url": "https://acme.example/", "events": ["*"]}
    answer = await mallory.tenant.post(ENDPOINTS, body, Idempotency_Key=key)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=101", "limit=1e3", "limit=0x10", "limit=9999999999999999999",
        "limit=", "limit=1&limit=100000", "cursor=%00", "cursor=" + "A" * 513, "cursor=AAAA",
        "cursor=k8QJ", "status=nonsense", "from=yesterday", "to=9999-99-99",
        "user_id=%27%20or%201=1",
        "from=0001-01-01T00:00:00%2B23:59", "to=9999-12-31T23:59:59-23:59",
    ],
)  # fmt: skip
async def test_a_parameter_that_makes_no_sense_is_refused_and_costs_nothing(
    scene: Scene, query: str
) -> None:
    answer = await scene.acme.tenant.get(f"/v1/bots?{query}")

    assert answer.status_code in (400, 404, 422), answer.text


async def test_what_breaks_inside_is_not_told_outside(scene: Scene) -> None:
    """A sealed text that does not open is the nearest to an error that nobody foresaw."""
    tenant = (await scene.operator.post("/v1/tenants", {"name": "Broken"})).json()
    door, tenant_id = scene.with_key(tenant["api_key"]["key"]), tenant["tenant"]["id"]
    stage = scene.acme.stage
    await door.patch("/v1/tenant", {"internal_domains": ["acme.com"]})
    async with stage.services.database.tenant(tenant_id) as session:
        await session.execute(text("update tenants set policy = 'nonsense'"))

    answer = await door.get("/v1/tenant")

    told = msgspec.json.decode(answer.content)
    assert (answer.status_code, told["code"]) == (500, "internal_error")
    assert [
        word for word in ("Traceback", "File ", "sealed", "select") if word in answer.text
    ] == []
