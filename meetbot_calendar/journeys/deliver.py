"""Send what is due to an endpoint: claim it, post the same bytes freshly signed, record it."""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec

from meetbot_calendar.deliveries import attempts, payloads, signing
from meetbot_calendar.deliveries.model import (
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    EndpointId,
    MessageId,
)
from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys import heartbeat
from meetbot_calendar.journeys.endpoints import check_enabled
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import deliveries, endpoints, messages
from meetbot_calendar.storage.deliveries import Outcome, Parcel
from tenants.identity import TenantContext, TenantId, new_id
from tenants.storage.session import TenantSession

_AT_ONCE = 8  # posts to one endpoint
_MOMENT = 0.01  # seconds that an answer waits for others to be recorded with it
_AHEAD = 32  # deliveries that are claimed together for an endpoint that answers quickly
_QUICK_MS = 250
_ENDED: dict[str, DeliveryStatus] = {
    "delivered": "delivered",
    "retry": "pending",
    "exhausted": "exhausted",
    "gone": "cancelled",
}


class Hold(msgspec.Struct, frozen=True):
    """What is in our hands: deliveries to one endpoint, under one lease."""

    tenant_id: TenantId
    endpoint_id: EndpointId
    lease_id: str


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel and how its attempt went, not yet written down."""

    parcel: Parcel
    attempt: Attempt


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended."""

    delivery_id: DeliveryId
    status: DeliveryStatus
    attempt: Attempt


async def deliver(
    services: Services, tenant_id: TenantId, endpoint_id: EndpointId
) -> tuple[Sent, ...]:
    """Post all that is due to one endpoint, several at a time, until nothing is.

    A slow endpoint keeps nothing from any other. Killed between a post and its record, it is posted
    again under the same ``webhook-id``.
    """
    hold = Hold(tenant_id, endpoint_id, new_id("lea", services.clock.now()))
    async with heartbeat.kept(services, partial(_prolong, services, hold)):
        return await _post_all(services, hold)


async def _post_all(services: Services, hold: Hold) -> tuple[Sent, ...]:
    sent: list[Sent] = []
    posting: set[asyncio.Task[Posted]] = set()
    waiting = deque(await _claim(services, hold, _AT_ONCE))
    try:
        while waiting or posting:
            _fill(services, posting, waiting)
            answered, posting = await _some(posting)
            posted = [task.result() for task in answered]
            _fill(services, posting, waiting)
            sent += await _record(services, hold.tenant_id, posted)
            if len(waiting) + len(posting) < _AT_ONCE:
                room = _AT_ONCE - len(posting)
                waiting += await _claim(services, hold, _AHEAD if _is_quick(posted) else room)
    finally:
        for task in posting:
            task.cancel()
    return tuple(sent)


def _fill(services: Services, posting: set[asyncio.Task[Posted]], waiting: deque[Parcel]) -> None:
    """Have as many posts under way as one endpoint may have."""
    while waiting and len(posting) < _AT_ONCE:
        posting.add(asyncio.create_task(_post(services, waiting.popleft())))


def _is_quick(posted: Sequence[Posted]) -> bool:
    """Say whether an endpoint answers so fast that to claim a few at a time is what would take."""
    took = [each.attempt.latency_ms for each in posted]
    return all(latency is not None and latency < _QUICK_MS for latency in took)


async def _some(
    posting: set[asyncio.Task[Posted]],
) -> tuple[set[asyncio.Task[Posted]], set[asyncio.Task[Posted]]]:
    """Wait until one is answered, and a moment for others that are about to be."""
    await asyncio.wait(posting, return_when=asyncio.FIRST_COMPLETED)
    return await asyncio.wait(posting, timeout=_MOMENT)


async def _claim(services: Services, hold: Hold, most: int) -> tuple[Parcel, ...]:
    now = services.clock.now()
    async with services.database.tenant(hold.tenant_id) as session:
        return await deliveries.claim(
            session,
            hold.endpoint_id,
            most=most,
            lease_id=hold.lease_id,
            now=now,
            until=now + heartbeat.lasts(services),
        )


async def _prolong(services: Services, hold: Hold, until: datetime) -> None:
    async with services.database.bare(hold.tenant_id) as session:
        await deliveries.prolong(session, hold.endpoint_id, hold.lease_id, until)


async def _post(services: Services, parcel: Parcel) -> Posted:
    now = services.clock.now()
    secrets = signing.active_secrets(parcel.endpoint, now)
    headers = signing.headers(parcel.delivery.message_id, now, parcel.body, secrets)
    answered = await services.poster.post(parcel.endpoint.url, headers, parcel.body)
    attempt = Attempt(
        number=parcel.delivery.attempts_made + 1,
        at=now,
        status_code=answered.status_code,
        latency_ms=answered.latency_ms,
        error=answered.error,
        excerpt=answered.excerpt,
        retry_after=answered.retry_after,
    )
    return Posted(parcel=parcel, attempt=attempt)


async def _record(services: Services, tenant_id: TenantId, posted: Sequence[Posted]) -> list[Sent]:
    """Write down attempts and what follows, together; those no longer ours are left alone."""
    now = services.clock.now()
    outcomes = [_outcome(each, now) for each in posted]
    async with services.database.tenant(tenant_id) as session:
        is_news = await _bear_on_health(session, outcomes, now)
        ours = await deliveries.record(session, outcomes, now)
        mine = [each for each in outcomes if each.parcel.delivery.id in ours]
        written: list[EndpointId] = []
        for each in mine if is_news else ():
            written += await _look_after(session, each.parcel.endpoint.id, each.attempt, now)
    await ring_deliveries(services, tenant_id, written)
    return [
        Sent(delivery_id=each.parcel.delivery.id, status=each.status, attempt=each.attempt)
        for each in mine
    ]


def _outcome(posted: Posted, now: datetime) -> Outcome:
    follows = attempts.after(posted.attempt, now, random.random())  # noqa: S311 - spreads load only
    return Outcome(
        parcel=posted.parcel,
        attempt=posted.attempt,
        status=_ENDED[follows.outcome],
        due_at=follows.at,
    )


async def _bear_on_health(
    session: TenantSession, outcomes: Sequence[Outcome], now: datetime
) -> bool:
    """Say whether attempts are news of their endpoint: any but successes of one that is well.

    What the news may change is then locked, before any delivery is: see ``messages.hold``.
    """
    endpoint_id = outcomes[0].parcel.endpoint.id
    since = await deliveries.failing_since(session, endpoint_id)
    if since is None and all(each.status == "delivered" for each in outcomes):
        return False
    if any(attempts.health_after(since, each.attempt, now).disabled_reason for each in outcomes):
        await messages.hold(session)
    await deliveries.failing_since(session, endpoint_id, lock=True)
    return True


async def _look_after(
    session: TenantSession, endpoint_id: EndpointId, attempt: Attempt, now: datetime
) -> tuple[EndpointId, ...]:
    """Keep the endpoint's health; disabling it is told to the tenant's other endpoints."""
    since = await deliveries.failing_since(session, endpoint_id, lock=True)
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
    await ring_deliveries(services, context.tenant_id, [delivery.endpoint_id])
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
        message_id = await messages.write_to(session, now, draft, endpoint_id)
    await ring_deliveries(services, context.tenant_id, [endpoint_id])
    return message_id


async def _check_enabled(session: TenantSession, endpoint_id: EndpointId) -> None:
    endpoint = await endpoints.get(session, endpoint_id)
    if endpoint is None:
        raise Missing("There is no such webhook endpoint.")
    check_enabled(endpoint)
