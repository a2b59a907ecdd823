"""Microsoft's consent page and what comes back from it (providers.md 5.2)."""

from urllib.parse import parse_qs, urlsplit

import pytest

from meetbot_calendar.sandbox.microsoft.authorise import PERSONAL
from tests.sandbox.outlook import ANN, AUTHORISE, BOB, CALLBACK, Tenant, asking


async def test_the_page_offers_every_account_and_lists_what_is_asked(contoso: Tenant) -> None:
    page = await contoso.http.get(f"{AUTHORISE}?{asking()}")

    assert page.status_code == 200
    assert f'type="radio" name="account" value="{ANN}"' in page.text
    assert f'type="radio" name="account" value="{BOB}"' in page.text
    assert "<li>Read your calendars</li>" in page.text
    assert "<li>Maintain access to data you have given it access to</li>" in page.text
    assert 'value="accept"' in page.text
    assert 'value="cancel"' in page.text
    assert "http" not in page.text


async def test_a_login_hint_skips_the_chooser(contoso: Tenant) -> None:
    page = await contoso.http.get(f"{AUTHORISE}?{asking(login_hint=ANN)}")

    assert f'type="hidden" name="account" value="{ANN}"' in page.text
    assert "radio" not in page.text


async def test_accepting_comes_back_with_code_and_state_beside_the_uris_own_query(
    contoso: Tenant,
) -> None:
    back = await contoso.consent()

    assert back.pop("code")
    assert back.pop("session_state")
    assert back == {"from": "microsoft", "state": "state-1"}


async def test_cancelling_comes_back_with_access_denied_and_65004(contoso: Tenant) -> None:
    back = await contoso.consent({"decision": "cancel"})

    assert (back["error"], back["state"]) == ("access_denied", "state-1")
    assert back["error_description"].startswith("AADSTS65004: ")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "nobody"}, "AADSTS700016"),
        ({"redirect_uri": CALLBACK + "&x=1"}, "AADSTS50011"),
    ],
)
async def test_an_unknown_client_or_address_is_told_on_the_page_and_never_redirected(
    contoso: Tenant, changes: dict[str, str], code: str
) -> None:
    answer = await contoso.http.get(f"{AUTHORISE}?{asking(**changes)}")

    assert answer.status_code == 400
    assert code in answer.text


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type", "AADSTS70005"),
        ({"scope": ""}, "invalid_request", "AADSTS900144"),
        ({"scope": "openid Mail.Everything"}, "invalid_scope", "AADSTS70011"),
        ({"scope": "openid https://a.test/Read"}, "invalid_request", "AADSTS28000"),
        ({"code_challenge_method": "S512"}, "invalid_request", "AADSTS9002313"),
        ({"prompt": "none"}, "login_required", "AADSTS50058"),
        ({"prompt": "none", "login_hint": ANN}, "consent_required", "AADSTS65001"),
    ],
)
async def test_a_wrong_request_goes_back_to_the_client(
    contoso: Tenant, changes: dict[str, str], error: str, code: str
) -> None:
    answer = await contoso.http.get(f"{AUTHORISE}?{asking(**changes)}")

    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.status_code == 302
    assert back["error"] == [error]
    assert back["error_description"][0].startswith(code)


async def test_nothing_is_asked_again_for_what_was_granted_unless_forced(contoso: Tenant) -> None:
    await contoso.connect()

    again = await contoso.http.get(f"{AUTHORISE}?{asking(login_hint=ANN)}")
    forced = await contoso.http.get(f"{AUTHORISE}?{asking(login_hint=ANN, prompt='consent')}")

    assert (again.status_code, forced.status_code) == (302, 200)
    assert "code=" in again.headers["location"]


async def test_the_answer_may_come_by_form_post_or_in_the_fragment(contoso: Tenant) -> None:
    decided = {"account": ANN, "decision": "accept"}

    posted = await contoso.http.post(
        f"{AUTHORISE}?{asking(response_mode='form_post')}", data=decided
    )
    fragment = await contoso.http.post(
        f"{AUTHORISE}?{asking(response_mode='fragment')}", data=decided
    )

    assert posted.status_code == 200
    assert '<input type="hidden" name="state" value="state-1">' in posted.text
    assert "code=" in urlsplit(fragment.headers["location"]).fragment


@pytest.mark.parametrize(
    ("kind", "error"), [("90094", "access_denied"), ("50105", "access_denied")]
)
async def test_an_administrator_can_stand_in_the_way(
    contoso: Tenant, kind: str, error: str
) -> None:
    contoso.world.faults.add("microsoft.authorize", kind)

    back = await contoso.consent()

    assert back["error"] == error
    assert back["error_description"].startswith(f"AADSTS{kind}")


async def test_only_the_right_kind_of_account_can_use_a_tenants_endpoint(contoso: Tenant) -> None:
    home = contoso.world.directory.add_account("outlook", "zoe@outlook.test", "Zoe")
    home.tenant_id = PERSONAL
    page = "/microsoft/{}/oauth2/v2.0/authorize?" + asking()

    work = await contoso.http.get(page.format("organizations"))
    personal = await contoso.http.get(page.format("consumers"))

    assert ("zoe@outlook.test" in work.text, ANN in work.text) == (False, True)
    assert ("zoe@outlook.test" in personal.text, ANN in personal.text) == (True, False)


async def test_an_account_that_is_not_there_is_told_on_the_page(contoso: Tenant) -> None:
    answer = await contoso.http.post(
        f"{AUTHORISE}?{asking()}", data={"account": "no@contoso.test", "decision": "accept"}
    )

    assert answer.status_code == 400
    assert "AADSTS50034" in answer.text


async def test_what_the_client_sends_is_escaped_on_the_page(contoso: Tenant) -> None:
    contoso.world.grants.state.clients["app-1"].name = "<script>x"

    answer = await contoso.http.get(f"{AUTHORISE}?{asking()}")

    assert "&lt;script&gt;x" in answer.text
    assert "<script>" not in answer.text
