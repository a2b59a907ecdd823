"""Google's errors, earned and ordered (providers.md section 4)."""

from datetime import timedelta

import pytest

from tests.sandbox.site import ANN, BOB, Reader, Site

EVENTS = "/calendars/primary/events"


async def test_an_expired_access_token_is_401_auth_error(site: Site) -> None:
    reader = await site.reader()
    site.world.clock.advance(timedelta(seconds=3599))

    answer = await reader.get(EVENTS)

    error = {
        "domain": "global",
        "reason": "authError",
        "message": "Invalid Credentials",
        "locationType": "header",
        "location": "Authorization",
    }
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {"errors": [error], "code": 401, "message": "Invalid Credentials"}
    }
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_grant_kills_access_tokens_too(site: Site) -> None:
    reader = await site.reader()
    site.world.grants.revoke_account(f"google:{ANN}")

    assert await reader.refused() == (401, "authError")


async def test_a_bogus_token_is_401(site: Site) -> None:
    assert await Reader(site=site, token="bogus").refused() == (401, "authError")


async def test_a_missing_scope_is_403_insufficient_permissions(site: Site) -> None:
    reader = await site.reader(scope="openid email")

    assert await reader.refused() == (403, "insufficientPermissions")


@pytest.mark.parametrize(
    ("kind", "status", "domain", "reason"),
    [
        ("401", 401, "global", "authError"),
        ("403_user_rate", 403, "usageLimits", "userRateLimitExceeded"),
        ("403_rate", 403, "usageLimits", "rateLimitExceeded"),
        ("403_quota", 403, "usageLimits", "quotaExceeded"),
        ("403_not_configured", 403, "usageLimits", "accessNotConfigured"),
        ("403_forbidden", 403, "global", "forbidden"),
        ("404", 404, "global", "notFound"),
        ("429", 429, "usageLimits", "rateLimitExceeded"),
        ("500", 500, "global", "backendError"),
        ("503_json", 503, "global", "backendError"),
    ],
)
async def test_ordered_trouble_speaks_googles_reasons_once(
    site: Site, kind: str, status: int, domain: str, reason: str
) -> None:
    reader = await site.reader()
    site.world.faults.add("google.events", kind)

    answer = await reader.get(EVENTS)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, status)
    assert [(e["domain"], e["reason"]) for e in error["errors"]] == [(domain, reason)]
    assert (await reader.get(EVENTS)).status_code == 200


async def test_the_front_end_answers_in_html(site: Site) -> None:
    reader = await site.reader()
    site.world.faults.add("google", "503_html")

    answer = await reader.get(EVENTS)

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "Error 503" in answer.text


async def test_trouble_for_one_person_spares_the_others(site: Site) -> None:
    ann, bob = await site.reader(ANN), await site.reader(BOB)
    site.world.faults.add("google.events", "429", times=2, account=BOB)

    statuses = [(await each.get(EVENTS)).status_code for each in (ann, bob, bob, bob)]

    assert statuses == [200, 429, 429, 200]


async def test_a_slow_answer_still_comes(site: Site) -> None:
    reader = await site.reader()
    site.world.faults.add("google.events", "slow", seconds=0)

    assert (await reader.get(EVENTS)).status_code == 200


async def test_a_lost_answer_leaves_what_it_did(site: Site) -> None:
    reader = await site.reader()
    site.world.faults.add("google.watch", "lose_answer")
    body = {"id": "c1", "type": "web_hook", "address": "https://127.0.0.1:1/hook"}

    answer = await reader.post(f"{EVENTS}/watch", body)

    assert answer.status_code == 500
    assert list(site.world.state.watches) == ["c1"]
