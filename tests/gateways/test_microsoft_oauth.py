import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from meetbot_calendar.calendars.model import Account, Grant, OAuthApp, Provider
from meetbot_calendar.calendars.provider import CalendarProvider, Consent, ConsentReturn
from meetbot_calendar.errors import (
    InstallationFault,
    MeetbotError,
    ReconnectNeeded,
    Refused,
    TryLater,
)
from meetbot_calendar.gateways.microsoft.client import MicrosoftProvider
from meetbot_calendar.gateways.microsoft.faults import callback_fault, token_fault
from meetbot_calendar.gateways.microsoft.oauth import MicrosoftGrants
from meetbot_calendar.gateways.transport import Transport, open_transport
from tests.gateways.far_ends import ANN, CALLBACK, NOW, Site, allowed, standing
from tests.loopback import Heard, Script, answer, listening, says

APP = OAuthApp(provider=Provider.OUTLOOK, client_id="outlook-1", client_secret="secret-1")
OLD = Grant(refresh_token="0.old", access_token="eyJ.old", expires_at=NOW, account_key="t.o")


class Microsoft(msgspec.Struct, kw_only=True):
    """Our client of the sandbox's Microsoft, and what stands behind it."""

    site: Site
    transport: Transport
    provider: CalendarProvider

    async def consent(self, **options: Any) -> Consent:
        wanted = {"redirect_uri": CALLBACK, "state": "state-1", "login_hint": None}
        return await self.provider.consent(APP, **(wanted | options))

    async def exchange(
        self, consent: Consent, said: dict[str, str], app: OAuthApp = APP
    ) -> ConsentReturn:
        return await self.provider.exchange(
            app, redirect_uri=CALLBACK, memory=consent.memory, answer=said, now=NOW
        )

    async def connect(self) -> Grant:
        consent = await self.consent()
        found = await self.exchange(consent, await allowed(self.transport, consent.url))
        return found.grant


@pytest.fixture
async def microsoft() -> AsyncIterator[Microsoft]:
    async with open_transport() as transport, standing(Provider.OUTLOOK) as site:
        provider = MicrosoftProvider(
            transport,
            authority=f"{site.url}/microsoft/common",
            graph_url=f"{site.url}/microsoft/graph/v1.0",
        )
        yield Microsoft(site=site, transport=transport, provider=provider)


@asynccontextmanager
async def answering(script: Script) -> AsyncIterator[MicrosoftProvider]:
    """Stand a token service up that answers by a script, behind a discovery that works."""

    async def discovering(heard: Heard, writer: Any) -> None:
        if heard.method == "POST":
            await script(heard, writer)
            return
        base = "https://login.microsoftonline.com/common/oauth2/v2.0"
        ends = {
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
        }
        writer.write(answer(msgspec.json.encode(ends)))

    async with listening(discovering) as end, open_transport() as transport:
        yield MicrosoftProvider(transport, authority=f"{end.url}/common")


async def test_the_sign_in_page_is_at_the_configured_address_and_asks_for_calendars(
    microsoft: Microsoft,
) -> None:
    consent = await microsoft.consent(login_hint=ANN)

    query = {name: values[0] for name, values in parse_qs(urlsplit(consent.url).query).items()}
    page = f"{microsoft.site.url}/microsoft/common/oauth2/v2.0/authorize?"
    assert consent.url.startswith(page)
    assert set(query.pop("scope").split()) == {
        "openid",
        "profile",
        "offline_access",
        "User.Read",
        "Calendars.Read",
        "Calendars.Read.Shared",
    }
    assert len(query.pop("code_challenge")) == 43
    assert len(query.pop("nonce")) == 64
    assert query == {
        "client_id": "outlook-1",
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "state": "state-1",
        "prompt": "select_account",
        "code_challenge_method": "S256",
        "client_info": "1",
        "login_hint": ANN,
        "X-AnchorMailbox": f"UPN:{ANN}",
    }


async def test_a_consent_keeps_its_verifier_to_itself(microsoft: Microsoft) -> None:
    consent = await microsoft.consent()

    memory = msgspec.json.decode(consent.memory)
    assert memory["state"] == "state-1"
    assert memory["code_verifier"] not in consent.url
    assert repr(consent) == "Consent(***)"


async def test_a_consent_becomes_a_grant_and_its_account(microsoft: Microsoft) -> None:
    consent = await microsoft.consent()

    found = await microsoft.exchange(consent, await allowed(microsoft.transport, consent.url))

    account = microsoft.site.world.directory.account("outlook", ANN)
    assert account is not None
    key = f"{account.tenant_id}.{account.subject}"
    assert found.account == Account(key=key, email=ANN, name="Ann")
    assert found.grant.account_key == key
    assert timedelta(minutes=59) < found.grant.expires_at - NOW < timedelta(minutes=91)
    assert {scope.rpartition("/")[2] for scope in found.grant.scopes} >= {
        "User.Read",
        "Calendars.Read",
        "Calendars.Read.Shared",
    }


async def test_an_account_without_a_mail_address_goes_by_its_sign_in_name(
    microsoft: Microsoft,
) -> None:
    account = microsoft.site.world.directory.account("outlook", ANN)
    assert account is not None
    account.detail |= {"mail": None, "upn": "Ann.Person@Contoso.test"}

    grant = await microsoft.connect()

    found = await microsoft.provider.account(grant)
    assert found.email == "ann.person@contoso.test"


async def test_a_person_who_says_no_is_refused_access(microsoft: Microsoft) -> None:
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url, decision="cancel")

    with pytest.raises(Refused, match="the person did not give") as refusal:
        await microsoft.exchange(consent, said)

    assert refusal.value.code == "access_denied"


async def test_an_organisation_that_wants_approval_says_so(microsoft: Microsoft) -> None:
    microsoft.site.world.faults.add("microsoft.authorize", "90094")
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url)

    with pytest.raises(Refused, match="an administrator must approve") as refusal:
        await microsoft.exchange(consent, said)

    assert refusal.value.code == "access_denied"


async def test_an_answer_to_another_consent_is_refused_before_anything_is_asked(
    microsoft: Microsoft,
) -> None:
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url)

    with pytest.raises(Refused) as refusal:
        await microsoft.exchange(consent, said | {"state": "state-2"})

    assert refusal.value.code == "invalid_code"
    assert microsoft.site.asked("/token") == []


async def test_a_code_works_once(microsoft: Microsoft) -> None:
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url)
    await microsoft.exchange(consent, said)

    with pytest.raises(Refused) as refusal:
        await microsoft.exchange(consent, said)

    assert refusal.value.code == "invalid_code"


async def test_a_code_of_another_consent_is_refused(microsoft: Microsoft) -> None:
    mine, theirs = await microsoft.consent(), await microsoft.consent()
    said = await allowed(microsoft.transport, theirs.url)

    with pytest.raises(Refused) as refusal:
        await microsoft.exchange(mine, said)

    assert refusal.value.code == "invalid_code"


async def test_odd_extras_in_the_callback_do_no_harm(microsoft: Microsoft) -> None:
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url)

    found = await microsoft.exchange(consent, said | {"client_info": "NQ", "session_state": "x"})

    assert found.account.email == ANN


async def test_an_answer_without_a_code_is_refused(microsoft: Microsoft) -> None:
    consent = await microsoft.consent()

    with pytest.raises(Refused) as refusal:
        await microsoft.exchange(consent, {"state": "state-1"})

    assert refusal.value.code == "invalid_code"


async def test_a_wrong_client_secret_is_the_operators_to_mend(microsoft: Microsoft) -> None:
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url)
    wrong = msgspec.structs.replace(APP, client_secret="guess")

    with pytest.raises(InstallationFault, match="the client secret is wrong"):
        await microsoft.exchange(consent, said, wrong)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scope": "User.Read openid", "refresh_token": "0.r"}, "missing_scope"),
        ({"scope": "User.Read Calendars.Read"}, "missing_refresh_token"),
    ],
)
async def test_a_grant_that_is_not_enough_is_refused(
    microsoft: Microsoft, body: dict[str, str], code: str
) -> None:
    consent = await microsoft.consent()
    given = {"access_token": "eyJ", "token_type": "Bearer", "expires_in": 3600} | body

    async with answering(says(msgspec.json.encode(given))) as provider:
        with pytest.raises(Refused) as refusal:
            await provider.exchange(
                APP,
                redirect_uri=CALLBACK,
                memory=consent.memory,
                answer={"state": "state-1", "code": "c"},
                now=NOW,
            )

    assert refusal.value.code == code


@pytest.mark.parametrize("trouble", ["429", "500", "503_json", "503_html", "lose_answer"])
async def test_a_token_service_in_trouble_is_asked_once_and_tried_later(
    microsoft: Microsoft, trouble: str
) -> None:
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url)
    microsoft.site.world.faults.add("microsoft.token", trouble)

    with pytest.raises(TryLater):
        await microsoft.exchange(consent, said)

    assert len(microsoft.site.asked("/token")) == 1


async def test_a_refresh_brings_a_new_refresh_token_and_the_old_one_lives_on(
    microsoft: Microsoft,
) -> None:
    grant = await microsoft.connect()

    fresh = await microsoft.provider.refresh(APP, grant, NOW)
    again = await microsoft.provider.refresh(APP, grant, NOW)

    assert len({grant.refresh_token, fresh.refresh_token, again.refresh_token}) == 3
    assert fresh.account_key == grant.account_key
    assert {s.rpartition("/")[2] for s in fresh.scopes} >= {"User.Read", "Calendars.Read"}


async def test_no_library_logs_a_secret(
    microsoft: Microsoft, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    consent = await microsoft.consent()
    said = await allowed(microsoft.transport, consent.url)
    found = await microsoft.exchange(consent, said)
    fresh = await microsoft.provider.refresh(APP, found.grant, NOW)

    secrets = {
        APP.client_secret,
        said["code"],
        found.grant.access_token,
        found.grant.refresh_token,
        fresh.access_token,
        fresh.refresh_token,
        msgspec.json.decode(consent.memory)["code_verifier"],
    }
    assert [secret for secret in secrets if secret in caplog.text] == []


async def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(
    microsoft: Microsoft,
) -> None:
    grant = await microsoft.connect()
    microsoft.site.world.faults.add("microsoft.token", "no_refresh_token")

    fresh = await microsoft.provider.refresh(APP, grant, NOW)

    assert fresh.refresh_token == grant.refresh_token
    assert fresh.access_token != grant.access_token


async def test_a_pasted_refresh_token_tells_whose_it_is_once_refreshed(
    microsoft: Microsoft,
) -> None:
    grant = await microsoft.connect()
    pasted = Grant(refresh_token=grant.refresh_token, access_token="", expires_at=NOW)

    fresh = await microsoft.provider.refresh(APP, pasted, NOW)

    account = await microsoft.provider.account(fresh)
    assert account.key == grant.account_key


async def test_a_refresh_asks_for_no_more_than_was_granted() -> None:
    body = b'{"access_token": "a2", "expires_in": 3600, "token_type": "Bearer"}'
    narrow = msgspec.structs.replace(
        OLD, scopes=("https://graph.microsoft.com/Calendars.Read", "User.Read")
    )
    heard: list[Heard] = []

    async def script(request: Heard, writer: Any) -> None:
        heard.append(request)
        writer.write(answer(body))

    async with answering(script) as provider:
        fresh = await provider.refresh(APP, narrow, NOW)

    asked = parse_qs(heard[0].body.decode())["scope"][0].split()
    assert set(asked) == {"User.Read", "Calendars.Read", "openid", "profile", "offline_access"}
    assert fresh == msgspec.structs.replace(
        narrow, access_token="a2", expires_at=NOW + timedelta(hours=1)
    )


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ("50173", "revoked"),
        ("700082", "90 days"),
        ("50076", "second factor"),
        ("53003", "access policy"),
        ("65001", "has not been given"),
        ("50057", "disabled"),
    ],
)
async def test_a_refused_grant_asks_the_person_to_connect_again_and_says_why(
    microsoft: Microsoft, trouble: str, why: str
) -> None:
    grant = await microsoft.connect()
    microsoft.site.world.faults.add("microsoft.token", trouble)

    with pytest.raises(ReconnectNeeded, match=why):
        await microsoft.provider.refresh(APP, grant, NOW)


@pytest.mark.parametrize(
    ("trouble", "why"), [("7000215", "wrong"), ("7000222", "expired"), ("700016", "not known")]
)
async def test_a_refused_client_is_the_operators_to_mend(
    microsoft: Microsoft, trouble: str, why: str
) -> None:
    grant = await microsoft.connect()
    microsoft.site.world.faults.add("microsoft.token", trouble)

    with pytest.raises(InstallationFault, match=why):
        await microsoft.provider.refresh(APP, grant, NOW)


async def test_a_refusal_is_not_remembered_beyond_its_call(microsoft: Microsoft) -> None:
    grant = await microsoft.connect()
    microsoft.site.world.faults.add("microsoft.token", "invalid_grant")
    with pytest.raises(ReconnectNeeded):
        await microsoft.provider.refresh(APP, grant, NOW)

    fresh = await microsoft.provider.refresh(APP, grant, NOW)

    assert fresh.access_token != grant.access_token


async def test_a_refresh_waits_as_long_as_the_token_service_says(microsoft: Microsoft) -> None:
    grant = await microsoft.connect()
    microsoft.site.world.faults.add("microsoft.token", "429", retry_after=17)

    with pytest.raises(TryLater) as busy:
        await microsoft.provider.refresh(APP, grant, NOW)

    assert busy.value.after == timedelta(seconds=17)


@pytest.mark.parametrize(
    "script",
    [
        says(b"<html>Sign in to the airport</html>", content_type="text/html"),
        says(b"{}", 302, {"Location": "http://127.0.0.1:1/elsewhere"}),
        says(b"[]"),
        says(b'{"token_type": "Bearer"}'),
        says(b'{"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"}'),
    ],
)
async def test_an_answer_that_is_not_the_token_services_is_tried_later(script: Script) -> None:
    async with answering(script) as provider:
        with pytest.raises(TryLater):
            await provider.refresh(APP, OLD, NOW)


async def test_an_authority_out_of_reach_is_tried_later() -> None:
    async with listening(says()) as end:
        gone = end.url

    async with open_transport() as transport:
        with pytest.raises(TryLater) as failure:
            await MicrosoftProvider(transport, authority=f"{gone}/common").refresh(APP, OLD, NOW)

    assert failure.value.code == "unreachable"


@pytest.mark.parametrize("script", [says(b'{"error": "no tenant"}', 400), says(b'{"issuer": "x"}')])
async def test_an_authority_that_is_none_is_the_operators_to_mend(script: Script) -> None:
    async with listening(script) as end, open_transport() as transport:
        with pytest.raises(InstallationFault, match="authority"):
            await MicrosoftProvider(transport, authority=f"{end.url}/common").refresh(APP, OLD, NOW)


async def test_there_is_nothing_to_revoke(microsoft: Microsoft) -> None:
    grant = await microsoft.connect()
    microsoft.site.heard.clear()

    await microsoft.provider.revoke(APP, grant)

    assert microsoft.site.heard == []


@pytest.mark.parametrize(
    ("authority", "asked", "goes_to"),
    [
        (
            "http://127.0.0.1:9000/microsoft/common",
            "https://login.microsoftonline.com/common/oauth2/v2.0/token?x=%2F",
            "http://127.0.0.1:9000/microsoft/common/oauth2/v2.0/token?x=%2F",
        ),
        (
            "http://127.0.0.1:9000/microsoft/common",
            "https://127.0.0.1:9000/microsoft/common/oauth2/v2.0/token",
            "http://127.0.0.1:9000/microsoft/common/oauth2/v2.0/token",
        ),
        (
            "http://localhost:9000/common/",
            "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            "http://localhost:9000/common/oauth2/v2.0/token",
        ),
        (
            "https://login.microsoftonline.us/organizations",
            "https://login.microsoftonline.us/organizations/oauth2/v2.0/token",
            "https://login.microsoftonline.us/organizations/oauth2/v2.0/token",
        ),
    ],
)
def test_only_a_simulators_addresses_are_rewritten(
    authority: str, asked: str, goes_to: str
) -> None:
    assert MicrosoftGrants(authority).address(asked) == goes_to


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "invalid_grant"}, ReconnectNeeded),
        ({"error": "interaction_required", "error_codes": [50076]}, ReconnectNeeded),
        ({"error": "consent_required"}, ReconnectNeeded),
        ({"error": "login_required"}, ReconnectNeeded),
        ({"error": "access_denied", "error_codes": [53003]}, ReconnectNeeded),
        ({"error": "invalid_client", "error_codes": [7000222]}, InstallationFault),
        ({"error": "unauthorized_client", "error_codes": [700016]}, InstallationFault),
        ({"error": "temporarily_unavailable"}, TryLater),
        ({"error": "server_error"}, TryLater),
        ({"error": "something_new", "error_codes": "50173"}, TryLater),
        ({}, TryLater),
    ],
)
def test_a_refusal_of_the_token_service_is_judged_by_its_error(
    body: dict[str, Any], kind: type[MeetbotError]
) -> None:
    assert type(token_fault(body)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("access_denied", Refused),
        ("consent_required", Refused),
        ("<script>", Refused),
        ("temporarily_unavailable", TryLater),
        ("unauthorized_client", InstallationFault),
    ],
)
def test_an_error_in_the_callback_says_whose_it_is_to_mend(
    error: str, kind: type[MeetbotError]
) -> None:
    fault = callback_fault({"error": error, "error_description": "<b>AADSTS1</b>"})

    assert type(fault) is kind
    assert "<" not in fault.detail
