"""Who allowed whom what: OAuth clients, codes, grants and tokens, for both providers."""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

CODE_LIFE = timedelta(minutes=10)


class Client(msgspec.Struct, kw_only=True):
    """A registered OAuth client; ``redirect_uris`` are compared byte for byte.

    ``testing`` is Google's publishing status whose refresh tokens live seven days.
    """

    provider: Literal["google", "outlook"]
    id: str
    secret: str
    redirect_uris: list[str] = []
    name: str = "Meetbot Calendar"
    testing: bool = False


class Code(msgspec.Struct, kw_only=True):
    """An authorization code; ``offline`` asks for a refresh token, ``fresh`` insists on one."""

    code: str
    client_id: str
    account: str
    redirect_uri: str
    scopes: list[str]
    expires_at: datetime
    challenge: str = ""
    challenge_method: str = ""
    nonce: str = ""
    offline: bool = False
    fresh: bool = False
    spent: bool = False


class Grant(msgspec.Struct, kw_only=True):
    """What one account has allowed one client; all of its tokens die with it."""

    id: str
    client_id: str
    account: str
    scopes: list[str]
    revoked: bool = False
    detail: dict[str, Any] = {}


class Token(msgspec.Struct, kw_only=True):
    """A refresh token (``expires_at`` None, or a window) or an access token."""

    token: str
    grant: str
    scopes: list[str]
    issued_at: datetime
    used_at: datetime
    expires_at: datetime | None = None
    dead: bool = False


class GrantState(msgspec.Struct, kw_only=True):
    """The grants' part of the world's state."""

    clients: dict[str, Client] = {}
    codes: dict[str, Code] = {}
    grants: dict[str, Grant] = {}
    refresh: dict[str, Token] = {}
    access: dict[str, Token] = {}


class Grants:
    """The book of grants; each provider's token endpoint keeps its own rules on top of it."""

    def __init__(self, state: GrantState) -> None:
        self.state = state

    def register(self, client: Client) -> Client:
        """Add an OAuth client, or replace the one of the same id."""
        self.state.clients[client.id] = client
        return client

    def client(self, client_id: str, secret: str | None = None) -> Client | None:
        """Return the client, if its secret (when one is given) is right."""
        found = self.state.clients.get(client_id)
        if found and secret is not None and not secrets.compare_digest(found.secret, secret):
            return None
        return found

    def issue_code(self, code: Code) -> str:
        """Keep a code until it is spent or its time is over."""
        self.state.codes[code.code] = code
        return code.code

    def code(self, text: str) -> Code | None:
        """Return the code as it was issued, spent or not."""
        return self.state.codes.get(text)

    def grant_of(self, client_id: str, account: str) -> Grant | None:
        """Return the live grant of this account to this client."""
        found = self.state.grants.values()
        mine = (g for g in found if (g.client_id, g.account) == (client_id, account))
        return next((g for g in mine if not g.revoked), None)

    def allow(self, client_id: str, account: str, scopes: list[str]) -> Grant:
        """Make or widen the grant of this account to this client."""
        grant = self.grant_of(client_id, account)
        if grant is None:
            grant = Grant(id=secrets.token_hex(8), client_id=client_id, account=account, scopes=[])
            self.state.grants[grant.id] = grant
        grant.scopes = list(dict.fromkeys([*grant.scopes, *scopes]))
        return grant

    def issue_refresh(self, token: Token) -> Token:
        """Keep a refresh token of a grant."""
        return self.state.refresh.setdefault(token.token, token)

    def issue_access(self, token: Token) -> Token:
        """Keep an access token, and forget those whose time is over."""
        over = [
            t.token
            for t in self.state.access.values()
            if t.expires_at and t.expires_at <= token.issued_at
        ]
        for text in over:
            del self.state.access[text]
        return self.state.access.setdefault(token.token, token)

    def refresh_tokens(self, grant: Grant) -> list[Token]:
        """Return the grant's live refresh tokens, oldest first."""
        return [t for t in self.state.refresh.values() if t.grant == grant.id and not t.dead]

    def live_refresh(self, text: str, now: datetime) -> tuple[Token, Grant] | None:
        """Return a refresh token that still works, with its grant."""
        return self._live(self.state.refresh.get(text), now)

    def live_access(self, text: str, now: datetime) -> tuple[Token, Grant] | None:
        """Return an access token that still works, with its grant."""
        return self._live(self.state.access.get(text), now)

    def revoke(self, grant: Grant) -> None:
        """End a grant: every token and scope of that account and client is gone."""
        grant.revoked = True

    def revoke_account(self, account: str, client_id: str = "") -> int:
        """End what an account allowed (to one client, or to all); return how many grants."""
        ended = [
            g
            for g in self.state.grants.values()
            if g.account == account and client_id in ("", g.client_id) and not g.revoked
        ]
        for grant in ended:
            self.revoke(grant)
        return len(ended)

    def _live(self, token: Token | None, now: datetime) -> tuple[Token, Grant] | None:
        if token is None or token.dead or (token.expires_at and token.expires_at <= now):
            return None
        grant = self.state.grants.get(token.grant)
        return (token, grant) if grant and not grant.revoked else None


def verifier_matches(code: Code, verifier: str) -> bool:
    """Check a PKCE verifier (RFC 7636 4.6) against what the authorisation call sent."""
    if code.challenge_method in ("", "plain"):
        return secrets.compare_digest(code.challenge, verifier)
    digest = hashlib.sha256(verifier.encode()).digest()
    return secrets.compare_digest(
        code.challenge, base64.urlsafe_b64encode(digest).decode().rstrip("=")
    )
