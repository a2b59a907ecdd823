"""A Transit engine over HTTP for the real hvac client: a stand-in for Vault that guards nothing.

Answers and error texts follow Vault's. Unlike Vault it never makes a missing key on the way.
"""

import base64
import binascii
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROOT_TOKEN = "root-token"
ROLE_ID, SECRET_ID = "role-1", "secret-1"

Json = dict[str, Any]


class Refusal(Exception):
    """An answer of Vault's that is no success."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(*errors)
        self.status = status
        self.errors = list(errors)


class TransitKey(msgspec.Struct, kw_only=True):
    """A named key; only its latest version encrypts."""

    versions: list[bytes]
    deletion_allowed: bool = False


class Vault:
    """Vault's state: keys, tokens, and troubles that a test orders."""

    def __init__(self, namespace: str | None = None) -> None:
        self.keys: dict[str, TransitKey] = {}
        self.tokens = {ROOT_TOKEN}
        self.namespace = namespace
        self.is_sealed = False
        self.fails_with: int | None = None
        self.lease_seconds = 3600.0
        self.asked: list[str] = []
        self.url = ""

    def answer(self, method: str, path: str, headers: Json, body: Json) -> Json | None:
        """Answer one request; None is 204."""
        self.asked.append(f"{method} {path}")
        if self.fails_with is not None:
            raise Refusal(self.fails_with, "ordered by the test")
        if self.is_sealed:
            raise Refusal(503, "Vault is sealed")
        if path == "auth/approle/login":
            return self._log_in(body)
        if headers.get("x-vault-namespace") != self.namespace:
            raise Refusal(403, "permission denied")
        if headers.get("x-vault-token") not in self.tokens:
            raise Refusal(403, "permission denied")
        return self._answer_known(method, path, body)

    def _answer_known(self, method: str, path: str, body: Json) -> Json | None:
        match [method, *path.split("/")]:
            case ["GET", "auth", "token", "lookup-self"]:
                return {"data": {"ttl": self.lease_seconds, "renewable": True, "policies": []}}
            case ["POST", "auth", "token", "renew-self"]:
                return {"auth": {"lease_duration": self.lease_seconds, "renewable": True}}
            case [_, "transit", *rest]:
                return self._transit(method, rest, body)
            case _:
                raise Refusal(404, f'no handler for route "{path}"')

    def _transit(self, method: str, path: list[str], body: Json) -> Json | None:
        actions: dict[tuple[str, ...], Callable[[str, Json], Json | None]] = {
            ("POST", "keys"): self._create,
            ("GET", "keys"): self._read,
            ("DELETE", "keys"): self._delete,
            ("POST", "keys", "config"): self._configure,
            ("POST", "keys", "rotate"): self._rotate,
            ("POST", "datakey", "plaintext"): self._data_key,
            ("POST", "decrypt"): self._decrypt,
        }
        if path[0] == "keys":
            shape, name = (method, "keys", *path[2:]), path[1]
        else:
            shape, name = (method, *path[:-1]), path[-1]
        if shape not in actions:
            raise Refusal(404)
        return actions[shape](name, body)

    def _log_in(self, body: Json) -> Json:
        if (body.get("role_id"), body.get("secret_id")) != (ROLE_ID, SECRET_ID):
            raise Refusal(400, "invalid role or secret ID")
        token = f"hvs.{secrets.token_hex(8)}"
        self.tokens.add(token)
        auth = {"client_token": token, "lease_duration": self.lease_seconds, "renewable": True}
        return {"auth": auth, "data": None}

    def _create(self, name: str, _: Json) -> Json:
        self.keys.setdefault(name, TransitKey(versions=[secrets.token_bytes(32)]))
        return self._read(name, {})

    def _read(self, name: str, _: Json) -> Json:
        if name not in self.keys:
            raise Refusal(404)
        versions = {str(number): 0 for number in range(1, len(self.keys[name].versions) + 1)}
        return {"data": {"name": name, "type": "aes256-gcm96", "keys": versions}}

    def _configure(self, name: str, body: Json) -> Json:
        if name not in self.keys:
            raise Refusal(400, f"no existing key named {name} could be found")
        self.keys[name].deletion_allowed = body.get("deletion_allowed", False)
        return self._read(name, {})

    def _rotate(self, name: str, _: Json) -> Json:
        self._key(name).versions.append(secrets.token_bytes(32))
        return self._read(name, {})

    def _delete(self, name: str, _: Json) -> None:
        if not self._key(name).deletion_allowed:
            raise Refusal(
                400, f"error deleting policy {name}: deletion is not allowed for this key"
            )
        del self.keys[name]

    def _data_key(self, name: str, _: Json) -> Json:
        key, plaintext, nonce = self._key(name), secrets.token_bytes(32), secrets.token_bytes(12)
        sealed = nonce + AESGCM(key.versions[-1]).encrypt(nonce, plaintext, None)
        version = len(key.versions)
        return {
            "data": {
                "plaintext": base64.b64encode(plaintext).decode(),
                "ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}",
                "key_version": version,
            }
        }

    def _decrypt(self, name: str, body: Json) -> Json:
        key = self._key(name)
        prefix, _, rest = str(body.get("ciphertext")).partition(":v")
        if prefix != "vault":
            raise Refusal(400, "invalid ciphertext: no prefix")
        version, _, text = rest.partition(":")
        try:
            sealed = base64.b64decode(text, validate=True)
            opened = AESGCM(key.versions[int(version) - 1]).decrypt(sealed[:12], sealed[12:], None)
        except (binascii.Error, IndexError, ValueError):
            raise Refusal(400, "invalid ciphertext: could not be decoded") from None
        except InvalidTag:
            raise Refusal(400, "cipher: message authentication failed") from None
        return {"data": {"plaintext": base64.b64encode(opened).decode()}}

    def _key(self, name: str) -> TransitKey:
        if name not in self.keys:
            raise Refusal(400, "encryption key not found")
        return self.keys[name]


@contextmanager
def running_vault(namespace: str | None = None) -> Iterator[Vault]:
    """Run one on a free port of loopback."""
    vault = Vault(namespace)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body leave together, or each call waits 40 ms for Nagle

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = msgspec.json.decode(self.rfile.read(length) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                path = self.path.removeprefix("/v1/").partition("?")[0]
                status, told = 200, vault.answer(self.command, path, headers, body)
            except Refusal as refusal:
                status, told = refusal.status, {"errors": refusal.errors}
            written = b"" if told is None else msgspec.json.encode(told)
            self.send_response(status if written else 204)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

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
