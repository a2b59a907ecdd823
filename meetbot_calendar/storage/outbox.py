"""What was told, as it is listed: messages in order, deliveries with their attempts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, select

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
from meetbot_calendar.storage.deliveries import delivery_of
from meetbot_calendar.storage.tables import deliveries, delivery_attempts, messages
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import TenantSession


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries."""

    status: DeliveryStatus | None = None
    type: MessageType | None = None
    endpoint_id: EndpointId | None = None
    bot_id: str | None = None


class Sequenced(msgspec.Struct, frozen=True, kw_only=True):
    """A message and its place in the order in which messages became visible."""

    message: Message
    seq: int


async def delivery_page(session: TenantSession, which: DeliveryFilter, keyset: Keyset) -> Page:
    """List deliveries, newest first."""
    statement = select(deliveries)
    if which.status is not None:
        statement = statement.where(deliveries.c.status == which.status)
    if which.type is not None:
        statement = statement.where(deliveries.c.type == which.type)
    if which.endpoint_id is not None:
        statement = statement.where(deliveries.c.endpoint_id == which.endpoint_id)
    if which.bot_id is not None:
        statement = statement.where(deliveries.c.bot_id == which.bot_id)
    return await page_of(session, statement, [deliveries.c.id], keyset, descending=True)


async def delivery(session: TenantSession, delivery_id: DeliveryId) -> Delivery | None:
    """Return one delivery."""
    statement = select(deliveries).where(deliveries.c.id == delivery_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else delivery_of(row)


async def deliveries_of(
    session: TenantSession, message_ids: Sequence[MessageId]
) -> tuple[Delivery, ...]:
    """Return every delivery of some messages, oldest first."""
    statement = select(deliveries).where(deliveries.c.message_id.in_(message_ids))
    rows = await session.execute(statement.order_by(deliveries.c.id))
    return tuple(delivery_of(row) for row in rows)


async def attempts(
    session: TenantSession, delivery_ids: Sequence[DeliveryId]
) -> dict[DeliveryId, list[Attempt]]:
    """Return every attempt of some deliveries, in order."""
    statement = (
        select(delivery_attempts)
        .where(delivery_attempts.c.delivery_id.in_(delivery_ids))
        .order_by(delivery_attempts.c.delivery_id, delivery_attempts.c.number)
    )
    found: dict[DeliveryId, list[Attempt]] = {delivery_id: [] for delivery_id in delivery_ids}
    for row in await session.execute(statement):
        found[row.delivery_id].append(_attempt(session, row))
    return found


def _attempt(session: TenantSession, row: Row[Any]) -> Attempt:
    excerpt = None
    if row.excerpt is not None:
        excerpt = session.open(row.delivery_id, row.excerpt, str)
    return Attempt(
        number=row.number,
        at=row.at,
        status_code=row.status_code,
        latency_ms=row.latency_ms,
        error=row.error,
        excerpt=excerpt,
    )


async def message_page(
    session: TenantSession, kind: MessageType | None, since: datetime | None, keyset: Keyset
) -> Page:
    """List messages in the order in which they became visible."""
    statement = select(messages)
    if kind is not None:
        statement = statement.where(messages.c.type == kind)
    if since is not None:
        statement = statement.where(messages.c.created_at >= since)
    return await page_of(session, statement, [messages.c.seq], keyset)


async def place_of_message(session: TenantSession, message_id: MessageId) -> int | None:
    """Return a message's place in the order; None where it is not kept."""
    statement = select(messages.c.seq).where(messages.c.id == message_id)
    found: int | None = (await session.execute(statement)).scalar_one_or_none()
    return found


def sequenced(session: TenantSession, row: Row[Any]) -> Sequenced:
    """Turn a row into a message with its place."""
    message = Message(
        id=row.id,
        tenant_id=row.tenant_id,
        type=row.type,
        body=session.open(row.id, row.body, bytes),
        created_at=row.created_at,
    )
    return Sequenced(message=message, seq=row.seq)
