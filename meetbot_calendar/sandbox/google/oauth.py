"""OAuth's routes: the consent page, token, revoke and userinfo."""

from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response, get, post
from litestar.enums import MediaType
from litestar.exceptions import ClientException

from meetbot_calendar.sandbox.google import token
from meetbot_calendar.sandbox.google.consent import (
    ConsentRefused,
    allowed,
    hinted,
    read_consent,
    refused,
    without_asking,
)
from meetbot_calendar.sandbox.google.oauth_errors import OAuthError, meet_token_trouble
from meetbot_calendar.sandbox.google.pages import consent_page, refusal_page
from meetbot_calendar.sandbox.google.scopes import SIGN_IN
from meetbot_calendar.sandbox.google.userinfo import claims, v2_shape
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.world import World

Asked = Request[Any, Any, Any]

_FOUND = 302


@get("/o/oauth2/v2/auth")
async def show_consent(request: Asked, world: Here) -> Response[Any]:
    """Show the consent page, or send the browser back at once where none is needed."""
    consent = read_consent(world, request.query_params)
    back = without_asking(world, consent)
    if back:
        return _sent_to(back)
    people = [a for a in world.state.accounts.values() if a.provider == "google"]
    page = consent_page(consent, people, hinted(world, consent))
    return Response(page, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"})


@post("/o/oauth2/v2/auth")
async def decide_consent(request: Asked, world: Here) -> Response[Any]:
    """Take the person's decision: the same query, and a form.

    Form: ``decision`` allow or deny, ``account`` an email (unless login_hint names one),
    ``grant`` once per ticked scope; without ``chosen`` everything asked is granted.
    """
    consent = read_consent(world, request.query_params)
    form = parse_qs((await request.body()).decode(), keep_blank_values=True)
    if form.get("decision", ["allow"])[0] != "allow":
        return _sent_to(refused(consent))
    email = form.get("account", [""])[0]
    account = world.directory.account("google", email) if email else hinted(world, consent)
    if account is None:
        raise ClientException(f"nobody here is {email or 'named'}: choose an account")
    ticked = form.get("grant", []) if "chosen" in form else consent.scopes
    return _sent_to(allowed(world, consent, account, ticked))


@post("/token")
async def give_token(request: Asked, world: Here) -> Response[bytes]:
    """Exchange a code, or refresh: form-encoded, secret in the body or in HTTP Basic."""
    form = await _form(request)
    grant_type = form.get("grant_type", "")
    request.state.note = grant_type
    lost = await meet_token_trouble(world, "google.token", token.asker(world, form))
    client = token.client_of(world, request.headers.get("authorization", ""), form)
    if grant_type == "authorization_code":
        body = token.exchange(world, client, form)
    elif grant_type == "refresh_token":
        body = token.refresh(world, client, form)
    else:
        raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {grant_type}")
    if lost:
        raise OAuthError(500, "internal_failure", "Backend Error")
    return _json(body)


@post("/revoke")
async def revoke(request: Asked, world: Here) -> Response[bytes]:
    """End a grant by any of its tokens."""
    lost = await meet_token_trouble(world, "google.revoke")
    form = await _form(request)
    text: str = form.get("token") or request.query_params.get("token") or ""
    token.revoke(world, text)
    if lost:
        raise OAuthError(500, "internal_failure", "Backend Error")
    return _json({})


@get("/v1/userinfo")
async def get_userinfo(request: Asked, world: Here) -> Response[bytes]:
    """Say who the token's owner is, in OpenID Connect's shape."""
    return _json(await _claims(request, world))


@get("/oauth2/v2/userinfo")
async def get_userinfo_v2(request: Asked, world: Here) -> Response[bytes]:
    """Say who the token's owner is, in the older shape."""
    return _json(v2_shape(await _claims(request, world)))


def answer_refusal(_request: Asked, refusal: ConsentRefused) -> Response[str]:
    """Show an error page; litestar's exception handler of the consent page."""
    page = refusal_page(refusal)
    return Response(page, status_code=refusal.status, media_type=MediaType.HTML)


async def _claims(request: Asked, world: World) -> dict[str, Any]:
    text = request.headers.get("authorization", "").partition(" ")[2]
    found = world.grants.live_access(text, world.clock.now())
    if found is None or not SIGN_IN & set(found[0].scopes):
        raise OAuthError(401, "invalid_request", "Invalid Credentials")
    account = world.state.accounts[found[1].account]
    request.state.account = account.email
    await meet_token_trouble(world, "google.userinfo", account.email)
    return claims(account, found[0].scopes)


async def _form(request: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}


def _json(body: dict[str, Any]) -> Response[bytes]:
    content = msgspec.json.encode(body)
    return Response(content, status_code=200, media_type=MediaType.JSON)


def _sent_to(url: str) -> Response[bytes]:
    headers = {"Location": url, "Cache-Control": "no-store"}
    return Response(b"", status_code=_FOUND, headers=headers)
