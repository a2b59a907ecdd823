"""Standard Webhooks signatures: made for what we send, checked on what fleets report.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets as randomness
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from meetbot_calendar.deliveries.model import Endpoint
from meetbot_calendar.errors import InstallationFault, Tampered

TOLERANCE = timedelta(minutes=5)
_PREFIX = "whsec_"
_SECONDS = re.compile(r"\d{1,11}", re.ASCII)


def new_secret() -> str:
    """Make a signing secret with 256 random bits."""
    return _PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def active_secrets(endpoint: Endpoint, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign: the newest, and older ones while a rotation lasts."""
    until = endpoint.old_secret_until
    rotating = until is not None and now < until
    return endpoint.secrets if rotating else endpoint.secrets[:1]


def headers(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Sign ``body`` with every secret, so that a receiver may hold any one of them."""
    seconds = str(int(at.timestamp()))
    signatures = [_signature(secret, message_id, seconds, body) for secret in secrets]
    if not signatures:
        raise InstallationFault("a message cannot be signed without a secret")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signatures),
    }


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> None:
    """Return if one of the secrets signed exactly this, lately; otherwise raise ``Tampered``."""
    given = {name.lower(): value for name, value in headers.items()}
    message_id, seconds = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not message_id or not _SECONDS.fullmatch(seconds):
        raise Tampered("a signed message has webhook-id and webhook-timestamp")
    expected = [_signature(secret, message_id, seconds, body).encode() for secret in secrets]
    shown = [part.encode() for part in given.get("webhook-signature", "").split(" ")]
    # Texts are compared, not decoded bytes: bad base64 cannot raise, and nothing decodes alike.
    matches = [hmac.compare_digest(one, other) for one in expected for other in shown]
    if not any(matches):
        raise Tampered("no signature matches")
    if abs(now - datetime.fromtimestamp(int(seconds), UTC)) > tolerance:
        raise Tampered("the message was signed too long ago, or by a clock that is ahead")


def _signature(secret: str, message_id: str, seconds: str, body: bytes) -> str:
    signed = f"{message_id}.{seconds}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    """Read a secret as the reference library does: base64, prefix and padding optional."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX) + "==")
    except (binascii.Error, ValueError) as error:
        raise InstallationFault("the signing secret is not base64") from error
    if not key:
        raise InstallationFault("the signing secret is empty")
    return key
