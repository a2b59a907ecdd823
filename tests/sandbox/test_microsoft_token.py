"""Microsoft's token endpoint: what it gives, and what it refuses in which words (5.3, 5.4)."""

import base64
import hashlib
from datetime import timedelta
from typing import Any

import httpx
import jwt
import msgspec
import pytest

from meetbot_calendar.sandbox.grants import Client
from tests.sandbox.outlook import ANN, BOB, CALLBACK, CLIENT, SCOPES, TOKEN, Tenant
from tests.sandbox.site import NOW

GRAPH = "https://graph.microsoft.com"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
ISSUER = "https://login.microsoftonline.com"


async def test_discovery_prints_the_real_https_endpoints(contoso: Tenant) -> None:
    found = await contoso.http.get("/microsoft/common/v2.0/.well-known/openid-configuration")

    body = found.json()
    assert body["authorization_endpoint"] == f"{ISSUER}/common/oauth2/v2.0/authorize"
    assert body["token_endpoint"] == f"{ISSUER}/common/oauth2/v2.0/token"
    assert body["jwks_uri"] == f"{ISSUER}/common/discovery/v2.0/keys"
    assert body["issuer"] == f"{ISSUER}/{{tenantid}}/v2.0"


async def test_a_code_gives_every_token(contoso: Tenant) -> None:
    tokens = await contoso.connect(nonce="n-1")

    account = contoso.world.directory.account("outlook", ANN)
    assert account
    assert 3600 <= tokens["expires_in"] <= 5400
    assert tokens["ext_expires_in"] == tokens["expires_in"]
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == f"{GRAPH}/User.Read {GRAPH}/Calendars.Read"
    assert tokens["access_token"]
    assert tokens["refresh_token"]
    assert msgspec.json.decode(base64.urlsafe_b64decode(tokens["client_info"] + "==")) == {
        "uid": account.subject,
        "utid": account.tenant_id,
    }


async def test_the_id_token_verifies_with_the_published_key(contoso: Tenant) -> None:
    tokens = await contoso.connect(nonce="n-1")
    keys = (await contoso.http.get("/microsoft/common/discovery/v2.0/keys")).json()

    claims = jwt.decode(
        tokens["id_token"],
        jwt.PyJWK(keys["keys"][0]),
        audience="app-1",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )

    account = contoso.world.directory.account("outlook", ANN)
    assert account
    assert claims.pop("sub")
    assert claims == {
        "ver": "2.0",
        "iss": f"{ISSUER}/{account.tenant_id}/v2.0",
        "aud": "app-1",
        "exp": int(NOW.timestamp()) + 3600,
        "iat": int(NOW.timestamp()),
        "nbf": int(NOW.timestamp()),
        "name": "Ann Lee",
        "preferred_username": ANN,
        "oid": account.subject,
        "tid": account.tenant_id,
        "nonce": "n-1",
    }


async def test_no_refresh_token_without_offline_access(contoso: Tenant) -> None:
    tokens = await contoso.connect(scope="openid User.Read Calendars.Read")

    assert "refresh_token" not in tokens


async def test_no_id_token_without_openid(contoso: Tenant) -> None:
    tokens = await contoso.connect(scope="offline_access Calendars.Read")

    assert "id_token" not in tokens


async def test_every_use_gives_a_new_refresh_token_and_the_old_one_still_works(
    contoso: Tenant,
) -> None:
    first = (await contoso.connect())["refresh_token"]

    second = (await contoso.refresh(first)).json()["refresh_token"]
    third = (await contoso.refresh(first)).json()["refresh_token"]
    again = await contoso.refresh(second)

    assert len({first, second, third}) == 3
    assert again.status_code == 200


async def test_the_secret_may_come_by_basic_or_in_the_body(contoso: Tenant) -> None:
    tokens = await contoso.connect()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    basic = await contoso.http.post(TOKEN, data=form, auth=("app-1", "app-secret"))

    assert basic.status_code == 200


async def test_a_refresh_may_narrow_its_scopes_but_not_widen_them(contoso: Tenant) -> None:
    token = (await contoso.connect())["refresh_token"]

    narrow = await contoso.refresh(token, scope="User.Read offline_access")
    wide = await contoso.refresh(token, scope="Calendars.ReadWrite")

    assert narrow.json()["scope"] == f"{GRAPH}/User.Read"
    assert refusal(wide) == (400, "invalid_grant", 65001, "consent_required")


async def test_a_code_works_once_and_for_ten_minutes(contoso: Tenant) -> None:
    code = (await contoso.consent())["code"]
    first = await contoso.exchange(code)
    second = await contoso.exchange(code)
    late = (await contoso.consent())["code"]
    contoso.world.clock.advance(timedelta(minutes=10))

    expired = await contoso.exchange(late)

    assert first.status_code == 200
    assert refusal(second) == (400, "invalid_grant", 54005, None)
    assert refusal(expired) == (400, "invalid_grant", 70008, None)


async def test_a_code_is_bound_to_its_client_and_redirect(contoso: Tenant) -> None:
    contoso.world.grants.register(Client(provider="outlook", id="other", secret="s"))
    code = (await contoso.consent())["code"]

    foreign = await contoso.exchange(code, client_id="other", client_secret="s")
    elsewhere = await contoso.exchange(code, redirect_uri=CALLBACK + "&x=1")
    unknown = await contoso.exchange("0.nothing")

    assert refusal(foreign) == (400, "invalid_grant", 700005, None)
    assert refusal(elsewhere) == (400, "invalid_request", 50011, None)
    assert refusal(unknown) == (400, "invalid_grant", 700007, None)


async def test_a_challenge_must_be_answered_by_its_verifier(contoso: Tenant) -> None:
    back = await contoso.consent(code_challenge=CHALLENGE, code_challenge_method="S256")

    missing = await contoso.exchange(back["code"])
    wrong = await contoso.exchange(back["code"], code_verifier="w" * 64)
    right = await contoso.exchange(back["code"], code_verifier=VERIFIER)

    assert refusal(missing) == (400, "invalid_grant", 50148, None)
    assert refusal(wrong) == (400, "invalid_grant", 501481, None)
    assert right.status_code == 200


async def test_a_wrong_client_is_the_installations_fault(contoso: Tenant) -> None:
    unknown = await contoso.token(client_id="nobody", grant_type="refresh_token")
    wrong = await contoso.token(client_secret="nope", grant_type="refresh_token")
    bare = await contoso.http.post(
        TOKEN, data={"client_id": "app-1", "grant_type": "refresh_token"}
    )

    assert refusal(unknown) == (400, "unauthorized_client", 700016, None)
    assert refusal(wrong) == (401, "invalid_client", 7000215, None)
    assert refusal(bare) == (401, "invalid_client", 7000218, None)


async def test_a_refresh_token_dies_of_revocation_and_of_ninety_idle_days(contoso: Tenant) -> None:
    ann = (await contoso.connect(ANN))["refresh_token"]
    bob = (await contoso.connect(BOB))["refresh_token"]
    contoso.world.grants.revoke_account(f"outlook:{ANN}")
    contoso.world.clock.advance(timedelta(days=60))
    used = await contoso.refresh(bob)
    contoso.world.clock.advance(timedelta(days=60))
    still = await contoso.refresh(bob)
    contoso.world.clock.advance(timedelta(days=90))

    revoked, idle = await contoso.refresh(ann), await contoso.refresh(bob)

    assert (used.status_code, still.status_code) == (200, 200)
    assert refusal(revoked) == (400, "invalid_grant", 50173, "bad_token")
    assert refusal(idle) == (400, "invalid_grant", 700082, "token_expired")
    assert refusal(await contoso.refresh("1.nothing")) == (400, "invalid_grant", 70000, None)


async def test_an_error_body_has_every_member_of_the_real_one(contoso: Tenant) -> None:
    body = (await contoso.refresh("1.nothing")).json()

    trace, correlation = body.pop("trace_id"), body.pop("correlation_id")
    description = body.pop("error_description")
    assert description.startswith("AADSTS70000: ")
    assert description.endswith(
        f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: 2026-11-20 12:00:00Z"
    )
    assert body == {
        "error": "invalid_grant",
        "error_codes": [70000],
        "timestamp": "2026-11-20 12:00:00Z",
        "error_uri": "https://login.microsoftonline.com/error?code=70000",
    }


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("invalid_grant", 400, "invalid_grant"),
        ("50076", 400, "interaction_required"),
        ("50057", 400, "invalid_grant"),
        ("53003", 400, "interaction_required"),
        ("70043", 400, "invalid_grant"),
        ("700084", 400, "invalid_grant"),
        ("invalid_client", 401, "invalid_client"),
        ("7000222", 401, "invalid_client"),
        ("7000112", 400, "unauthorized_client"),
        ("503_json", 503, "temporarily_unavailable"),
        ("500", 500, "server_error"),
    ],
)
async def test_an_ordered_refusal_comes_once_in_microsofts_words(
    contoso: Tenant, kind: str, status: int, error: str
) -> None:
    token = (await contoso.connect())["refresh_token"]
    contoso.world.faults.add("microsoft.token", kind)

    first, second = await contoso.refresh(token), await contoso.refresh(token)

    assert (first.status_code, first.json()["error"]) == (status, error)
    assert second.status_code == 200


async def test_conditional_access_sends_claims_to_pass_on(contoso: Tenant) -> None:
    token = (await contoso.connect())["refresh_token"]
    contoso.world.faults.add("microsoft.token", "interaction_required")

    body = (await contoso.refresh(token)).json()

    assert "access_token" in msgspec.json.decode(body["claims"])


async def test_ordered_outages_answer_json_or_html(contoso: Tenant) -> None:
    token = (await contoso.connect())["refresh_token"]
    for kind in ("429", "503_html"):
        contoso.world.faults.add("microsoft.token", kind)

    html, throttled = await contoso.refresh(token), await contoso.refresh(token)

    assert (html.status_code, html.headers["content-type"].partition(";")[0]) == (503, "text/html")
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "10")


async def test_a_fault_for_one_person_leaves_the_others_alone(contoso: Tenant) -> None:
    ann, bob = await contoso.connect(ANN), await contoso.connect(BOB)
    contoso.world.faults.add("microsoft.token", "invalid_grant", account=BOB)

    assert (await contoso.refresh(ann["refresh_token"])).status_code == 200
    assert (await contoso.refresh(bob["refresh_token"])).status_code == 400


async def test_a_lost_answer_has_acted_and_a_refresh_token_may_be_missing(contoso: Tenant) -> None:
    code = (await contoso.consent())["code"]
    contoso.world.faults.add("microsoft.token", "lose_answer")
    lost, retried = await contoso.exchange(code), await contoso.exchange(code)
    contoso.world.faults.add("microsoft.token", "no_refresh_token")

    bare = (await contoso.connect(scope=SCOPES)).keys()

    assert (lost.status_code, retried.json()["error_codes"]) == (500, [54005])
    assert "refresh_token" not in bare


async def test_no_secret_stands_in_the_journal(contoso: Tenant) -> None:
    await contoso.connect()

    written = msgspec.json.encode(list(contoso.world.journal.asked)).decode()

    assert CLIENT["client_secret"] not in written
    assert "state-1" not in written


def refusal(answer: httpx.Response) -> tuple[int, Any, Any, Any]:
    body = answer.json()
    return answer.status_code, body["error"], body["error_codes"][0], body.get("suberror")
