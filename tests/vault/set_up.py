"""Sets a Vault up by the very commands of ``deploy/vault/README.md``, over its HTTP API."""

import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import requests

from tenants.secrets.vault_door import VaultLogin

ROOT = Path(__file__).parents[2]
README = ROOT / "deploy" / "vault" / "README.md"
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_THERE = "already in use"


class SetUp(msgspec.Struct, kw_only=True):
    """A Vault that is ready: the login of each principal, and the operator's way in."""

    url: str
    root_token: str
    logins: dict[str, VaultLogin]
    unseal_key: str | None = None

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Ask as the operator, or with another token; returns status and JSON."""
        answer = requests.request(
            method,
            f"{self.url}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": token or self.root_token, "X-Vault-Request": "true"},
            timeout=10,
        )
        return answer.status_code, answer.json() if answer.content else None

    def token_of(self, principal: str) -> str:
        """Log a principal in."""
        login = self.logins[principal]
        body = {"role_id": login.role_id, "secret_id": login.secret_id}
        status, told = self.ask("POST", "auth/approle/login", body)
        assert status == 200, told
        return str(told["auth"]["client_token"])


def commands() -> list[list[str]]:
    """Return every ``vault`` command of the page, in order."""
    text = "".join(_BLOCK.findall(README.read_text())).replace("\\\n", " ")
    lines = (line.partition("$(")[2].rstrip(")") or line for line in text.splitlines())
    return [shlex.split(line)[1:] for line in lines if line.strip().startswith("vault ")]


def set_up(url: str, root_token: str, unseal_key: str | None = None) -> SetUp:
    """Follow the page; returns what a principal needs to log in."""
    ready = SetUp(url=url, root_token=root_token, logins={}, unseal_key=unseal_key)
    found: dict[str, dict[str, str]] = {}
    for words in commands():
        told = _do(ready, words)
        for kind in ("role_id", "secret_id"):
            if f"-field={kind}" in words:
                principal = words[-1].split("/")[3].removeprefix("meetbot-")
                found.setdefault(principal, {})[kind] = told["data"][kind]
    ready.logins.update({name: VaultLogin(**ids) for name, ids in found.items()})
    return ready


def _do(ready: SetUp, words: list[str]) -> Any:
    plain = [word for word in words if not word.startswith("-")]
    match plain:
        case ["secrets", "enable", kind]:
            asked = ("POST", f"sys/mounts/{kind}", {"type": kind})
        case ["auth", "enable", kind]:
            asked = ("POST", f"sys/auth/{kind}", {"type": kind})
        case ["policy", "write", name, file]:
            policy = (ROOT / file).read_text()
            asked = ("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        case ["read", path]:
            asked = ("GET", path, None)
        case ["write", path, *values]:
            asked = ("PUT", path, dict(value.split("=", 1) for value in values))
        case _:
            raise AssertionError(f"the page has a command that is not known here: {words}")
    status, told = ready.ask(*asked)
    assert status < 300 or _THERE in str(told), (words, status, told)
    return told
