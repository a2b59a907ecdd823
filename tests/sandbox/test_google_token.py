"""Google's token endpoint: what it gives, and what it refuses in which words (1.3 to 1.5)."""

import base64
import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from meetbot_calendar.sandbox.grants import Client
from tests.sandbox.site import ANN, BOB, CALLBACK, CLIENT, NOW, READ, SCOPES, Site

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
DEAD = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}


async def test_a_first_offline_consent_gives_every_token(site: Site) -> None:
    tokens = await site.connect(nonce="n-1")

    assert tokens.pop("access_token").startswith("ya29.")
    assert tokens.pop("refresh_token").startswith("1//")
    account = site.world.directory.account("google", ANN)
    assert account
    assert claims_of(tokens.pop("id_token")) == {
        "iss": "https://accounts.google.com",
        "azp": "client-1",
        "aud": "client-1",
        "sub": account.subject,
        "email": ANN,
        "email_verified": True,
        "hd": "example.com",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
        "nonce": "n-1",
    }
    assert tokens == {"expires_in": 3599, "scope": SCOPES, "token_type": "Bearer"}


async def test_a_repeated_consent_gives_a_refresh_token_only_when_forced(site: Site) -> None:
    online = await site.connect(access_type="online")
    first = await site.connect()
    again = await site.connect()
    forced = await site.connect(prompt="consent")

    given = ["refresh_token" in each for each in (online, first, again, forced)]
    assert given == [False, True, False, True]


async def test_no_id_token_without_openid(site: Site) -> None:
    tokens = await site.connect(scope=READ)

    assert "id_token" not in tokens


async def test_the_secret_may_come_by_basic_or_in_the_body(site: Site) -> None:
    tokens = await site.connect()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    basic = await site.http.post("/google/token", data=form, auth=("client-1", "secret-1"))
    body = await site.token(**form)

    assert (basic.status_code, body.status_code) == (200, 200)
    assert "refresh_token" not in body.json()


async def test_a_code_works_once(site: Site) -> None:
    code = (await site.consent())["code"]

    first = await site.exchange(code)
    second = await site.exchange(code)

    assert first.status_code == 200
    assert refusal(second) == (400, "invalid_grant", "Bad Request")


async def test_a_code_dies_after_ten_minutes(site: Site) -> None:
    code = (await site.consent())["code"]
    site.world.clock.advance(timedelta(minutes=10))

    answer = await site.exchange(code)

    assert refusal(answer) == (400, "invalid_grant", "Bad Request")


async def test_a_code_is_refused_to_another_client_and_for_another_redirect(site: Site) -> None:
    site.world.grants.register(Client(provider="google", id="other", secret="s"))
    code = (await site.consent())["code"]

    foreign = await site.exchange(code, client_id="other", client_secret="s")
    elsewhere = await site.exchange(code, redirect_uri=CALLBACK + "&x=1")
    unknown = await site.exchange("4/0nothing")

    assert refusal(foreign) == (400, "invalid_grant", "Malformed auth code.")
    assert refusal(elsewhere) == (400, "redirect_uri_mismatch", "Bad Request")
    assert refusal(unknown) == (400, "invalid_grant", "Malformed auth code.")


async def test_a_challenge_must_be_answered_by_its_verifier(site: Site) -> None:
    back = await site.consent(code_challenge=CHALLENGE, code_challenge_method="S256")

    missing = await site.exchange(back["code"])
    wrong = await site.exchange(back["code"], code_verifier="w" * 64)
    right = await site.exchange(back["code"], code_verifier=VERIFIER)

    assert refusal(missing) == (400, "invalid_grant", "Missing code verifier.")
    assert refusal(wrong) == (400, "invalid_grant", "Invalid code verifier.")
    assert right.status_code == 200


async def test_an_unknown_client_and_a_wrong_secret_are_401(site: Site) -> None:
    unknown = await site.token(client_id="nobody", grant_type="refresh_token")
    wrong = await site.token(client_secret="nope", grant_type="refresh_token")

    assert refusal(unknown) == (401, "invalid_client", "The OAuth client was not found.")
    assert refusal(wrong) == (401, "invalid_client", "Unauthorized")


async def test_what_makes_no_sense_is_400(site: Site) -> None:
    odd = await site.token(grant_type="password")
    bare = await site.token(grant_type="authorization_code")

    assert refusal(odd) == (400, "unsupported_grant_type", "Invalid grant_type: password")
    assert refusal(bare) == (400, "invalid_request", "Missing required parameter: code")


async def test_revoking_any_token_ends_the_whole_grant(site: Site) -> None:
    tokens = await site.connect()

    done = await site.http.post("/google/revoke", data={"token": tokens["access_token"]})
    again = await site.http.post("/google/revoke", data={"token": tokens["refresh_token"]})
    refreshed = await refresh(site, tokens)

    assert (done.status_code, done.json()) == (200, {})
    assert refusal(again) == (400, "invalid_token", "Token expired or revoked")
    assert (refreshed.status_code, refreshed.json()) == (400, DEAD)


async def test_the_hundred_and_first_refresh_token_kills_the_oldest(site: Site) -> None:
    first = await site.connect()
    for _ in range(99):
        await site.connect(prompt="consent")
    before = await refresh(site, first)

    last = await site.connect(prompt="consent")

    after = await refresh(site, first)
    assert before.status_code == 200
    assert (after.status_code, after.json()) == (400, DEAD)
    assert (await refresh(site, last)).status_code == 200


async def test_a_refresh_token_dies_of_six_idle_months(site: Site) -> None:
    tokens = await site.connect()
    site.world.clock.advance(timedelta(days=184))

    answer = await refresh(site, tokens)

    assert answer.json() == DEAD


async def test_a_client_in_testing_gets_seven_days(site: Site) -> None:
    site.world.grants.register(
        Client(provider="google", id="t", secret="t", redirect_uris=[CALLBACK], testing=True)
    )
    back = await site.consent(client_id="t")
    tokens = (await site.exchange(back["code"], client_id="t", client_secret="t")).json()
    site.world.clock.advance(timedelta(days=7))

    answer = await refresh(site, tokens, client_id="t", client_secret="t")

    assert tokens["refresh_token_expires_in"] == 604_799
    assert answer.json() == DEAD


async def test_a_refresh_may_narrow_its_scopes_but_not_widen_them(site: Site) -> None:
    tokens = await site.connect()

    narrow = await refresh(site, tokens, scope=READ)
    wide = await refresh(site, tokens, scope="https://www.googleapis.com/auth/calendar")

    assert narrow.json()["scope"] == READ
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("invalid_grant", 400, DEAD),
        (
            "invalid_rapt",
            400,
            {
                "error": "invalid_grant",
                "error_description": "reauth related error (invalid_rapt)",
                "error_subtype": "invalid_rapt",
            },
        ),
        (
            "invalid_client",
            401,
            {"error": "invalid_client", "error_description": "Unauthorized"},
        ),
        ("admin_policy_enforced", 400, {"error": "admin_policy_enforced"}),
    ],
)
async def test_an_ordered_refusal_comes_once_in_googles_words(
    site: Site, kind: str, status: int, body: dict[str, str]
) -> None:
    tokens = await site.connect()
    site.world.faults.add("google.token", kind)

    first = await refresh(site, tokens)
    second = await refresh(site, tokens)

    assert (first.status_code, first.json()) == (status, body)
    assert second.status_code == 200


async def test_ordered_outages_answer_json_or_html(site: Site) -> None:
    tokens = await site.connect()
    for kind in ("429", "503_json", "503_html"):
        site.world.faults.add("google.token", kind)

    answers = [await refresh(site, tokens) for _ in range(3)]

    kinds = sorted((a.status_code, a.headers["content-type"].partition(";")[0]) for a in answers)
    assert kinds == [
        (429, "application/json"),
        (503, "application/json"),
        (503, "text/html"),
    ]


async def test_a_fault_for_one_person_leaves_the_others_alone(site: Site) -> None:
    ann, bob = await site.connect(ANN), await site.connect(BOB)
    site.world.faults.add("google.token", "invalid_grant", account=BOB)

    assert (await refresh(site, ann)).status_code == 200
    assert (await refresh(site, bob)).status_code == 400


async def test_a_lost_answer_has_acted(site: Site) -> None:
    code = (await site.consent())["code"]
    site.world.faults.add("google.token", "lose_answer")

    lost = await site.exchange(code)
    retried = await site.exchange(code)

    assert lost.status_code == 500
    assert refusal(retried) == (400, "invalid_grant", "Bad Request")


async def test_userinfo_has_its_two_shapes_at_its_two_addresses(site: Site) -> None:
    tokens = await site.connect()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    account = site.world.directory.account("google", ANN)
    assert account

    openid = await site.http.get("/google/v1/userinfo", headers=headers)
    older = await site.http.get("/google/oauth2/v2/userinfo", headers=headers)
    nobody = await site.http.get("/google/v1/userinfo")

    shared = {"email": ANN, "hd": "example.com"}
    assert openid.json() == shared | {"sub": account.subject, "email_verified": True}
    assert older.json() == shared | {"id": account.subject, "verified_email": True}
    assert refusal(nobody) == (401, "invalid_request", "Invalid Credentials")


async def refresh(site: Site, tokens: dict[str, Any], **form: str) -> Any:
    asked = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    return await site.http.post("/google/token", data=CLIENT | asked | form)


def refusal(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["error"], body.get("error_description", "")


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(part + "=="))
    return found
