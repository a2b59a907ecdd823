"""Seals and opens bytes with a data key, bound to a tenant, a purpose and a row.

A sealed blob is: one byte of version, four of the data key's number, twelve of nonce, then AES-256
in GCM (NIST SP 800-38D): the ciphertext with its tag. Version, number and binding are authenticated
beside it. Nonces are random: one key is good for some 2^32 blobs.
"""

import hashlib
import hmac
import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_VERSION = b"\x01"
_NUMBER_BYTES = 4
_HEADER_BYTES = len(_VERSION) + _NUMBER_BYTES
_LEAST = _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES
_PROTOCOL = b"meetbot sealed 1"
_NAMING = b"meetbot names 1"
_NAME_BYTES = 20


class CannotOpen(Exception):
    """Sealed bytes do not open: not ours, another tenant's or row's, changed, or without a key."""

    code = "cannot_open"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """To what bytes are sealed; they open for nothing else."""

    tenant_id: str
    purpose: str
    row_id: str


def new_data_key() -> bytearray:
    """Make a data key, in memory that can be wiped."""
    return bytearray(secrets.token_bytes(KEY_BYTES))


def wipe(key: bytearray) -> None:
    """Overwrite a key where it lies. Copies that libraries made are beyond our reach."""
    key[:] = bytes(len(key))


def seal(
    key: bytes | bytearray,
    number: int,
    binding: Binding,
    data: bytes | bytearray,
    nonce: bytes | None = None,
) -> bytes:
    """Seal ``data`` with the data key of that number; a ``nonce`` is given by tests alone."""
    used = nonce if nonce is not None else secrets.token_bytes(_NONCE_BYTES)
    header = _VERSION + number.to_bytes(_NUMBER_BYTES, "big")
    return header + used + AESGCM(key).encrypt(used, data, _bound(header, binding))


def key_number(blob: bytes) -> int:
    """Return the number of the data key that sealed this. Raises ``CannotOpen``."""
    if len(blob) < _LEAST or not blob.startswith(_VERSION):
        raise CannotOpen("these bytes were not sealed here")
    return int.from_bytes(blob[len(_VERSION) : _HEADER_BYTES], "big")


def open_sealed(key: bytes | bytearray, binding: Binding, blob: bytes) -> bytes:
    """Open what ``seal`` made under the same key and binding. Raises ``CannotOpen``."""
    key_number(blob)
    header, rest = blob[:_HEADER_BYTES], blob[_HEADER_BYTES:]
    nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _bound(header, binding))
    except InvalidTag as error:
        raise CannotOpen("these bytes were changed, or sealed to something else") from error


def name_under(key: bytes | bytearray, binding: Binding, value: str) -> str:
    """Name a value by HMAC-SHA-256: alike where it is alike, telling nothing without the key.

    The key is derived from the data key, which seals as well and is used for nothing twice.
    """
    naming = hmac.digest(key, _NAMING, hashlib.sha256)
    named = hmac.digest(naming, _bound(_NAMING, binding) + value.encode(), hashlib.sha256)
    return named[:_NAME_BYTES].hex()


def _bound(header: bytes, binding: Binding) -> bytes:
    """Write what is authenticated, each part with its length: no two bindings read alike."""
    parts = (
        _PROTOCOL,
        header,
        binding.tenant_id.encode(),
        binding.purpose.encode(),
        binding.row_id.encode(),
    )
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
