"""What the tenant's server received, and whether each message was genuine (Standard Webhooks).

The reference library signs; the comparison and the tolerance are done here, by the world's clock,
because that may run faster than the machine's.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

TOLERANCE = timedelta(minutes=5)
_KEPT = 5000


class Message(msgspec.Struct, kw_only=True):
    """One request to a webhook address; ``reason`` says why it is, or is not, ``verified``."""

    number: int
    inbox: str
    received_at: datetime
    id: str
    type: str
    verified: bool
    reason: str
    answered: int
    body: Any
    timestamp: str = ""


class CustomerState(msgspec.Struct, kw_only=True):
    """What the customer keeps: secrets by address (several while one rotates), and messages."""

    secrets: dict[str, list[str]] = {}
    messages: list[Message] = []
    numbered: int = 0


def judge(
    secrets: list[str], headers: Mapping[str, str], content: bytes, now: datetime
) -> tuple[bool, str]:
    """Tell whether a message is genuine, and why (not)."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split()
    if not (message_id and stamp.isdigit() and signatures):
        return False, "missing headers"
    sent_at = datetime.fromtimestamp(int(stamp), UTC)
    if abs(now - sent_at) > TOLERANCE:
        return False, "timestamp too old or too new"
    if not secrets:
        return False, "no secret set"
    genuine = any(_signed_by(s, message_id, sent_at, content, signatures) for s in secrets)
    return genuine, "genuine" if genuine else "no matching signature"


def is_secret(text: str) -> bool:
    """Tell whether a text can be a webhook secret."""
    try:
        Webhook(text)
    except (ValueError, EmptyWebhookSecretError):
        return False
    return text.startswith("whsec_")


def keep(state: CustomerState, message: Message) -> Message:
    """Store a message under the next number, and forget the oldest beyond a few thousand."""
    state.numbered += 1
    message.number = state.numbered
    state.messages = [*state.messages, message][-_KEPT:]
    return message


def received(state: CustomerState, after: int, kind: str, inbox: str) -> list[Message]:
    """Return the messages numbered above ``after``, of a type and an address where named."""
    found = [m for m in state.messages if m.number > after]
    return [m for m in found if kind in ("", m.type) and inbox in ("", m.inbox)]


def read_body(content: bytes) -> Any:  # noqa: ANN401 - whatever JSON came
    """Return a body as JSON, or as text where it is none."""
    try:
        return msgspec.json.decode(content)
    except msgspec.MsgspecError:
        return content.decode(errors="replace")


def _signed_by(
    secret: str, message_id: str, sent_at: datetime, content: bytes, signatures: list[str]
) -> bool:
    expected = Webhook(secret).sign(message_id, sent_at, content.decode(errors="replace"))
    given = [s for s in signatures if s.startswith("v1,")]
    return any(hmac.compare_digest(expected.encode(), s.encode()) for s in given)
