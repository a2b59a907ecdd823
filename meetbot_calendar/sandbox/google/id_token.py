"""Makes an id_token: a JWT about the person, signed HS256 with the client's secret.

Real ones are RS256 under Google's keys; nothing here pretends to be those keys.
"""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.sandbox.google.userinfo import claims
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.store import Account

_LIFE = timedelta(hours=1)


def signed_id_token(
    client: Client, account: Account, scopes: list[str], now: datetime, nonce: str
) -> str:
    """Return the token; ``nonce`` is echoed when the authorisation call had one."""
    body: dict[str, object] = {
        "iss": "https://accounts.google.com",
        "azp": client.id,
        "aud": client.id,
        **claims(account, scopes),
        "iat": int(now.timestamp()),
        "exp": int((now + _LIFE).timestamp()),
    }
    if nonce:
        body["nonce"] = nonce
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(body)}"
    signature = hmac.digest(client.secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{_encoded(signature)}"


def _part(content: dict[str, object] | dict[str, str]) -> str:
    return _encoded(msgspec.json.encode(content))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
