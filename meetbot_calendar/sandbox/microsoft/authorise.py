"""The authorise endpoint (providers 5.2): who asks for what, and the way back with a code."""

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from meetbot_calendar.sandbox.grants import CODE_LIFE, Client, Code
from meetbot_calendar.sandbox.microsoft.entra_codes import EntraRefusal
from meetbot_calendar.sandbox.microsoft.scopes import normalised
from meetbot_calendar.sandbox.store import Account
from meetbot_calendar.sandbox.world import World

TARGET = "microsoft.authorize"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
_MODES = ("query", "form_post", "fragment")


class Shown(Exception):
    """A refusal that stays on the page: the client that asked cannot be trusted with it."""

    def __init__(self, refusal: EntraRefusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """An authorisation request whose client and redirect address are known."""

    tenant: str
    client: Client
    redirect_uri: str
    response_mode: str
    response_type: str
    scope: str
    state: str | None
    prompts: frozenset[str]
    login_hint: str
    challenge: str
    challenge_method: str
    nonce: str


def read_asking(world: World, tenant: str, params: Mapping[str, str]) -> Asking:
    """Check who asks; raises Shown, since nothing may be sent to an unknown address."""
    client = world.grants.client(params.get("client_id", ""))
    if client is None or client.provider != "outlook":
        raise Shown(EntraRefusal(700016))
    redirect = params.get("redirect_uri", "")
    if redirect not in client.redirect_uris:
        raise Shown(EntraRefusal(50011))
    mode = params.get("response_mode", "query")
    challenge = params.get("code_challenge", "")
    return Asking(
        tenant=tenant,
        client=client,
        redirect_uri=redirect,
        response_mode=mode if mode in _MODES else "query",
        response_type=params.get("response_type", ""),
        scope=params.get("scope", ""),
        state=params.get("state"),
        prompts=frozenset(params.get("prompt", "").split()),
        login_hint=params.get("login_hint", "").lower(),
        challenge=challenge,
        challenge_method=params.get("code_challenge_method", "plain" if challenge else ""),
        nonce=params.get("nonce", ""),
    )


def permissions(asking: Asking) -> list[str]:
    """Return what is asked; raises what goes back to the client as an error."""
    if asking.response_type != "code":
        raise EntraRefusal(70005)
    if asking.challenge_method not in ("", "plain", "S256"):
        raise EntraRefusal(9002313)
    if not asking.scope.strip():
        raise EntraRefusal(900144, "'scope'")
    return normalised(asking.scope)


def people(world: World, asking: Asking) -> list[Account]:
    """Return who can sign in at this tenant's endpoint."""
    found = [a for a in world.state.accounts.values() if a.provider == "outlook"]
    return [a for a in found if _fits(asking.tenant, a)]


def hinted(world: World, asking: Asking) -> Account | None:
    """Return the account that ``login_hint`` names."""
    hint = asking.login_hint
    return next((a for a in people(world, asking) if hint and a.email == hint), None)


def without_asking(world: World, asking: Asking) -> dict[str, str] | None:
    """Return the answer when no page is needed; raises when none may be shown."""
    account = hinted(world, asking)
    grant = world.grants.grant_of(asking.client.id, account.key) if account else None
    if asking.prompts & {"consent", "select_account", "login"}:
        return None
    if account and grant and set(permissions(asking)) <= set(grant.scopes):
        return accepted(world, asking, account)
    if "none" in asking.prompts:
        raise EntraRefusal(65001 if account else 50058)
    return None


def accepted(world: World, asking: Asking, account: Account) -> dict[str, str]:
    """Issue a code; raises what policy or the administrator has against it."""
    for kind in ("90094", "50105", "53003"):
        if world.faults.take(TARGET, kind, account=account.email):
            raise EntraRefusal(int(kind))
    if account.key not in {a.key for a in people(world, asking)}:
        raise EntraRefusal(50020)
    asked = permissions(asking)
    code = Code(
        code="0.AXkA" + secrets.token_urlsafe(80),
        client_id=asking.client.id,
        account=account.key,
        redirect_uri=asking.redirect_uri,
        scopes=asked,
        expires_at=world.clock.now() + CODE_LIFE,
        challenge=asking.challenge,
        challenge_method=asking.challenge_method,
        nonce=asking.nonce,
        offline="offline_access" in asked,
    )
    world.grants.allow(asking.client.id, account.key, asked)
    return {"code": world.grants.issue_code(code), "session_state": secrets.token_hex(16)}


def declined(world: World, refusal: EntraRefusal) -> dict[str, str]:
    """Return the answer that goes back with an error."""
    described = refusal.description(world.clock.now())
    error = refusal.known.suberror if refusal.code == 65001 else refusal.known.error  # noqa: PLR2004 - not consented
    return {"error": error, "error_description": described}


def way_back(asking: Asking, answer: dict[str, str]) -> str:
    """Return the address to send the browser to (``query`` or ``fragment``)."""
    stated = {"state": asking.state} if asking.state is not None else {}
    text = urlencode(answer | stated)
    parts = urlsplit(asking.redirect_uri)
    if asking.response_mode == "fragment":
        return urlunsplit(parts._replace(fragment=text))
    query = "&".join(filter(None, (parts.query, text)))
    return urlunsplit(parts._replace(query=query))


def _fits(tenant: str, account: Account) -> bool:
    personal = account.tenant_id == PERSONAL
    if tenant == "common":
        return True
    if tenant == "organizations":
        return not personal
    if tenant == "consumers":
        return personal
    return tenant in (account.tenant_id, account.email.partition("@")[2])
