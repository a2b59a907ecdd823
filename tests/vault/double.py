"""A stand-in for Vault over HTTP, for the real hvac client; it guards nothing.

What it answers, statuses and texts, is what Vault 1.21.1 answers: the tests of the key providers
run against both.
"""

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from tests.vault.policies import DEFAULT, Rule, parse, rule_for
from tests.vault.refusals import BAD_TOKEN, FORBIDDEN, Refusal
from tests.vault.transit import Json, Transit

ROOT_TOKEN = "root-token"
UNSEAL_KEY = "unseal-key"
_CAPABILITY = {"GET": "read", "LIST": "list", "POST": "update", "DELETE": "delete"}


class Token(msgspec.Struct, kw_only=True):
    """A login: whose policies, until when, and how long renewing can prolong it."""

    policies: tuple[str, ...]
    ttl: float = 0.0
    ends_at: float = float("inf")
    ends_at_last: float = float("inf")


class Role(msgspec.Struct, kw_only=True):
    """An AppRole, with the uses that each of its secret ids has left (0: endless)."""

    policies: tuple[str, ...]
    ttl: float
    max_ttl: float
    role_id: str
    secret_ids: dict[str, int]


class Vault:
    """Vault's state, and troubles that a test orders."""

    def __init__(self, namespace: str | None = None) -> None:
        self.transit: dict[str, Transit] = {}
        self.policies: dict[str, tuple[Rule, ...]] = {"default": parse(DEFAULT)}
        self.roles: dict[str, Role] = {}
        self.tokens = {ROOT_TOKEN: Token(policies=("root",))}
        self.namespace = namespace
        self.is_sealed = False
        self.fails_with: int | None = None
        self.answers_after = 0.0
        self.asked: list[str] = []
        self.moment = 0.0
        self.url = ""

    @property
    def keys(self) -> Mapping[str, Any]:
        """The keys of the usual mount."""
        return self.transit["transit"].keys

    def answer(self, method: str, path: str, headers: Json, body: Json) -> Json | None:
        """Answer one request; None is 204."""
        self.asked.append(f"{method} {path}")
        time.sleep(self.answers_after)
        if self.fails_with is not None:
            raise Refusal(self.fails_with, "ordered by the test")
        method = "POST" if method == "PUT" else method
        match [method, *path.split("/")]:
            case ["GET" | "HEAD", "sys", "health"]:
                return self._health()
            case ["POST", "sys", "unseal"]:
                self.is_sealed = body.get("key") != UNSEAL_KEY
                return {"sealed": self.is_sealed}
        if self.is_sealed:
            raise Refusal(503, "Vault is sealed")
        if path == "auth/approle/login":
            return self._log_in(body)
        if headers.get("x-vault-namespace") != self.namespace:
            raise Refusal(403, FORBIDDEN)
        token = self._token(headers.get("x-vault-token"))
        self._check(token, method, path, body)
        return self._answer_known(method, path, body, token)

    def _health(self) -> Json:
        if self.is_sealed:
            raise Refusal(503, "Vault is sealed")
        return {"initialized": True, "sealed": False, "standby": False, "version": "1.21.1"}

    def _token(self, given: str | None) -> Token:
        if not given:
            raise Refusal(403, "permission denied")
        token = self.tokens.get(given)
        if token is None or token.ends_at <= self.moment:
            raise Refusal(403, BAD_TOKEN)
        return token

    def _check(self, token: Token, method: str, path: str, body: Json) -> None:
        if "root" in token.policies:
            return
        rule = rule_for(self._rules(token), path)
        if rule is None or not rule.lets(self._capability(method, path), body):
            raise Refusal(403, FORBIDDEN)

    def _rules(self, token: Token) -> list[Rule]:
        return [rule for name in token.policies for rule in self.policies.get(name, ())]

    def _capability(self, method: str, path: str) -> str:
        """Tell what is needed: to encrypt under a key that is missing is to create it."""
        mount, _, rest = path.partition("/")
        if method == "POST" and rest.startswith("encrypt/") and mount in self.transit:
            missing = rest.removeprefix("encrypt/") not in self.transit[mount].keys
            return "create" if missing else "update"
        return _CAPABILITY[method]

    def _answer_known(self, method: str, path: str, body: Json, token: Token) -> Json | None:
        match [method, *path.split("/")]:
            case [_, "auth", "token", action]:
                return self._own_token(action, token)
            case [_, "auth", "approle", "role", *rest]:
                return self._role(rest, body)
            case ["POST" | "GET", "sys", *rest]:
                return self._system(rest, body, token)
            case [_, mount, *rest] if mount in self.transit:
                told = self.transit[mount].answer(method, rest, body)
                return None if told is None else {"data": told, "mount_type": "transit"}
            case _:
                raise Refusal(404, f'no handler for route "{path}". route entry not found.')

    def _own_token(self, action: str, token: Token) -> Json | None:
        if action == "renew-self":
            return self._renew(token)
        if action == "revoke-self":
            self.tokens = {name: one for name, one in self.tokens.items() if one is not token}
            return None
        left = token.ends_at - self.moment if token.ttl else 0
        told = {"ttl": int(left), "creation_ttl": int(token.ttl), "policies": token.policies}
        return {"data": {**told, "renewable": token.ttl > 0}}

    def _renew(self, token: Token) -> Json:
        if not token.ttl:
            raise Refusal(400, "invalid lease ID")
        token.ends_at = min(self.moment + token.ttl, token.ends_at_last)
        return {"auth": {"lease_duration": int(token.ends_at - self.moment), "renewable": True}}

    def _role(self, path: list[str], body: Json) -> Json | None:
        if path[1:] == ["role-id"]:
            return {"data": {"role_id": self.roles[path[0]].role_id}}
        if path[1:] == ["secret-id"]:
            made = secrets.token_hex(8)
            self.roles[path[0]].secret_ids[made] = int(body.get("num_uses", 0))
            return {"data": {"secret_id": made}}
        self.roles[path[0]] = Role(
            policies=tuple(body["token_policies"].split(",")),
            ttl=_seconds(body.get("token_ttl", "768h")),
            max_ttl=_seconds(body.get("token_max_ttl", "768h")),
            role_id=secrets.token_hex(8),
            secret_ids={},
        )
        return None

    def _log_in(self, body: Json) -> Json:
        if not body.get("role_id"):
            raise Refusal(500, "failed to determine alias name from login request")
        found = [r for r in self.roles.values() if r.role_id == body["role_id"]]
        if found and not body.get("secret_id"):
            raise Refusal(400, "missing secret_id")
        if not found or body.get("secret_id") not in found[0].secret_ids:
            raise Refusal(400, "invalid role or secret ID")
        role, secret_id = found[0], body["secret_id"]
        role.secret_ids[secret_id] -= 1
        if role.secret_ids[secret_id] == 0:
            del role.secret_ids[secret_id]
        name = f"hvs.{secrets.token_hex(8)}"
        self.tokens[name] = Token(
            policies=("default", *role.policies),
            ttl=role.ttl,
            ends_at=self.moment + role.ttl,
            ends_at_last=self.moment + role.max_ttl,
        )
        auth = {"client_token": name, "lease_duration": int(role.ttl), "renewable": True}
        return {"auth": auth, "data": None}

    def _system(self, path: list[str], body: Json, token: Token) -> Json | None:
        match path:
            case ["mounts", name]:
                if name in self.transit:
                    raise Refusal(400, f"path is already in use at {name}/")
                self.transit[name] = Transit()
                return None
            case ["auth", _] | ["seal"]:
                self.is_sealed = path == ["seal"]
                return None
            case ["policies", "acl", name]:
                self.policies[name] = parse(body["policy"])
                return None
            case ["capabilities-self"]:
                return {"data": {one: self._may(token, one) for one in body["paths"]}}
            case _:
                raise Refusal(404, "1 error occurred:\n\t* unsupported path\n\n")

    def _may(self, token: Token, path: str) -> list[str]:
        if "root" in token.policies:
            return ["root"]
        rule = rule_for(self._rules(token), path)
        return sorted(rule.capabilities) if rule else ["deny"]


def _seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


@contextmanager
def running_vault(namespace: str | None = None) -> Iterator[Vault]:
    """Run one on a free port of loopback."""
    vault = Vault(namespace)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body leave together, or each call waits 40 ms for Nagle

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            content = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                path = self.path.removeprefix("/v1/").partition("?")[0]
                body = msgspec.json.decode(content or b"{}")
                told = vault.answer(self.command, path, headers, body)
                status, whole = (204, None) if told is None else (200, _ENVELOPE | told)
            except Refusal as refusal:
                status, whole = refusal.status, {"errors": refusal.errors}
            written = b"" if whole is None else msgspec.json.encode(whole)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("cache-control", "no-store")
            self.send_header("content-length", str(len(written)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(written)

        do_GET = do_POST = do_PUT = do_DELETE = do_LIST = do_HEAD = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    vault.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_ENVELOPE: Json = {
    "request_id": "0",
    "lease_id": "",
    "renewable": False,
    "lease_duration": 0,
    "data": None,
    "wrap_info": None,
    "warnings": None,
    "auth": None,
}
