"""Signs what the identity platform says about a person: RS256, with a key the sandbox publishes."""

import base64
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from meetbot_calendar.sandbox.store import Account
from meetbot_calendar.sandbox.world import World

_LIFE = timedelta(hours=1)
_NOTE = "microsoft.signing_key"
_KEY_ID = "sandbox-1"


def claims_of(account: Account, client_id: str, now: datetime, nonce: str) -> dict[str, Any]:
    """Return the id_token's claims; ``nonce`` echoes the authorise call's query value."""
    issued = int(now.timestamp())
    found = {
        "ver": "2.0",
        "iss": f"https://login.microsoftonline.com/{account.tenant_id}/v2.0",
        "sub": _text(f"{client_id}/{account.subject}".encode())[:43],
        "aud": client_id,
        "exp": issued + int(_LIFE.total_seconds()),
        "iat": issued,
        "nbf": issued,
        "name": account.name,
        "preferred_username": account.detail.get("upn", account.email),
        "oid": account.subject,
        "tid": account.tenant_id,
    }
    return found | ({"nonce": nonce} if nonce else {})


def client_info(account: Account) -> str:
    """Return the ``client_info`` of a token answer: who, in base64url JSON."""
    return _text(msgspec.json.encode({"uid": account.subject, "utid": account.tenant_id}))


def signed(world: World, claims: dict[str, Any]) -> str:
    """Return a JWT of the claims."""
    header = {"typ": "JWT", "alg": "RS256", "kid": _KEY_ID}
    text = f"{_text(msgspec.json.encode(header))}.{_text(msgspec.json.encode(claims))}"
    signature = _key(world).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{_text(signature)}"


def published(world: World) -> dict[str, Any]:
    """Return the JSON Web Key Set that verifies what is signed here."""
    numbers = _key(world).public_key().public_numbers()
    key = {"kty": "RSA", "use": "sig", "kid": _KEY_ID, "alg": "RS256"}
    return {"keys": [key | {"n": _number(numbers.n), "e": _number(numbers.e)}]}


def _key(world: World) -> rsa.RSAPrivateKey:
    kept = world.state.notes.get(_NOTE)
    if kept is None:
        kept = world.state.notes[_NOTE] = _new_key()
    key = serialization.load_pem_private_key(kept.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the sandbox's signing key is an RSA key")
    return key


@cache
def _new_key() -> str:
    """Make one key per process: it takes a while, and nobody minds sharing it."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
