"""Endpoints, messages and deliveries."""

from datetime import datetime
from typing import Literal, NewType

import msgspec

from tenants.identity import TenantId

EndpointId = NewType("EndpointId", str)
MessageId = NewType("MessageId", str)
DeliveryId = NewType("DeliveryId", str)

MessageType = Literal[
    "calendar.connected",
    "calendar.needs_reauth",
    "calendar.disconnected",
    "calendar.events_changed",
    "bot.scheduled",
    "bot.rescheduled",
    "bot.cancelled",
    "bot.dispatched",
    "bot.joined",
    "bot.completed",
    "bot.failed",
    "bot.missed",
    "endpoint.test",
    "endpoint.disabled",
]
EndpointStatus = Literal["enabled", "disabled"]
DeliveryStatus = Literal["pending", "delivering", "delivered", "exhausted", "cancelled"]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's webhook address. ``secrets`` are ``whsec_…``, newest first."""

    id: EndpointId
    tenant_id: TenantId
    url: str
    events: tuple[str, ...]
    description: str | None = None
    status: EndpointStatus = "enabled"
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    secrets: tuple[str, ...] = ()
    old_secret_until: datetime | None = None
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"Endpoint({self.id}, {self.status})"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, told once: ``id`` is the webhook-id, ``body`` its exact bytes."""

    id: MessageId
    tenant_id: TenantId
    type: MessageType
    body: bytes
    created_at: datetime


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One POST of a delivery. ``status_code`` is None where no answer came."""

    number: int
    at: datetime
    status_code: int | None = None
    latency_ms: int | None = None
    error: str | None = None
    excerpt: str | None = None
    retry_after: float | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one endpoint."""

    id: DeliveryId
    tenant_id: TenantId
    message_id: MessageId
    endpoint_id: EndpointId
    type: MessageType
    status: DeliveryStatus
    attempts_made: int = 0
    next_attempt_at: datetime | None = None
    bot_id: str | None = None
    created_at: datetime
    updated_at: datetime
