"""The token endpoint's rules: exchange a code, refresh, revoke (providers.md 1.3 to 1.5)."""

import base64
import binascii
import secrets
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from meetbot_calendar.sandbox.google.id_token import signed_id_token
from meetbot_calendar.sandbox.google.oauth_errors import OAuthError, dead_token, invalid_grant
from meetbot_calendar.sandbox.grants import Client, Code, Grant, Token, verifier_matches
from meetbot_calendar.sandbox.world import World

Form = dict[str, str]
Body = dict[str, Any]

ACCESS_LIFE = timedelta(seconds=3599)
IDLE_LIFE = timedelta(days=183)
TESTING_LIFE = timedelta(days=7)
REFRESH_CAP = 100


def asker(world: World, form: Form) -> str:
    """Return whose token this is about, so that trouble can be ordered for one person."""
    code = world.grants.code(form.get("code", ""))
    refresh_token = world.grants.state.refresh.get(form.get("refresh_token", ""))
    account = code.account if code else ""
    if refresh_token:
        account = world.grants.state.grants[refresh_token.grant].account
    return account.partition(":")[2]


def client_of(world: World, authorization: str, form: Form) -> Client:
    """Recognise the client by HTTP Basic or by the body; raises 401 ``invalid_client``."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() == "basic":
        client_id, secret = _basic(encoded)
    known = world.grants.client(client_id)
    if known is None or known.provider != "google":
        raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
    if world.grants.client(client_id, secret) is None:
        raise OAuthError(401, "invalid_client", "Unauthorized")
    return known


def exchange(world: World, client: Client, form: Form) -> Body:
    """Spend an authorization code."""
    if not form.get("code"):
        raise OAuthError(400, "invalid_request", "Missing required parameter: code")
    code = world.grants.code(form["code"])
    if code is None or code.client_id != client.id:
        raise invalid_grant("Malformed auth code.")
    now = world.clock.now()
    if code.spent or code.expires_at <= now:
        raise invalid_grant("Bad Request")
    if form.get("redirect_uri") != code.redirect_uri:
        raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
    _check_verifier(code, form.get("code_verifier", ""))
    code.spent = True
    scopes = _after_consent(world, code)
    grant = world.grants.allow(client.id, code.account, scopes)
    body = _access(world, client, grant, scopes, code.nonce)
    if code.offline and (code.fresh or not world.grants.refresh_tokens(grant)):
        body |= _new_refresh(world, client, grant, scopes)
    return body


def refresh(world: World, client: Client, form: Form) -> Body:
    """Trade a refresh token for an access token; Google does not rotate it."""
    now = world.clock.now()
    found = world.grants.live_refresh(form.get("refresh_token", ""), now)
    if found is None or now - found[0].used_at > IDLE_LIFE:
        raise dead_token()
    token, grant = found
    if grant.client_id != client.id:
        raise OAuthError(401, "unauthorized_client", "Unauthorized")
    scopes = form.get("scope", "").split() or token.scopes
    if not set(scopes) <= set(token.scopes):
        raise OAuthError(400, "invalid_scope", "Some requested scopes were invalid.")
    token.used_at = now
    return _access(world, client, grant, scopes)


def revoke(world: World, text: str) -> None:
    """End the whole grant that an access or refresh token belongs to."""
    now = world.clock.now()
    found = world.grants.live_refresh(text, now) or world.grants.live_access(text, now)
    if found is None:
        raise OAuthError(400, "invalid_token", "Token expired or revoked")
    world.grants.revoke(found[1])


def _basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote(client_id), unquote(secret)


def _check_verifier(code: Code, verifier: str) -> None:
    if not code.challenge:
        return
    if not verifier:
        raise invalid_grant("Missing code verifier.")
    if not verifier_matches(code, verifier):
        raise invalid_grant("Invalid code verifier.")


def _after_consent(world: World, code: Code) -> list[str]:
    account = code.account.partition(":")[2]
    if world.faults.take("google.token", "partial_consent", account=account):
        return [scope for scope in code.scopes if "/calendar" not in scope]
    return code.scopes


def _access(world: World, client: Client, grant: Grant, scopes: list[str], nonce: str = "") -> Body:
    now = world.clock.now()
    text = "ya29.a0" + secrets.token_urlsafe(48)
    world.grants.issue_access(_token(text, grant, scopes, now, now + ACCESS_LIFE))
    body: Body = {
        "access_token": text,
        "expires_in": int(ACCESS_LIFE.total_seconds()),
        "scope": " ".join(scopes),
        "token_type": "Bearer",
    }
    if "openid" in scopes:
        account = world.state.accounts[grant.account]
        body["id_token"] = signed_id_token(client, account, scopes, now, nonce)
    return body


def _new_refresh(world: World, client: Client, grant: Grant, scopes: list[str]) -> Body:
    """Issue a refresh token; beyond the cap the oldest one dies without a word (1.4)."""
    now = world.clock.now()
    for oldest in world.grants.refresh_tokens(grant)[: 1 - REFRESH_CAP]:
        oldest.dead = True
    text = "1//0g" + secrets.token_urlsafe(48)
    ends = now + TESTING_LIFE if client.testing else None
    world.grants.issue_refresh(_token(text, grant, scopes, now, ends))
    body: Body = {"refresh_token": text}
    if client.testing:
        body["refresh_token_expires_in"] = int(TESTING_LIFE.total_seconds()) - 1
    return body


def _token(
    text: str, grant: Grant, scopes: list[str], now: datetime, ends: datetime | None
) -> Token:
    return Token(
        token=text,
        grant=grant.id,
        scopes=scopes,
        issued_at=now,
        used_at=now,
        expires_at=ends,
    )
