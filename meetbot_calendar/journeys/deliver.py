"""Send one delivery: claim it, post the same bytes under a fresh signature, record the attempt."""

import random
from datetime import datetime

import msgspec

from meetbot_calendar.deliveries import attempts, payloads, signing
from meetbot_calendar.deliveries.model import (
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Endpoint,
    EndpointId,
    MessageId,
)
from meetbot_calendar.deliveries.poster import Answered
from meetbot_calendar.errors import Conflict, Missing
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import deliveries, endpoints, messages
from meetbot_calendar.storage.deliveries import Parcel
from tenants.identity import TenantContext, TenantId, new_id
from tenants.storage.session import TenantSession

_PATIENCE = 40.0  # seconds: longer than a post may take
_ENDED: dict[str, DeliveryStatus] = {
    "delivered": "delivered",
    "retry": "pending",
    "exhausted": "exhausted",
    "gone": "cancelled",
}


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended."""

    delivery_id: DeliveryId
    status: DeliveryStatus
    attempt: Attempt


async def deliver(services: Services, tenant_id: TenantId, delivery_id: DeliveryId) -> Sent | None:
    """Make one attempt; None where the delivery is not due, or somebody else has it.

    Killed between the post and the record, it is posted again under the same ``webhook-id``.
    """
    now = services.clock.now()
    until = now + services.clock.patience(_PATIENCE)
    async with services.database.tenant(tenant_id) as session:
        parcel = await deliveries.claim(
            session, delivery_id, lease_id=new_id("lea", now), now=now, until=until
        )
    if parcel is None:
        return None
    headers = signing.headers(
        parcel.delivery.message_id, now, parcel.body, active_secrets(parcel.endpoint, now)
    )
    answered = await services.poster.post(parcel.endpoint.url, headers, parcel.body)
    return await _record(services, parcel, answered, now)


def active_secrets(endpoint: Endpoint, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign: the newest, and older ones while a rotation lasts."""
    until = endpoint.old_secret_until
    rotating = until is not None and now < until
    return endpoint.secrets if rotating else endpoint.secrets[:1]


async def _record(
    services: Services, parcel: Parcel, answered: Answered, at: datetime
) -> Sent | None:
    now = services.clock.now()
    attempt = Attempt(
        number=parcel.delivery.attempts_made,
        at=at,
        status_code=answered.status_code,
        latency_ms=answered.latency_ms,
        error=answered.error,
        excerpt=answered.excerpt,
        retry_after=answered.retry_after,
    )
    follows = attempts.after(attempt, now, random.random())  # noqa: S311 - spreads load only
    status = _ENDED[follows.outcome]
    async with services.database.tenant(parcel.delivery.tenant_id) as session:
        if not await deliveries.record(session, parcel, attempt, status, follows.at, now):
            return None
        written = await _look_after(session, parcel.endpoint.id, attempt, now)
    await ring_deliveries(services, parcel.delivery.tenant_id, written)
    return Sent(delivery_id=parcel.delivery.id, status=status, attempt=attempt)


async def _look_after(
    session: TenantSession, endpoint_id: EndpointId, attempt: Attempt, now: datetime
) -> tuple[DeliveryId, ...]:
    """Keep the endpoint's health; disabling it is told to the tenant's other endpoints."""
    since = await deliveries.failing_since(session, endpoint_id)
    health = attempts.health_after(since, attempt, now)
    if since is None and health.failing_since is None:
        return ()
    if not await deliveries.set_health(session, endpoint_id, health, now):
        return ()
    body = payloads.endpoint_payload("endpoint.disabled", endpoint_id, now, health.disabled_reason)
    draft = messages.Draft(type="endpoint.disabled", body=body)
    return await messages.write(session, now, [draft])


async def redeliver(
    services: Services, context: TenantContext, delivery_id: DeliveryId
) -> Delivery:
    """Send a delivery again, whatever became of it; its earlier attempts are kept."""
    async with services.database.tenant(context.tenant_id) as session:
        delivery = await deliveries.rearm(session, delivery_id, services.clock.now())
        if delivery is None:
            raise Missing("there is no such delivery")
        await _check_enabled(session, delivery.endpoint_id)
    await ring_deliveries(services, context.tenant_id, [delivery_id])
    return delivery


async def send_test(
    services: Services, context: TenantContext, endpoint_id: EndpointId
) -> MessageId:
    """Send a test message to one endpoint, whatever it subscribed to."""
    now = services.clock.now()
    body = payloads.endpoint_payload("endpoint.test", endpoint_id, now)
    async with services.database.tenant(context.tenant_id) as session:
        await _check_enabled(session, endpoint_id)
        draft = messages.Draft(type="endpoint.test", body=body)
        message_id, delivery_id = await messages.write_to(session, now, draft, endpoint_id)
    await ring_deliveries(services, context.tenant_id, [delivery_id])
    return message_id


async def _check_enabled(session: TenantSession, endpoint_id: EndpointId) -> None:
    endpoint = await endpoints.get(session, endpoint_id)
    if endpoint is None:
        raise Missing("There is no such webhook endpoint.")
    if endpoint.status == "disabled":
        raise Conflict(
            "the endpoint is disabled: enable it first with PATCH"
            f" /v1/webhook-endpoints/{endpoint_id}",
            code="endpoint_disabled",
        )
