"""Microsoft's grants: consent, exchange, refresh, by msal (providers.md 5).

An app object lives for one call: it would share tokens between accounts and remember refusals.
msal takes https alone, so a simulator on this machine is reached by rewriting addresses.
"""

import hmac
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

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
from meetbot_calendar.gateways.microsoft.faults import (
    CALENDAR_PERMISSION,
    callback_fault,
    token_fault,
)
from meetbot_calendar.gateways.untrusted import Json, child, text

REQUIRED = ("User.Read", "Calendars.Read")
WANTED = (*REQUIRED, "Calendars.Read.Shared")
_ENOUGH = {"calendars.read", "calendars.readwrite", "calendars.read.shared"}
_PUBLIC = "https://login.microsoftonline.com"
_LIFE = 3600  # seconds; where an answer names none


class MicrosoftGrants:
    """Microsoft's OAuth. ``authority`` ends in the tenant: ``https://…/common``."""

    def __init__(self, authority: str, scopes: tuple[str, ...] = WANTED) -> None:
        self._authority = authority.rstrip("/")
        self._scopes = scopes

    async def consent(
        self, app: OAuthApp, *, redirect_uri: str, state: str, login_hint: str | None
    ) -> Consent:
        """Make the address of the sign-in page, with a PKCE challenge and a nonce."""
        # the callback is a GET by contract: PKCE and state guard what form_post would
        warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended")
        flow = await blocking.in_thread(
            lambda: self._with(
                app,
                lambda client: client.initiate_auth_code_flow(
                    list(self._scopes),
                    redirect_uri=redirect_uri,
                    state=state,
                    prompt="select_account",
                    login_hint=login_hint,
                ),
            )
        )
        return Consent(url=self.address(flow["auth_uri"]), memory=msgspec.json.encode(flow))

    async def exchange(self, app: OAuthApp, *, memory: bytes, answer: Mapping[str, str]) -> Json:
        """Turn the code into msal's account of a grant, or raise as the port says."""
        flow: Json = msgspec.json.decode(memory)
        _check(answer, text(flow, "state") or "")
        said = {name: answer[name] for name in ("code", "state")}  # msal trips over some others
        result = await blocking.in_thread(lambda: self._with(app, _redeem(flow, said)))
        if "access_token" not in result:
            raise _redeemed(token_fault(result))
        return result

    async def refresh(self, app: OAuthApp, grant: Grant, now: datetime) -> Grant:
        """Return a fresh grant. Its refresh token is nearly always a new one."""
        scopes = _refreshable(grant.scopes)
        result = await blocking.in_thread(
            lambda: self._with(app, _renew(grant.refresh_token, scopes))
        )
        if "access_token" not in result:
            raise token_fault(result)
        return grant_of(result, now, grant)

    def _with(self, app: OAuthApp, call: Callable[[Any], Json]) -> Json:
        import msal  # noqa: PLC0415 - 180 ms to import

        with blocking.session_to(self.address) as session:
            try:
                client = msal.ConfidentialClientApplication(
                    app.client_id,
                    client_credential=app.client_secret,
                    authority=self._msal_authority,
                    http_client=session,
                    http_cache={},
                    token_cache=msal.TokenCache(),
                    instance_discovery=False,
                )
            except (ValueError, KeyError) as error:
                detail = "the Microsoft authority does not answer as one: check its address"
                raise InstallationFault(detail) from error
            return call(client)

    @property
    def _msal_authority(self) -> str:
        if self._authority.startswith("https://"):
            return self._authority
        return f"{_PUBLIC}/{self._authority.rpartition('/')[2]}"

    def address(self, url: str) -> str:
        """Return where a request for ``url`` goes: to the simulator, if that is the authority."""
        if self._authority.startswith("https://"):
            return url
        base = urlsplit(self._authority.rpartition("/")[0])
        asked = urlsplit(url)
        within = asked.path.startswith(f"{base.path}/") and base.path != ""
        path = asked.path if within else base.path + asked.path
        return asked._replace(scheme=base.scheme, netloc=base.netloc, path=path).geturl()


def grant_of(result: Json, now: datetime, earlier: Grant | None = None) -> Grant:
    """Return the grant that an answer of msal's describes; what it leaves out stays as it was."""
    scopes = tuple((text(result, "scope") or "").split())
    refresh_token = text(result, "refresh_token") or (earlier.refresh_token if earlier else None)
    if refresh_token is None:
        detail = "Microsoft gave no lasting permission: connect again and allow offline access"
        raise Refused(detail, code="missing_refresh_token")
    return Grant(
        refresh_token=refresh_token,
        access_token=str(result["access_token"]),
        expires_at=now + timedelta(seconds=_seconds(result)),
        scopes=scopes or (earlier.scopes if earlier else ()),
        account_key=account_key(result) or (earlier.account_key if earlier else None),
    )


def account_key(result: Json) -> str | None:
    """Return the tenant and the object id of the account: neither ever changes."""
    claims = child(result, "id_token_claims")
    tid, oid = text(claims, "tid"), text(claims, "oid")
    return f"{tid}.{oid}" if tid and oid else None


def require_calendars(grant: Grant) -> None:
    """Refuse a grant that does not let us read calendars."""
    if grant.scopes and not {_short(scope) for scope in grant.scopes} & _ENOUGH:
        detail = f'the permission "{CALENDAR_PERMISSION}" is missing: connect again and allow it'
        raise Refused(detail, code="missing_scope")


def _check(answer: Mapping[str, str], state: str) -> None:
    if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise Refused("this answer belongs to another consent: start again", code="invalid_code")
    if "error" in answer:
        raise callback_fault(dict(answer))
    if not answer.get("code"):
        raise Refused("Microsoft sent no code: start again", code="invalid_code")


def _redeem(flow: Json, answer: dict[str, str]) -> Callable[[Any], Json]:
    def call(client: Any) -> Json:  # noqa: ANN401 - msal has no types
        try:
            result: Json = client.acquire_token_by_auth_code_flow(flow, answer)
        except (ValueError, RuntimeError) as error:  # an answer of another consent, a wrong nonce
            detail = "Microsoft's answer does not fit this consent: start again"
            raise Refused(detail, code="invalid_code") from error
        return result

    return call


def _renew(refresh_token: str, scopes: list[str]) -> Callable[[Any], Json]:
    def call(client: Any) -> Json:  # noqa: ANN401 - msal has no types
        try:
            result: Json = client.acquire_token_by_refresh_token(refresh_token, scopes=scopes)
        except ValueError as error:  # an id token that is none
            raise TryLater("Microsoft's answer is unreadable", code="unreadable_answer") from error
        return result

    return call


def _redeemed(fault: MeetbotError) -> MeetbotError:
    """Return what a refusal means while a code is redeemed: then the code is what is invalid."""
    if isinstance(fault, ReconnectNeeded):
        detail = f"Microsoft does not take the code: start again ({fault.detail})"
        return Refused(detail, code="invalid_code")
    return fault


def _refreshable(scopes: tuple[str, ...]) -> list[str]:
    """Return what to ask for: never more than was granted, which would refuse all of it."""
    granted = {_short(scope) for scope in scopes}
    return [scope for scope in WANTED if scope.lower() in granted] or list(REQUIRED)


def _short(scope: str) -> str:
    return scope.rpartition("/")[2].lower()


def _seconds(result: Json) -> int:
    try:
        return min(int(result.get("expires_in", _LIFE)), 28 * 3600)
    except (TypeError, ValueError) as error:
        raise InstallationFault("the authority does not answer as Microsoft does") from error
