"""``/v1/webhook-deliveries`` and ``/v1/webhook-messages``: what was told, and how it went."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter, SkipValidation

from meetbot_calendar.deliveries.model import (
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    EndpointId,
    Message,
    MessageId,
    MessageType,
)
from meetbot_calendar.journeys import accounts, deliver, outbox
from meetbot_calendar.journeys.outbox import Delivered, DeliveryFilter
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    Given,
    PageOf,
    Wish,
    instant_of,
    page_of,
    utc,
    utc_or_none,
)

Id = Annotated[str | None, QueryParameter(max_length=64, pattern=r"^[!-~]+$")]


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: its answer, or why there was none."""

    number: int
    at: datetime
    status_code: int | None
    latency_ms: int | None
    error: str | None
    response_excerpt: str | None


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one endpoint, with every attempt."""

    id: str
    message_id: str
    endpoint_id: str
    event: MessageType
    bot_id: str | None
    status: DeliveryStatus
    next_attempt_at: datetime | None
    attempts: tuple[AttemptView, ...]
    created_at: datetime
    updated_at: datetime


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """One message: its `id` is the webhook-id, the rest what was signed."""

    id: str
    type: MessageType
    timestamp: str
    data: dict[str, Any]


class _Said(msgspec.Struct, frozen=True):
    timestamp: str
    data: dict[str, Any]


def delivery_view(delivery: Delivery, attempts: tuple[Attempt, ...]) -> DeliveryView:
    """Write a delivery."""
    return DeliveryView(
        id=delivery.id,
        message_id=delivery.message_id,
        endpoint_id=delivery.endpoint_id,
        event=delivery.type,
        bot_id=delivery.bot_id,
        status=delivery.status,
        next_attempt_at=utc_or_none(delivery.next_attempt_at),
        attempts=tuple(_attempt(attempt) for attempt in attempts),
        created_at=utc(delivery.created_at),
        updated_at=utc(delivery.updated_at),
    )


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        at=utc(attempt.at),
        status_code=attempt.status_code,
        latency_ms=attempt.latency_ms,
        error=attempt.error,
        response_excerpt=attempt.excerpt,
    )


def _delivered(row: Delivered) -> DeliveryView:
    return delivery_view(row.delivery, row.attempts)


def message_view(message: Message) -> MessageView:
    """Write a message."""
    said = msgspec.json.decode(message.body, type=_Said)
    return MessageView(id=message.id, type=message.type, timestamp=said.timestamp, data=said.data)


def delivery_filter(
    status: Annotated[DeliveryStatus | None, QueryParameter()] = None,
    event: Annotated[MessageType | None, QueryParameter()] = None,
    endpoint_id: Id = None,
    bot_id: Id = None,
) -> DeliveryFilter:
    """Read which deliveries are asked for."""
    return DeliveryFilter(
        status=status,
        type=event,
        endpoint_id=None if endpoint_id is None else EndpointId(endpoint_id),
        bot_id=bot_id,
    )


@get(
    "/webhook-deliveries",
    dependencies={"which": Provide(delivery_filter, sync_to_thread=False)},
)
async def list_webhook_deliveries(
    services: Given,
    context: Caller,
    wish: Wish,
    which: NamedDependency[SkipValidation[DeliveryFilter]],
) -> PageOf[DeliveryView]:
    """List deliveries with every attempt, newest first."""
    listed = await outbox.list_deliveries(services, context, which, wish)
    return page_of(listed, tuple(_delivered(row) for row in listed.results))


@get("/webhook-deliveries/{delivery_id:str}")
async def read_webhook_delivery(
    services: Given, context: Caller, delivery_id: FromPath[DeliveryId]
) -> DeliveryView:
    """Return one delivery with every attempt."""
    return _delivered(await outbox.read_delivery(services, context, delivery_id))


@post("/webhook-deliveries/{delivery_id:str}/redeliver", status_code=202)
async def redeliver(
    services: Given, context: Caller, delivery_id: FromPath[DeliveryId]
) -> DeliveryView:
    """Send a delivery again, whatever became of it; its attempts are kept."""
    await deliver.redeliver(services, context, delivery_id)
    await accounts.note(services, context, "delivery.sent_again", delivery_id)
    return _delivered(await outbox.read_delivery(services, context, delivery_id))


@get("/webhook-messages")
async def list_webhook_messages(
    services: Given,
    context: Caller,
    wish: Wish,
    since: Annotated[
        str | None,
        QueryParameter(
            max_length=64,
            description="The id of the last message you have, or an ISO 8601 instant.",
        ),
    ] = None,
    kind: Annotated[MessageType | None, QueryParameter(name="type")] = None,
) -> PageOf[MessageView]:
    """List every message in order, whether or not anyone was listening."""
    begin = MessageId(since) if since and since.startswith("msg_") else instant_of("since", since)
    listed = await outbox.list_messages(services, context, wish, kind=kind, since=begin)
    return page_of(listed, tuple(message_view(message) for message in listed.results))


router = Router(
    "/v1",
    route_handlers=[
        list_webhook_deliveries,
        read_webhook_delivery,
        redeliver,
        list_webhook_messages,
    ],
    dependencies=PAGED,
    tags=["Webhooks"],
)
