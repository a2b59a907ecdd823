"""The token endpoint's rules (providers 5.3): codes work once, old refresh tokens live on."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from meetbot_calendar.sandbox.grants import Client, Code, Grant, Token, verifier_matches
from meetbot_calendar.sandbox.microsoft.entra_codes import EntraRefusal
from meetbot_calendar.sandbox.microsoft.id_tokens import claims_of, client_info, signed
from meetbot_calendar.sandbox.microsoft.scopes import OPENID, granted, normalised
from meetbot_calendar.sandbox.world import World

Form = Mapping[str, str]

IDLE_LIFE = timedelta(days=90)
_SHORTEST_LIFE = 3600
_LIFE_SPREAD = 1800


def asker(world: World, form: Form) -> str:
    """Return whose token this is about (an email), so that trouble can be ordered for one."""
    code = world.grants.code(form.get("code", ""))
    kept = world.grants.state.refresh.get(form.get("refresh_token", ""))
    account = world.grants.state.grants[kept.grant].account if kept else ""
    return (code.account if code else account).partition(":")[2]


def client_of(world: World, authorization: str, form: Form) -> Client:
    """Recognise the client, by its secret in the body or in HTTP Basic."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() == "basic":
        client_id, secret = _basic(encoded)
    known = world.grants.client(client_id)
    if known is None or known.provider != "outlook":
        raise EntraRefusal(700016)
    if not secret:
        raise EntraRefusal(7000218)
    if world.grants.client(client_id, secret) is None:
        raise EntraRefusal(7000215)
    return known


def exchange(world: World, client: Client, form: Form) -> dict[str, Any]:
    """Spend an authorization code."""
    code = _code_of(world, client, form)
    _check_verifier(code, form.get("code_verifier", ""))
    asked = normalised(form["scope"]) if form.get("scope") else code.scopes
    if not _within(asked, code.scopes):
        raise EntraRefusal(65001)
    code.spent = True
    grant = world.grants.allow(client.id, code.account, code.scopes)
    answer = _answer(world, grant, code.scopes, code.nonce)
    return answer | (_refresh_part(world, grant, code.scopes) if code.offline else {})


def refresh(world: World, client: Client, form: Form) -> dict[str, Any]:
    """Trade a refresh token for an access token and a NEW refresh token; the old one lives on."""
    token, grant = _refreshable(world, client, form)
    asked = normalised(form["scope"]) if form.get("scope") else token.scopes
    if not _within(asked, grant.scopes):
        raise EntraRefusal(65001)
    now = world.clock.now()
    token.used_at, token.expires_at = now, now + IDLE_LIFE
    scopes = list(dict.fromkeys([*asked, *(s for s in token.scopes if s in OPENID)]))
    return _answer(world, grant, scopes, "") | _refresh_part(world, grant, token.scopes)


def _code_of(world: World, client: Client, form: Form) -> Code:
    if not form.get("code"):
        raise EntraRefusal(900144, "'code'")
    code = world.grants.code(form["code"])
    if code is None:
        raise EntraRefusal(700007)
    if code.client_id != client.id:
        raise EntraRefusal(700005)
    if code.spent:
        raise EntraRefusal(54005)
    if code.expires_at <= world.clock.now():
        raise EntraRefusal(70008)
    if form.get("redirect_uri") != code.redirect_uri:
        raise EntraRefusal(50011)
    return code


def _check_verifier(code: Code, verifier: str) -> None:
    if code.challenge and not (verifier and verifier_matches(code, verifier)):
        raise EntraRefusal(501481 if verifier else 50148)


def _refreshable(world: World, client: Client, form: Form) -> tuple[Token, Grant]:
    text = form.get("refresh_token", "")
    if not text:
        raise EntraRefusal(900144, "'refresh_token'")
    token = world.grants.state.refresh.get(text)
    if token is None:
        raise EntraRefusal(70000)
    grant = world.grants.state.grants[token.grant]
    if grant.client_id != client.id:
        raise EntraRefusal(70000)
    if grant.revoked or token.dead:
        raise EntraRefusal(50173)
    if token.expires_at and token.expires_at <= world.clock.now():
        raise EntraRefusal(700082)
    return token, grant


def _answer(world: World, grant: Grant, scopes: list[str], nonce: str) -> dict[str, Any]:
    now = world.clock.now()
    account = world.state.accounts[grant.account]
    life = _SHORTEST_LIFE + secrets.randbelow(_LIFE_SPREAD + 1)
    text = "eyJ0eXAiOiJKV1QiLCJub25jZSI6" + secrets.token_urlsafe(120)
    world.grants.issue_access(_token(text, grant, scopes, now, timedelta(seconds=life)))
    answer = {
        "token_type": "Bearer",
        "scope": granted(scopes),
        "expires_in": life,
        "ext_expires_in": life,
        "access_token": text,
        "client_info": client_info(account),
    }
    if "openid" in scopes:
        answer["id_token"] = signed(world, claims_of(account, grant.client_id, now, nonce))
    return answer


def _refresh_part(world: World, grant: Grant, scopes: list[str]) -> dict[str, Any]:
    text = "1.AXkA" + secrets.token_urlsafe(120)
    world.grants.issue_refresh(_token(text, grant, scopes, world.clock.now(), IDLE_LIFE))
    return {"refresh_token": text}


def _token(text: str, grant: Grant, scopes: list[str], now: datetime, life: timedelta) -> Token:
    return Token(
        token=text,
        grant=grant.id,
        scopes=scopes,
        issued_at=now,
        used_at=now,
        expires_at=now + life,
    )


def _within(asked: list[str], allowed: list[str]) -> bool:
    return set(asked) - set(OPENID) <= set(allowed)


def _basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote(client_id), unquote(secret)
