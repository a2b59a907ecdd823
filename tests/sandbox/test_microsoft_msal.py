"""msal as referee: the real client, unchanged, against the sandbox over a real socket (5.6)."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msal
import pytest
import requests

from tests.sandbox.live import Live
from tests.sandbox.outlook import ANN, CALLBACK, CLIENT, settle_in

AUTHORITY = "https://login.microsoftonline.com/common"
SCOPES = ["User.Read", "Calendars.Read"]

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended")


class SandboxSession(requests.Session):
    """Sends what is meant for login.microsoftonline.com to the sandbox."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.trust_env = False

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return super().request(method, self.base + below_host(url), *args, **kwargs)


def application(live: Live, secret: str = CLIENT["client_secret"]) -> Any:
    return msal.ConfidentialClientApplication(
        "app-1",
        client_credential=secret,
        authority=AUTHORITY,
        http_client=SandboxSession(f"{live.url}/microsoft"),
    )


def decided(live: Live, flow: dict[str, Any]) -> requests.Response:
    """Click Accept on the consent page that msal asked for."""
    return requests.post(
        f"{live.url}/microsoft{below_host(flow['auth_uri'])}",
        data={"account": ANN, "decision": "accept"},
        allow_redirects=False,
        timeout=10,
    )


def consented(live: Live, flow: dict[str, Any]) -> dict[str, str]:
    query = parse_qs(urlsplit(decided(live, flow).headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


def below_host(url: str) -> str:
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


def connected(live: Live) -> dict[str, Any]:
    settle_in(live.world)
    app = application(live)
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK, login_hint=ANN)
    found: dict[str, Any] = app.acquire_token_by_auth_code_flow(flow, consented(live, flow))
    return found


def test_msal_takes_the_code_flow_with_pkce_and_nonce(live: Live) -> None:
    found = connected(live)

    assert "error" not in found
    assert found["id_token_claims"]["preferred_username"] == ANN
    assert sorted(found["scope"].split()) == [
        f"https://graph.microsoft.com/{name}" for name in sorted(SCOPES)
    ]
    assert found["refresh_token"]


def test_msal_takes_the_answer_by_form_post(live: Live) -> None:
    settle_in(live.world)
    app = application(live)
    flow = app.initiate_auth_code_flow(
        SCOPES, redirect_uri=CALLBACK, response_mode="form_post", login_hint=ANN
    )
    page = decided(live, flow).text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))

    found = app.acquire_token_by_auth_code_flow(flow, fields)

    assert found["id_token_claims"]["preferred_username"] == ANN


def test_msal_knows_the_account_afterwards(live: Live) -> None:
    settle_in(live.world)
    app = application(live)
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    app.acquire_token_by_auth_code_flow(flow, consented(live, flow))

    account = live.world.directory.account("outlook", ANN)

    assert account
    assert [a["home_account_id"] for a in app.get_accounts()] == [
        f"{account.subject}.{account.tenant_id}"
    ]


def test_msal_refreshes_and_both_refresh_tokens_go_on_working(live: Live) -> None:
    first = connected(live)["refresh_token"]

    second = application(live).acquire_token_by_refresh_token(first, scopes=SCOPES)
    third = application(live).acquire_token_by_refresh_token(first, scopes=SCOPES)

    assert len({first, second["refresh_token"], third["refresh_token"]}) == 3


def test_msal_returns_a_dead_grant_as_an_answer(live: Live) -> None:
    token = connected(live)["refresh_token"]
    live.world.grants.revoke_account(f"outlook:{ANN}")

    found = application(live).acquire_token_by_refresh_token(token, scopes=SCOPES)

    assert (found["error"], found["error_codes"], found["suberror"]) == (
        "invalid_grant",
        [50173],
        "bad_token",
    )


def test_msal_returns_a_wrong_secret_as_an_answer(live: Live) -> None:
    token = connected(live)["refresh_token"]

    found = application(live, "wrong").acquire_token_by_refresh_token(token, scopes=SCOPES)

    assert (found["error"], found["error_codes"]) == ("invalid_client", [7000215])


def test_msal_raises_on_an_outage(live: Live) -> None:
    token = connected(live)["refresh_token"]
    live.world.faults.add("microsoft.token", "503_json")

    with pytest.raises(msal.exceptions.MsalServiceError, match="503"):
        application(live).acquire_token_by_refresh_token(token, scopes=SCOPES)


def test_msal_reports_a_refused_consent(live: Live) -> None:
    settle_in(live.world)
    app = application(live)
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)

    found = app.acquire_token_by_auth_code_flow(
        flow, {"state": flow["state"], "error": "access_denied", "error_description": "AADSTS65004"}
    )

    assert found["error"] == "access_denied"


def test_msal_can_ask_where_an_unknown_host_is(live: Live) -> None:
    settle_in(live.world)

    app = msal.ConfidentialClientApplication(
        "app-1",
        client_credential="app-secret",
        authority="https://login.sandbox.test/common",
        http_client=SandboxSession(f"{live.url}/microsoft"),
    )

    assert app.authority.token_endpoint == f"{AUTHORITY}/oauth2/v2.0/token"
