"""The identity platform's routes: discovery, keys, the consent page, the token endpoint."""

import asyncio
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath

from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.microsoft import token
from meetbot_calendar.sandbox.microsoft.authorise import (
    Asking,
    Shown,
    accepted,
    declined,
    hinted,
    people,
    permissions,
    read_asking,
    way_back,
    without_asking,
)
from meetbot_calendar.sandbox.microsoft.entra_codes import CODES, EntraRefusal
from meetbot_calendar.sandbox.microsoft.id_tokens import published
from meetbot_calendar.sandbox.microsoft.pages import consent_page, post_back_page, refusal_page
from meetbot_calendar.sandbox.microsoft.trouble import HtmlTrouble
from meetbot_calendar.sandbox.world import World

Asked = Request[Any, Any, Any]

_HOST = "https://login.microsoftonline.com"
_TOKEN = "microsoft.token"
_WORDS = {
    "invalid_grant": 50173,
    "interaction_required": 50076,
    "consent_required": 65001,
    "invalid_client": 7000215,
    "503_json": 90033,
    "500": 90006,
}
_SLOW_SECONDS = 5.0
_RETRY_AFTER = "10"
_NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
_FOUND = 302


@get("/{tenant:str}/v2.0/.well-known/openid-configuration")
async def discover(tenant: FromPath[str]) -> Response[bytes]:
    """Return the endpoints, by their real https names: msal takes nothing else (5.6)."""
    base = f"{_HOST}/{tenant}"
    issuer = "{tenantid}" if tenant in ("common", "organizations") else tenant
    return _json(
        {
            "issuer": f"{_HOST}/{issuer}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "claims_supported": ["iss", "aud", "exp", "iat", "nonce", "oid", "tid", "sub", "name"],
        }
    )


@get("/{tenant:str}/discovery/instance")
async def discover_instance(tenant: FromPath[str]) -> Response[bytes]:
    """Return where a tenant's discovery is: what msal asks about hosts that it does not know."""
    endpoint = f"{_HOST}/{tenant}/v2.0/.well-known/openid-configuration"
    host = _HOST.removeprefix("https://")
    known = {"preferred_network": host, "preferred_cache": "login.windows.net", "aliases": [host]}
    return _json({"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [known]})


@get("/{tenant:str}/discovery/v2.0/keys")
async def list_keys(tenant: FromPath[str], world: Here) -> Response[bytes]:
    """Return the keys that sign id_tokens."""
    del tenant
    return _json(published(world))


@get("/{tenant:str}/oauth2/v2.0/authorize")
async def show_consent(request: Asked, world: Here, tenant: FromPath[str]) -> Response[Any]:
    """Show the consent page, or answer at once where no page is needed or allowed."""
    request.state.now = world.clock.now()
    asking = read_asking(world, tenant, request.query_params)
    try:
        asked = permissions(asking)
        answer = without_asking(world, asking)
    except EntraRefusal as refusal:
        answer = declined(world, refusal)
    else:
        if answer is None:
            page = consent_page(asking, asked, people(world, asking), hinted(world, asking))
            return _page(page)
    return _back(asking, answer)


@post("/{tenant:str}/oauth2/v2.0/authorize")
async def decide_consent(request: Asked, world: Here, tenant: FromPath[str]) -> Response[Any]:
    """Take the person's decision: the same query, and a form.

    Form: ``decision`` accept (allow) or cancel (deny), ``account`` an email (unless login_hint
    names one).
    """
    request.state.now = world.clock.now()
    asking = read_asking(world, tenant, request.query_params)
    form = await _form(request)
    try:
        answer = _decided(world, asking, form)
    except EntraRefusal as refusal:
        answer = declined(world, refusal)
    return _back(asking, answer)


@post("/{tenant:str}/oauth2/v2.0/token")
async def give_token(request: Asked, world: Here, tenant: FromPath[str]) -> Response[bytes]:
    """Exchange a code, or refresh: form-encoded, secret in the body or in HTTP Basic."""
    request.state.now = world.clock.now()
    form = await _form(request)
    request.state.note = form.get("grant_type", "")
    about = token.asker(world, form)
    request.state.account = about
    trouble = await _trouble(world, about)
    if trouble:
        return trouble
    client = token.client_of(world, request.headers.get("authorization", ""), form)
    del tenant
    if form.get("grant_type") == "authorization_code":
        body = token.exchange(world, client, form)
    elif form.get("grant_type") == "refresh_token":
        body = token.refresh(world, client, form)
    else:
        raise EntraRefusal(70003)
    if world.faults.take(_TOKEN, "lose_answer", account=about):
        raise EntraRefusal(90006)
    if world.faults.take(_TOKEN, "no_refresh_token", account=about):
        body.pop("refresh_token", None)
    return _json(body)


@get("/{tenant:str}/oauth2/v2.0/logout")
async def log_out(tenant: FromPath[str]) -> Response[Any]:
    """Show that nobody is signed in any more."""
    del tenant
    return _page("<!doctype html><title>Sign out</title><p>You signed out of your account.</p>")


def answer_refusal(request: Asked, refusal: EntraRefusal) -> Response[bytes]:
    """Print a refusal of the token endpoint."""
    return _json(refusal.body(request.state.now), refusal.known.status)


def answer_shown(request: Asked, shown: Shown) -> Response[str]:
    """Show a refusal on the page."""
    page = refusal_page(shown.refusal.description(request.state.now))
    return Response(page, status_code=400, media_type="text/html", headers=_NO_STORE)


def _decided(world: World, asking: Asking, form: dict[str, str]) -> dict[str, str]:
    if form.get("decision", "accept") not in ("accept", "allow"):
        raise EntraRefusal(65004)
    permissions(asking)
    email = form.get("account", "")
    account = world.directory.account("outlook", email) if email else hinted(world, asking)
    if account is None:
        raise Shown(EntraRefusal(50034))
    return accepted(world, asking, account)


async def _trouble(world: World, account: str) -> Response[bytes] | None:
    """Meet ordered trouble: slow, 503_html, 429, an AADSTS number, or a word for one."""
    if slow := world.faults.take(_TOKEN, "slow", account=account):
        await asyncio.sleep(float(slow.detail.get("seconds", _SLOW_SECONDS)))
    if world.faults.take(_TOKEN, "503_html", account=account):
        raise HtmlTrouble
    if fault := world.faults.take(_TOKEN, "429", account=account):
        wait = str(fault.detail.get("retry_after", _RETRY_AFTER))
        return _json({"error": "temporarily_unavailable"}, 429, {"Retry-After": wait})
    numbers = [str(code) for code in CODES]
    if fault := world.faults.take(_TOKEN, *numbers, *_WORDS, account=account):
        raise EntraRefusal(_WORDS.get(fault.kind) or int(fault.kind))
    return None


async def _form(request: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}


def _json(
    body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    content = msgspec.json.encode(body)
    return Response(
        content,
        status_code=status,
        media_type="application/json",
        headers=_NO_STORE | (headers or {}),
    )


def _page(page: str) -> Response[str]:
    return Response(page, status_code=200, media_type="text/html", headers=_NO_STORE)


def _back(asking: Asking, answer: dict[str, str]) -> Response[Any]:
    if asking.response_mode == "form_post":
        return _page(post_back_page(asking, answer))
    headers = _NO_STORE | {"Location": way_back(asking, answer)}
    return Response(b"", status_code=_FOUND, headers=headers)
