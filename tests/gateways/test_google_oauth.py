import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
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
from meetbot_calendar.gateways.google.client import GoogleProvider
from meetbot_calendar.gateways.google.faults import token_fault
from meetbot_calendar.gateways.google.oauth import GoogleEndpoints, require_calendars
from meetbot_calendar.gateways.transport import Transport, open_transport
from tests.gateways.far_ends import ANN, CALLBACK, NOW, Site, allowed, standing
from tests.loopback import Script, listening, says

SCOPES = (
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/calendar.readonly",
)
APP = OAuthApp(provider=Provider.GOOGLE, client_id="google-1", client_secret="secret-1")
OLD = Grant(refresh_token="1//old", access_token="ya29.old", expires_at=NOW, scopes=SCOPES)


class Google(msgspec.Struct, kw_only=True):
    """Our client of the sandbox's Google, and what stands behind it."""

    site: Site
    transport: Transport
    provider: CalendarProvider

    async def consent(self, **options: Any) -> Consent:
        wanted = {"redirect_uri": CALLBACK, "state": "state-1", "login_hint": None}
        return await self.provider.consent(APP, **(wanted | options))

    async def exchange(
        self, consent: Consent, answer: dict[str, str], app: OAuthApp = APP, uri: str = CALLBACK
    ) -> ConsentReturn:
        return await self.provider.exchange(
            app, redirect_uri=uri, memory=consent.memory, answer=answer, now=NOW
        )

    async def connect(self) -> Grant:
        consent = await self.consent()
        found = await self.exchange(consent, await allowed(self.transport, consent.url))
        return found.grant


def endpoints(url: str) -> GoogleEndpoints:
    return GoogleEndpoints(
        auth_url=f"{url}/google/o/oauth2/v2/auth",
        token_url=f"{url}/google/token",
        revoke_url=f"{url}/google/revoke",
        userinfo_url=f"{url}/google/v1/userinfo",
        api_url=f"{url}/google/calendar/v3",
    )


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with open_transport() as transport, standing(Provider.GOOGLE) as site:
        provider = GoogleProvider(transport, endpoints(site.url))
        yield Google(site=site, transport=transport, provider=provider)


@asynccontextmanager
async def answering(script: Script) -> AsyncIterator[GoogleProvider]:
    """Stand a token service up that answers by a script."""
    async with listening(script) as end, open_transport() as transport:
        yield GoogleProvider(transport, endpoints(end.url))


async def test_a_consent_page_is_asked_for_offline_access_with_a_pkce_challenge(
    google: Google,
) -> None:
    consent = await google.consent(login_hint=ANN)

    query = {name: values[0] for name, values in parse_qs(urlsplit(consent.url).query).items()}
    challenge = query.pop("code_challenge")
    assert consent.url.startswith(f"{google.site.url}/google/o/oauth2/v2/auth?")
    assert len(challenge) == 43
    assert query == {
        "response_type": "code",
        "client_id": "google-1",
        "redirect_uri": CALLBACK,
        "scope": " ".join(SCOPES),
        "state": "state-1",
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
        "include_granted_scopes": "true",
        "login_hint": ANN,
    }


async def test_every_consent_has_a_verifier_of_its_own_that_is_never_shown(google: Google) -> None:
    first, second = await google.consent(), await google.consent()

    verifier = msgspec.json.decode(first.memory)["code_verifier"]
    assert first.memory != second.memory
    assert len(verifier) == 128
    assert verifier not in first.url
    assert repr(first) == "Consent(***)"


async def test_a_consent_becomes_a_grant_and_its_account(google: Google) -> None:
    consent = await google.consent()

    found = await google.exchange(consent, await allowed(google.transport, consent.url))

    account = google.site.world.directory.account("google", ANN)
    assert account is not None
    assert found.account == Account(key=account.subject, email=ANN)
    assert found.grant.access_token.startswith("ya29.")
    assert found.grant.refresh_token.startswith("1//")
    assert found.grant.expires_at == NOW + timedelta(seconds=3599)
    assert found.grant.scopes == SCOPES


async def test_more_scopes_than_asked_for_are_welcome(google: Google) -> None:
    more = "https://www.googleapis.com/auth/calendar.events"
    google.site.world.grants.allow("google-1", f"google:{ANN}", [more])

    grant = await google.connect()

    assert set(grant.scopes) == {*SCOPES, more}


async def test_a_person_who_says_no_is_refused_access(google: Google) -> None:
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url, decision="deny")

    with pytest.raises(Refused) as refusal:
        await google.exchange(consent, answer)

    assert refusal.value.code == "access_denied"


async def test_a_calendar_box_left_unticked_is_refused_and_named(google: Google) -> None:
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url, chosen="1")

    with pytest.raises(Refused) as refusal:
        await google.exchange(consent, answer)

    assert refusal.value.code == "missing_scope"
    assert (
        '"See and download any calendar you can access using your Google Calendar"'
        in refusal.value.detail
    )


async def test_an_answer_to_another_consent_is_refused_before_anything_is_asked(
    google: Google,
) -> None:
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url)

    with pytest.raises(Refused) as refusal:
        await google.exchange(consent, answer | {"state": "state-2"})

    assert refusal.value.code == "invalid_code"
    assert google.site.asked("/token") == []


async def test_a_code_works_once(google: Google) -> None:
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url)
    await google.exchange(consent, answer)

    with pytest.raises(Refused) as refusal:
        await google.exchange(consent, answer)

    assert refusal.value.code == "invalid_code"


async def test_a_code_is_worth_nothing_with_another_consents_verifier(google: Google) -> None:
    mine, theirs = await google.consent(), await google.consent()
    answer = await allowed(google.transport, theirs.url)

    with pytest.raises(Refused) as refusal:
        await google.exchange(mine, answer)

    assert refusal.value.code == "invalid_code"


async def test_an_answer_without_a_code_is_refused(google: Google) -> None:
    consent = await google.consent()

    with pytest.raises(Refused) as refusal:
        await google.exchange(consent, {"state": "state-1"})

    assert refusal.value.code == "invalid_code"


async def test_a_wrong_client_secret_is_the_operators_to_mend(google: Google) -> None:
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url)
    wrong = msgspec.structs.replace(APP, client_secret="guess")

    with pytest.raises(InstallationFault, match="invalid_client"):
        await google.exchange(consent, answer, wrong)


async def test_another_redirect_address_is_the_operators_to_mend(google: Google) -> None:
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url)

    with pytest.raises(InstallationFault, match="redirect_uri_mismatch"):
        await google.exchange(consent, answer, uri="http://127.0.0.1:1/other")


@pytest.mark.parametrize("trouble", ["429", "500", "503_json", "503_html", "lose_answer"])
async def test_a_token_service_in_trouble_is_asked_once_and_tried_later(
    google: Google, trouble: str
) -> None:
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url)
    google.site.world.faults.add("google.token", trouble)

    with pytest.raises(TryLater):
        await google.exchange(consent, answer)

    assert len(google.site.asked("/google/token")) == 1


async def test_a_grant_that_does_not_last_is_refused(google: Google) -> None:
    script = says(b'{"access_token": "a", "expires_in": 3599, "token_type": "Bearer"}')
    async with listening(script) as end:
        provider = GoogleProvider(google.transport, endpoints(end.url))
        consent = await google.consent()

        with pytest.raises(Refused) as refusal:
            await provider.exchange(
                APP,
                redirect_uri=CALLBACK,
                memory=consent.memory,
                answer={"state": "state-1", "code": "c"},
                now=NOW,
            )

    assert refusal.value.code == "missing_refresh_token"


async def test_a_refresh_keeps_the_refresh_token_that_google_does_not_change(
    google: Google,
) -> None:
    grant = await google.connect()
    later = NOW + timedelta(hours=2)

    fresh = await google.provider.refresh(APP, grant, later)

    assert fresh.access_token != grant.access_token
    assert fresh == msgspec.structs.replace(
        grant, access_token=fresh.access_token, expires_at=later + timedelta(seconds=3599)
    )


async def test_no_library_logs_a_secret(google: Google, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    consent = await google.consent()
    answer = await allowed(google.transport, consent.url)
    found = await google.exchange(consent, answer)
    fresh = await google.provider.refresh(APP, found.grant, NOW)

    secrets = {
        APP.client_secret,
        answer["code"],
        found.grant.access_token,
        found.grant.refresh_token,
        fresh.access_token,
        msgspec.json.decode(consent.memory)["code_verifier"],
    }
    assert [secret for secret in secrets if secret in caplog.text] == []


async def test_a_refresh_token_that_google_does_change_is_kept() -> None:
    body = b'{"access_token": "a2", "refresh_token": "r2", "expires_in": "60"}'

    async with answering(says(body)) as provider:
        fresh = await provider.refresh(APP, OLD, NOW)

    assert fresh == Grant(
        refresh_token="r2",
        access_token="a2",
        expires_at=NOW + timedelta(seconds=60),
        scopes=SCOPES,
    )


@pytest.mark.parametrize("trouble", ["invalid_grant", "invalid_rapt", "admin_policy_enforced"])
async def test_a_refused_grant_asks_the_person_to_connect_again(
    google: Google, trouble: str
) -> None:
    grant = await google.connect()
    google.site.world.faults.add("google.token", trouble)

    with pytest.raises(ReconnectNeeded, match="connect the Google account again"):
        await google.provider.refresh(APP, grant, NOW)


async def test_a_refused_client_is_the_operators_to_mend(google: Google) -> None:
    grant = await google.connect()
    google.site.world.faults.add("google.token", "invalid_client")

    with pytest.raises(InstallationFault):
        await google.provider.refresh(APP, grant, NOW)


@pytest.mark.parametrize("trouble", ["429", "500", "503_json", "503_html"])
async def test_a_refresh_in_trouble_is_asked_once_and_tried_later(
    google: Google, trouble: str
) -> None:
    grant = await google.connect()
    google.site.heard.clear()
    google.site.world.faults.add("google.token", trouble, times=3)

    with pytest.raises(TryLater):
        await google.provider.refresh(APP, grant, NOW)

    assert len(google.site.heard) == 1


async def test_a_refresh_waits_as_long_as_the_token_service_says() -> None:
    async with answering(says(b"{}", 429, {"Retry-After": "17"})) as provider:
        with pytest.raises(TryLater) as busy:
            await provider.refresh(APP, OLD, NOW)

    assert busy.value.after == timedelta(seconds=17)


@pytest.mark.parametrize(
    "script",
    [
        says(b"<html>Sign in to the airport</html>", content_type="text/html"),
        says(b"{}", 302, {"Location": "http://127.0.0.1:1/elsewhere"}),
        says(b"[]"),
        says(b'{"token_type": "Bearer"}'),
    ],
)
async def test_an_answer_that_is_not_the_token_services_is_tried_later(script: Script) -> None:
    async with answering(script) as provider:
        with pytest.raises(TryLater):
            await provider.refresh(APP, OLD, NOW)


async def test_a_token_service_out_of_reach_is_tried_later() -> None:
    async with listening(says()) as end:
        gone = end.url

    async with open_transport() as transport:
        with pytest.raises(TryLater) as failure:
            await GoogleProvider(transport, endpoints(gone)).refresh(APP, OLD, NOW)

    assert failure.value.code == "unreachable"


async def test_a_revoked_grant_is_dead_and_revoking_it_again_is_fine(google: Google) -> None:
    grant = await google.connect()

    await google.provider.revoke(APP, grant)
    await google.provider.revoke(APP, grant)

    with pytest.raises(ReconnectNeeded):
        await google.provider.refresh(APP, grant, NOW)


async def test_revoking_in_trouble_is_tried_later(google: Google) -> None:
    grant = await google.connect()
    google.site.world.faults.add("google.revoke", "500")

    with pytest.raises(TryLater):
        await google.provider.revoke(APP, grant)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "invalid_grant"}, ReconnectNeeded),
        ({"error": "invalid_grant", "error_subtype": "invalid_rapt"}, ReconnectNeeded),
        ({"error": "invalid_scope"}, ReconnectNeeded),
        ({"error": "unauthorized_client"}, InstallationFault),
        ({"error": "deleted_client"}, InstallationFault),
        ({"error": "disabled_client"}, InstallationFault),
        ({"error": "temporarily_unavailable"}, TryLater),
        ({"error": {"code": 500}}, TryLater),
        ({"error": "<script>"}, TryLater),
        ({}, TryLater),
    ],
)
def test_a_refusal_of_the_token_service_is_judged_by_its_content(
    body: dict[str, Any], kind: type[MeetbotError]
) -> None:
    fault = token_fault(body)

    assert type(fault) is kind
    assert "<" not in fault.detail


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ("access_denied", Refused, "access_denied"),
        ("admin_policy_enforced", Refused, "access_denied"),
        ("org_internal", InstallationFault, "installation_fault"),
        ("temporarily_unavailable", TryLater, "try_later"),
    ],
)
async def test_an_error_in_the_callback_says_whose_it_is_to_mend(
    google: Google, error: str, kind: type[MeetbotError], code: str
) -> None:
    consent = await google.consent()

    with pytest.raises(kind) as refusal:
        await google.exchange(consent, {"state": "state-1", "error": error})

    assert refusal.value.code == code


_ROOT = "https://www.googleapis.com/auth/"


@pytest.mark.parametrize(
    ("names", "suffices"),
    [
        (["calendar"], True),
        (["calendar.readonly"], True),
        (["calendar.calendarlist", "calendar.events.readonly"], True),
        (["calendar.calendarlist.readonly", "calendar.events"], True),
        (["calendar.events"], False),
        (["calendar.calendarlist"], False),
        (["userinfo.email"], False),
        ([], True),  # none were told
    ],
)
def test_scopes_suffice_that_let_calendars_be_listed_and_read(
    names: list[str], *, suffices: bool
) -> None:
    with nullcontext() if suffices else pytest.raises(Refused):
        require_calendars(tuple(_ROOT + name for name in names))
