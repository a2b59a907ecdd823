"""Whether a fleet signed what was posted as its report: over the raw bytes, in constant time."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.deliveries.signing import TOLERANCE, verify
from meetbot_calendar.errors import InstallationFault, Invalid, Tampered
from meetbot_calendar.gateways.untrusted import Json

_STANDARD = ("id", "timestamp", "signature")


def standard(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Verify Standard Webhooks, or Svix's older names for the same three headers.

    https://docs.svix.com/receiving/verifying-payloads/how-manual
    """
    named = {
        f"webhook-{part}": headers.get(f"webhook-{part}", headers.get(f"svix-{part}", ""))
        for part in _STANDARD
    }
    verify(named, body, [needed(secret)], now)


def hexadecimal(shown: str, secret: str, signed: bytes) -> None:
    """Verify ``sha256=`` and the hexadecimal HMAC-SHA256 of what was signed."""
    expected = hmac.new(needed(secret).encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(shown.removeprefix("sha256=").encode(), expected.encode()):
        raise Tampered("no signature matches")


def recent(at: datetime | None, now: datetime, within: timedelta = TOLERANCE) -> None:
    """Refuse what was signed too long ago, or at no time that can be read."""
    if at is None or at.tzinfo is None or abs(now - at) > within:
        raise Tampered("the report was signed too long ago, or by a clock that is ahead")


def needed(secret: str) -> str:
    """Return the secret; without one nothing can be verified."""
    if not secret:
        raise InstallationFault(
            "reports cannot be verified: set MEETBOT_FLEET_CALLBACK_SECRET", code="fleet_closed"
        )
    return secret


def decoded(body: bytes) -> Json:
    """Return the object that a verified body holds."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("The report is not JSON.") from error
    if not isinstance(found, dict):
        raise Invalid("The report is not an object.")
    return found
