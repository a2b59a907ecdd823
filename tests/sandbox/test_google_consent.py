"""The consent page and what comes back from it (providers.md 1.2)."""

import pytest

from tests.sandbox.site import ANN, BOB, READ, SCOPES, Site, authorisation

PAGE = "/google/o/oauth2/v2/auth"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"


async def test_the_page_offers_every_account_and_a_box_per_calendar_scope(site: Site) -> None:
    page = await site.http.get(f"{PAGE}?{authorisation()}")

    assert page.status_code == 200
    assert f'type="radio" name="account" value="{ANN}"' in page.text
    assert f'type="radio" name="account" value="{BOB}"' in page.text
    assert f'type="checkbox" name="grant" value="{READ}" checked' in page.text
    assert "http" not in page.text.replace(READ, "")


@pytest.mark.parametrize("hint", [ANN, "sub"])
async def test_a_login_hint_by_address_or_subject_skips_the_chooser(site: Site, hint: str) -> None:
    account = site.world.directory.account("google", ANN)
    assert account
    named = account.subject if hint == "sub" else hint

    page = await site.http.get(f"{PAGE}?{authorisation(login_hint=named)}")

    assert f'type="hidden" name="account" value="{ANN}"' in page.text
    assert "radio" not in page.text


async def test_allowing_comes_back_with_code_state_and_scopes_beside_the_uris_own_query(
    site: Site,
) -> None:
    back = await site.consent(scope=f"openid email {READ}", prompt="consent")

    code = back.pop("code")
    assert code.startswith("4/0A")
    assert back == {
        "from": "google",
        "state": "state-1",
        "scope": SCOPES,
        "authuser": "0",
        "prompt": "consent",
        "hd": "example.com",
    }


async def test_denying_comes_back_with_access_denied(site: Site) -> None:
    back = await site.consent({"decision": "deny"})

    assert back == {"from": "google", "state": "state-1", "error": "access_denied"}


async def test_an_unticked_box_is_a_scope_not_granted(site: Site) -> None:
    back = await site.consent({"account": ANN, "chosen": "1", "decision": "allow"})

    assert back["scope"] == f"openid {EMAIL}"


async def test_ordered_partial_consent_leaves_the_calendar_out(site: Site) -> None:
    site.world.faults.add("google.consent", "partial_consent")

    first = await site.consent()
    second = await site.consent()

    assert (first["scope"], second["scope"]) == (f"openid {EMAIL}", SCOPES)


async def test_granted_scopes_are_included_when_asked_for(site: Site) -> None:
    await site.connect()

    back = await site.consent(scope="openid", include_granted_scopes="true")

    assert back["scope"].split() == SCOPES.split()


async def test_nothing_is_asked_again_for_what_was_granted_unless_consent_is_forced(
    site: Site,
) -> None:
    await site.connect()

    again = await site.http.get(f"{PAGE}?{authorisation(login_hint=ANN)}")
    forced = await site.http.get(f"{PAGE}?{authorisation(login_hint=ANN, prompt='consent')}")

    assert (again.status_code, forced.status_code) == (302, 200)
    assert "code=4%2F" in again.headers["location"]


@pytest.mark.parametrize(("hint", "error"), [("", "login_required"), (ANN, "interaction_required")])
async def test_prompt_none_never_shows_a_page(site: Site, hint: str, error: str) -> None:
    answer = await site.http.get(f"{PAGE}?{authorisation(prompt='none', login_hint=hint)}")

    assert answer.status_code == 302
    assert f"error={error}" in answer.headers["location"]


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"redirect_uri": "http://127.0.0.1:1/callback"}, 400, "redirect_uri_mismatch"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": ""}, 400, "invalid_request"),
        ({"code_challenge_method": "S512"}, 400, "invalid_request"),
    ],
)
async def test_a_wrong_request_ends_on_an_error_page_and_never_redirects(
    site: Site, changes: dict[str, str], status: int, error: str
) -> None:
    answer = await site.http.get(f"{PAGE}?{authorisation(**changes)}")

    assert answer.status_code == status
    assert f"Error {status}: {error}" in answer.text


async def test_what_the_client_sends_is_escaped_on_the_page(site: Site) -> None:
    answer = await site.http.get(f"{PAGE}?{authorisation(redirect_uri='<script>')}")

    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
