"""Google's grants: consent, exchange, refresh, revoke (providers.md 1).

Neither of oauthlib's environment variables is needed: a flow that names no scopes takes what was
granted, and our adapter carries what the library calls https over plain http to this machine.
"""

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import requests

from meetbot_calendar.calendars.model import Grant, OAuthApp
from meetbot_calendar.calendars.provider import Consent
from meetbot_calendar.errors import (
    InstallationFault,
    MeetbotError,
    ReconnectNeeded,
    Refused,
    TryLater,
)
from meetbot_calendar.gateways import blocking
from meetbot_calendar.gateways.google.faults import CALENDAR_BOX, token_fault
from meetbot_calendar.gateways.transport import Transport, retry_after
from meetbot_calendar.gateways.untrusted import Json, object_in, text

_SCOPE_ROOT = "https://www.googleapis.com/auth/"
SCOPES = ("openid", f"{_SCOPE_ROOT}userinfo.email", f"{_SCOPE_ROOT}calendar.readonly")
HELPER_SCOPES = (
    f"{_SCOPE_ROOT}calendar.events.readonly",
    f"{_SCOPE_ROOT}calendar.readonly",
    f"{_SCOPE_ROOT}userinfo.email",
    f"{_SCOPE_ROOT}userinfo.profile",
)
"""What MeetStream's guide has its readers ask for."""
_MAY_LIST = {
    "calendar",
    "calendar.readonly",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
}
_MAY_READ = {"calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly"}
_LIFE = 3600  # seconds; where an answer names none


class GoogleEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where Google is. ``api_url`` is what stands before ``/calendars`` and ``/users/me``."""

    auth_url: str = "https://accounts.google.com/o/oauth2/v2/auth"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    revoke_url: str = "https://oauth2.googleapis.com/revoke"
    userinfo_url: str = "https://openidconnect.googleapis.com/v1/userinfo"
    api_url: str = "https://www.googleapis.com/calendar/v3"


class Memory(msgspec.Struct, frozen=True):
    """What the way back from the consent page needs."""

    state: str
    code_verifier: str


class GoogleGrants:
    """Google's OAuth, by google-auth-oauthlib and google-auth."""

    def __init__(
        self, transport: Transport, endpoints: GoogleEndpoints, scopes: tuple[str, ...] = SCOPES
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._scopes = scopes

    async def consent(
        self, app: OAuthApp, *, redirect_uri: str, state: str, login_hint: str | None
    ) -> Consent:
        """Make the address of the consent page, with a PKCE challenge (RFC 7636)."""

        def make() -> tuple[str, str]:
            flow = self._flow(app, self._scopes, redirect_uri=redirect_uri, state=state)
            with flow.oauth2session:
                url, _ = flow.authorization_url(
                    state=state,
                    access_type="offline",
                    prompt="consent",  # without it a second grant carries no refresh token
                    include_granted_scopes="true",
                    **({"login_hint": login_hint} if login_hint else {}),
                )
            return url, flow.code_verifier

        url, verifier = await blocking.in_thread(make)
        return Consent(
            url=blocking.scheme_of(self._endpoints.auth_url)(url),
            memory=msgspec.json.encode(Memory(state, verifier)),
        )

    async def exchange(
        self,
        app: OAuthApp,
        *,
        redirect_uri: str,
        memory: bytes,
        answer: Mapping[str, str],
        now: datetime,
    ) -> Grant:
        """Turn the code into a grant that covers calendars, or raise as the port says."""
        kept = msgspec.json.decode(memory, type=Memory)
        code = _code_of(answer, kept)
        body = await blocking.in_thread(
            lambda: self._redeem(
                self._flow(
                    app,
                    None,  # named scopes would have to equal the granted ones
                    redirect_uri=redirect_uri,
                    code_verifier=kept.code_verifier,
                ),
                code,
            )
        )
        if "access_token" not in body:
            raise _redeemed(token_fault(body))
        return _new_grant(body, now)

    async def refresh(self, app: OAuthApp, grant: Grant, now: datetime) -> Grant:
        """Return the grant with a fresh access token; Google seldom changes the refresh token."""
        body = await blocking.in_thread(lambda: self._renew(app, grant.refresh_token))
        access_token = text(body, "access_token")
        if access_token is None:
            raise token_fault(body)
        scopes = text(body, "scope")
        return Grant(
            refresh_token=text(body, "refresh_token") or grant.refresh_token,
            access_token=access_token,
            expires_at=_expiry(body, now),
            scopes=tuple(scopes.split()) if scopes else grant.scopes,
            account_key=grant.account_key,
        )

    async def revoke(self, grant: Grant) -> None:
        """Drop the grant. One that Google calls invalid is dropped already."""
        form = {"token": grant.refresh_token or grant.access_token}
        answer = await self._transport.request("POST", self._endpoints.revoke_url, form=form)
        if answer.status == 429 or answer.status >= 500:  # noqa: PLR2004 - RFC 9110
            raise TryLater(f"Google answers {answer.status}", after=retry_after(answer))

    def _flow(self, app: OAuthApp, scopes: tuple[str, ...] | None, **options: str) -> Any:  # noqa: ANN401 - google-auth-oauthlib has no types
        from google_auth_oauthlib.flow import Flow  # noqa: PLC0415 - 300 ms to import

        config = {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "auth_uri": blocking.as_https(self._endpoints.auth_url),
            "token_uri": blocking.as_https(self._endpoints.token_url),
        }
        return Flow.from_client_config({"web": config}, scopes, **options)

    def _redeem(self, flow: Any, code: str) -> Json:  # noqa: ANN401 - google-auth-oauthlib has no types
        """Return what the token endpoint said, good or bad."""
        from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

        said: list[Json] = []
        with flow.oauth2session as session:
            blocking.guard(session, blocking.scheme_of(self._endpoints.token_url))
            session.register_compliance_hook("access_token_response", _listen(said))
            try:
                flow.fetch_token(code=code)
            except OAuth2Error:
                return said[-1]
        return said[-1]

    def _renew(self, app: OAuthApp, refresh_token: str) -> Json:
        """Return what the token endpoint said, good or bad."""
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - 180 ms to import
        from google.auth.transport.requests import Request  # noqa: PLC0415 - the same
        from google.oauth2.credentials import Credentials  # noqa: PLC0415 - the same

        said: list[Json] = []
        credentials = Credentials(  # type: ignore[no-untyped-call]  # half typed
            None,
            refresh_token=refresh_token,
            token_uri=self._endpoints.token_url,
            client_id=app.client_id,
            client_secret=app.client_secret,
        )
        with blocking.session_to(blocking.scheme_of(self._endpoints.token_url)) as session:
            session.hooks["response"].append(_listen(said))
            try:
                credentials.refresh(Request(session))  # type: ignore[no-untyped-call]  # half typed
            except GoogleAuthError:
                return said[-1] if said else {}
        return said[-1]


def _listen(said: list[Json]) -> Callable[..., requests.Response]:
    """Keep what an answer says: it tells more than the libraries' exceptions do."""

    def hook(response: requests.Response, **_: object) -> requests.Response:
        said.append(object_in(response.content))
        return response

    return hook


def _code_of(answer: Mapping[str, str], kept: Memory) -> str:
    if not hmac.compare_digest(answer.get("state", "").encode(), kept.state.encode()):
        raise Refused("this answer belongs to another consent: start again", code="invalid_code")
    if error := answer.get("error"):
        raise _callback_fault(error)
    if code := answer.get("code"):
        return code
    raise Refused("Google sent no code: start again", code="invalid_code")


def _callback_fault(error: str) -> MeetbotError:
    """Return what an ``error`` in the callback means; its text comes from anyone's browser."""
    if error == "access_denied":
        return Refused("the person did not give the permission", code="access_denied")
    fault = token_fault({"error": error})
    if isinstance(fault, ReconnectNeeded):
        return Refused(fault.detail, code="access_denied")
    if isinstance(fault, TryLater):
        return TryLater("Google's sign-in is unavailable for now")
    return fault


def _redeemed(fault: MeetbotError) -> MeetbotError:
    """Return what a refusal means while a code is redeemed: then the code is what is invalid."""
    if isinstance(fault, ReconnectNeeded):
        detail = "Google does not take the code (used, expired or another's): start again"
        return Refused(detail, code="invalid_code")
    return fault


def _new_grant(body: Json, now: datetime) -> Grant:
    scopes = tuple((text(body, "scope") or " ".join(SCOPES)).split())
    require_calendars(scopes)
    refresh_token = text(body, "refresh_token")
    if refresh_token is None:
        detail = (
            "Google gave no lasting permission: remove this app under "
            "https://myaccount.google.com/connections and connect again"
        )
        raise Refused(detail, code="missing_refresh_token")
    access_token = text(body, "access_token") or ""
    return Grant(
        refresh_token=refresh_token,
        access_token=access_token,
        expires_at=_expiry(body, now),
        scopes=scopes,
    )


def require_calendars(scopes: tuple[str, ...]) -> None:
    """Refuse scopes that do not let us list and read calendars; none were told: let them be."""
    short = {scope.removeprefix(_SCOPE_ROOT) for scope in scopes}
    if scopes and not (short & _MAY_LIST and short & _MAY_READ):
        detail = f'the calendar permission is missing: connect again and tick "{CALENDAR_BOX}"'
        raise Refused(detail, code="missing_scope")


def _expiry(body: Json, now: datetime) -> datetime:
    """Return when an access token ends; some services write the seconds as a string."""
    try:
        return now + timedelta(seconds=int(body.get("expires_in", _LIFE)))
    except (TypeError, ValueError, OverflowError) as error:
        raise InstallationFault("the token address does not answer as Google does") from error
