"""Vault's policies, as far as ours go: the HCL they are written in, and what they let through.

Compared with Vault 1.21.1: nothing is allowed that no path allows; of several patterns that match
one path the most specific alone counts; parameters are held against it; deny beats all.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tests.vault.refusals import Refusal

_TOKEN = re.compile(r'\s+|#[^\n]*|(?P<text>"[^"]*")|(?P<word>[a-z_]+|\d+)|(?P<mark>[{}\[\]=,])')
_CAPABILITIES = {"create", "read", "update", "patch", "delete", "list", "sudo", "deny"}
_WORDS = {"true": True, "false": False}

DEFAULT = """
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
"""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What one path allows."""

    path: str
    capabilities: frozenset[str]
    allowed: Mapping[str, list[Any]] | None = None
    required: tuple[str, ...] = ()

    def matches(self, path: str) -> bool:
        star = self.path.endswith("*")
        parts = [re.escape(part) for part in self.path.removesuffix("*").split("+")]
        return re.fullmatch("[^/]+".join(parts) + (".*" if star else ""), path) is not None

    @property
    def specific(self) -> tuple[float, bool, int, int, str]:
        """Order rules as Vault does: the later the first wildcard, the more specific, and so on."""
        wild = [self.path.find(sign) for sign in "+*" if sign in self.path]
        return (
            min(wild, default=float("inf")),
            not self.path.endswith("*"),
            -self.path.count("+"),
            len(self.path),
            self.path,
        )

    def lets(self, capability: str, body: Mapping[str, Any]) -> bool:
        if capability not in self.capabilities or "deny" in self.capabilities:
            return False
        if any(name not in body for name in self.required):
            return False
        return self.allowed is None or all(
            name in self.allowed and (not self.allowed[name] or value in self.allowed[name])
            for name, value in body.items()
        )


def rule_for(rules: Iterable[Rule], path: str) -> Rule | None:
    """Return the one rule that decides about a path."""
    return max((r for r in rules if r.matches(path)), key=lambda r: r.specific, default=None)


def parse(text: str) -> tuple[Rule, ...]:
    """Read a policy. Raises ``Refusal`` as Vault does."""
    tokens = _Tokens(text)
    rules = []
    while tokens.left:
        tokens.take("path")
        path = tokens.value()
        body = tokens.block()
        strange = [name for name in body["capabilities"] if name not in _CAPABILITIES]
        if strange:
            said = f'failed to parse policy: path "{path}": invalid capability "{strange[0]}"'
            raise Refusal(400, said)
        rules.append(
            Rule(
                path=path,
                capabilities=frozenset(body["capabilities"]),
                allowed=body.get("allowed_parameters"),
                required=tuple(body.get("required_parameters", ())),
            )
        )
    return tuple(rules)


class _Tokens:
    def __init__(self, text: str) -> None:
        self.left = []
        place = 0
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                raise Refusal(400, f"failed to parse policy: at {text[place : place + 20]!r}")
            place = found.end()
            if found.lastgroup:
                self.left.append(found[0])

    def take(self, wanted: str) -> None:
        if not self.left or self.left.pop(0) != wanted:
            raise Refusal(400, f"failed to parse policy: {wanted!r} expected")

    def value(self) -> Any:
        first = self.left[0]
        if first == "[":
            return self._list()
        if first == "{":
            return self.block()
        self.left.pop(0)
        if first in _WORDS:
            return _WORDS[first]
        return int(first) if first.isdigit() else first.strip('"')

    def block(self) -> dict[str, Any]:
        self.take("{")
        found: dict[str, Any] = {}
        while self.left[0] != "}":
            name = self.left.pop(0).strip('"')
            self.take("=")
            found[name] = self.value()
        self.take("}")
        return found

    def _list(self) -> list[Any]:
        self.take("[")
        found = []
        while self.left[0] != "]":
            found.append(self.value())
            if self.left[0] == ",":
                self.take(",")
        self.take("]")
        return found
