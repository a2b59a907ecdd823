"""The Transit engine of the double: keys with versions, which wrap, unwrap and are destroyed."""

import base64
import binascii
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vault.refusals import Refusal

Json = dict[str, Any]
_NONCE, _LEAST = 12, 28
_MADE_AT = 1795227711


class TransitKey(msgspec.Struct, kw_only=True):
    """A named key; its latest version encrypts, those below the floor decrypt nothing."""

    name: str
    versions: list[bytes]
    floor: int = 1
    deletion_allowed: bool = False
    exportable: bool = False

    def told(self) -> Json:
        usable = range(self.floor, len(self.versions) + 1)
        return {
            "name": self.name,
            "type": "aes256-gcm96",
            "keys": {str(number): _MADE_AT for number in usable},
            "latest_version": len(self.versions),
            "min_decryption_version": self.floor,
            "min_encryption_version": 0,
            "min_available_version": 0,
            "deletion_allowed": self.deletion_allowed,
            "exportable": self.exportable,
            "allow_plaintext_backup": False,
            "derived": False,
            "imported_key": False,
            "auto_rotate_period": 0,
            "supports_encryption": True,
            "supports_decryption": True,
            "supports_derivation": True,
            "supports_signing": False,
        }

    def encrypted(self, plaintext: bytes) -> Json:
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + AESGCM(self.versions[-1]).encrypt(nonce, plaintext, None)
        version = len(self.versions)
        text = f"vault:v{version}:{base64.b64encode(sealed).decode()}"
        return {"ciphertext": text, "key_version": version}

    def decrypted(self, text: str) -> bytes:
        version, sealed = self._parts(text)
        try:
            key = self.versions[version - 1]
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except InvalidTag:
            raise Refusal(400, "cipher: message authentication failed") from None

    def _parts(self, text: str) -> tuple[int, bytes]:
        if not text:
            raise Refusal(400, "missing ciphertext to decrypt")
        if not text.startswith("vault:v"):
            raise Refusal(400, "invalid ciphertext: no prefix")
        number, _, rest = text.removeprefix("vault:v").partition(":")
        if not number.isdigit():
            raise Refusal(400, "invalid ciphertext: version number could not be decoded")
        version = max(int(number), 1)  # Vault reads v0, of very old data, as v1
        if version > len(self.versions):
            raise Refusal(400, "invalid ciphertext: version is too new")
        if version < self.floor:
            said = "ciphertext or signature version is disallowed by policy (too old)"
            raise Refusal(400, said)
        try:
            sealed = base64.b64decode(rest, validate=True)
        except binascii.Error:
            raise Refusal(400, "invalid ciphertext: could not decode base64") from None
        if len(sealed) < _LEAST:
            raise Refusal(400, "invalid ciphertext length")
        return version, sealed


class Transit:
    """What lies under one mount."""

    def __init__(self) -> None:
        self.keys: dict[str, TransitKey] = {}

    def answer(self, method: str, path: list[str], body: Json) -> Json | None:
        """Answer one request that the policies let through; None is 204."""
        actions: dict[tuple[str, ...], Callable[[str, Json], Json | None]] = {
            ("POST", "keys"): self._create,
            ("GET", "keys"): self._read,
            ("DELETE", "keys"): self._delete,
            ("POST", "keys", "config"): self._configure,
            ("POST", "keys", "rotate"): self._rotate,
            ("POST", "datakey", "plaintext"): self._data_key,
            ("POST", "datakey", "wrapped"): self._wrapped_data_key,
            ("POST", "encrypt"): self._encrypt,
            ("POST", "decrypt"): self._decrypt,
            ("POST", "rewrap"): self._rewrap,
        }
        if path == ["keys"] and method in ("GET", "LIST"):
            return {"keys": sorted(self.keys)}
        if path[0] == "keys":
            shape, name = (method, "keys", *path[2:]), path[1]
        else:
            shape, name = (method, *path[:-1]), path[-1]
        if shape not in actions:
            raise Refusal(404, "1 error occurred:\n\t* unsupported path\n\n")
        return actions[shape](name, body)

    def _create(self, name: str, _: Json) -> Json:
        self.keys.setdefault(name, TransitKey(name=name, versions=[secrets.token_bytes(32)]))
        return self.keys[name].told()

    def _read(self, name: str, _: Json) -> Json:
        if name not in self.keys:
            raise Refusal(404)
        return self.keys[name].told()

    def _configure(self, name: str, body: Json) -> Json:
        if name not in self.keys:
            raise Refusal(400, f"no existing key named {name} could be found")
        key, floor = self.keys[name], body.get("min_decryption_version")
        if floor is not None and floor > len(key.versions):
            latest = f"latest key version is {len(key.versions)}"
            raise Refusal(400, f"cannot set min decryption version of {floor}, {latest}")
        key.floor = key.floor if floor is None else floor
        key.deletion_allowed = body.get("deletion_allowed", key.deletion_allowed)
        key.exportable = body.get("exportable", key.exportable)
        return key.told()

    def _rotate(self, name: str, _: Json) -> Json:
        if name not in self.keys:
            raise Refusal(400, "key not found")
        self.keys[name].versions.append(secrets.token_bytes(32))
        return self.keys[name].told()

    def _delete(self, name: str, _: Json) -> None:
        if name not in self.keys:
            raise Refusal(400, f"error deleting policy {name}: could not delete key; not found")
        if not self.keys[name].deletion_allowed:
            said = f"error deleting policy {name}: deletion is not allowed for this key"
            raise Refusal(400, said)
        del self.keys[name]

    def _data_key(self, name: str, _: Json) -> Json:
        plaintext = secrets.token_bytes(32)
        told = {"plaintext": base64.b64encode(plaintext).decode()}
        return self._key(name).encrypted(plaintext) | told

    def _wrapped_data_key(self, name: str, _: Json) -> Json:
        return self._key(name).encrypted(secrets.token_bytes(32))

    def _encrypt(self, name: str, body: Json) -> Json:
        self._create(name, {})  # who may create here makes the key that is missing
        return self.keys[name].encrypted(base64.b64decode(body["plaintext"]))

    def _decrypt(self, name: str, body: Json) -> Json:
        opened = self._key(name).decrypted(body.get("ciphertext", ""))
        return {"plaintext": base64.b64encode(opened).decode()}

    def _rewrap(self, name: str, body: Json) -> Json:
        key = self._key(name)
        return key.encrypted(key.decrypted(body.get("ciphertext", "")))

    def _key(self, name: str) -> TransitKey:
        if name not in self.keys:
            raise Refusal(400, "encryption key not found")
        return self.keys[name]
