"""The consent page: who you are, what is asked, Allow or Deny (providers.md 1.2)."""

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from meetbot_calendar.sandbox.google.scopes import SIGN_IN, normalised, tickable
from meetbot_calendar.sandbox.grants import CODE_LIFE, Client, Code
from meetbot_calendar.sandbox.store import Account
from meetbot_calendar.sandbox.world import World


class ConsentRefused(Exception):
    """The request itself is wrong: the person sees an error page and is not sent back."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.description = description


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """A checked authorisation request."""

    client: Client
    redirect_uri: str
    scopes: list[str]
    state: str | None
    offline: bool
    prompts: frozenset[str]
    include_granted: bool
    login_hint: str
    challenge: str
    challenge_method: str
    nonce: str


def read_consent(world: World, params: Mapping[str, str]) -> Consent:
    """Check an authorisation request; raises ConsentRefused."""
    client = world.grants.client(params.get("client_id", ""))
    if client is None or client.provider != "google":
        raise ConsentRefused(401, "invalid_client", "The OAuth client was not found.")
    redirect = params.get("redirect_uri", "")
    if redirect not in client.redirect_uris:
        detail = f"The redirect URI in the request, {redirect}, is not registered."
        raise ConsentRefused(400, "redirect_uri_mismatch", detail)
    if params.get("response_type") != "code":
        raise ConsentRefused(400, "unsupported_response_type", "response_type must be code")
    method = params.get("code_challenge_method", "plain" if "code_challenge" in params else "")
    if method not in ("", "plain", "S256"):
        raise ConsentRefused(400, "invalid_request", "Invalid code_challenge_method")
    if not params.get("scope", "").strip():
        raise ConsentRefused(400, "invalid_request", "Missing required parameter: scope")
    return Consent(
        client=client,
        redirect_uri=redirect,
        scopes=normalised(params["scope"]),
        state=params.get("state"),
        offline=params.get("access_type") == "offline",
        prompts=frozenset(params.get("prompt", "").split()),
        include_granted=params.get("include_granted_scopes") == "true",
        login_hint=params.get("login_hint", "").lower(),
        challenge=params.get("code_challenge", ""),
        challenge_method=method,
        nonce=params.get("nonce", ""),
    )


def hinted(world: World, consent: Consent) -> Account | None:
    """Return the account that ``login_hint`` names by address or by ``sub``."""
    people = [a for a in world.state.accounts.values() if a.provider == "google"]
    hint = consent.login_hint
    return next((a for a in people if hint and hint in (a.email, a.subject)), None)


def without_asking(world: World, consent: Consent) -> str | None:
    """Return where to send the browser when no page is needed, or none may be shown."""
    account = hinted(world, consent)
    if consent.prompts & {"consent", "select_account"}:
        return None
    grant = world.grants.grant_of(consent.client.id, account.key) if account else None
    covered = grant is not None and set(consent.scopes) <= set(grant.scopes)
    if account and covered:
        return allowed(world, consent, account, consent.scopes)
    if "none" in consent.prompts:
        return refused(consent, "interaction_required" if account else "login_required")
    return None


def allowed(world: World, consent: Consent, account: Account, ticked: list[str]) -> str:
    """Issue a code for what the person ticked; return the way back to the client."""
    granted = [s for s in consent.scopes if s in SIGN_IN or s in ticked]
    if world.faults.take("google.consent", "partial_consent", account=account.email):
        granted = [s for s in granted if s not in tickable(granted)]
    grant = world.grants.grant_of(consent.client.id, account.key)
    if consent.include_granted and grant:
        granted = list(dict.fromkeys([*granted, *grant.scopes]))
    code = world.grants.issue_code(
        Code(
            code="4/0A" + secrets.token_urlsafe(40),
            client_id=consent.client.id,
            account=account.key,
            redirect_uri=consent.redirect_uri,
            scopes=granted,
            expires_at=world.clock.now() + CODE_LIFE,
            challenge=consent.challenge,
            challenge_method=consent.challenge_method,
            nonce=consent.nonce,
            offline=consent.offline,
            fresh="consent" in consent.prompts,
        )
    )
    shown = "consent" if "consent" in consent.prompts else "none"
    back = {"code": code, "scope": " ".join(granted), "authuser": "0", "prompt": shown}
    domain = account.email.partition("@")[2]
    return _back(consent, back | ({"hd": domain} if domain != "gmail.com" else {}))


def refused(consent: Consent, error: str = "access_denied") -> str:
    """Return the way back to the client of somebody who said no."""
    return _back(consent, {"error": error})


def _back(consent: Consent, answer: dict[str, str]) -> str:
    stated = {"state": consent.state} if consent.state is not None else {}
    parts = urlsplit(consent.redirect_uri)
    query = "&".join(filter(None, (parts.query, urlencode(stated | answer))))
    return urlunsplit(parts._replace(query=query))
