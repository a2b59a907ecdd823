"""The outbox: a message is written with the fact it tells, and one delivery per endpoint."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import insert, select, update

from meetbot_calendar.deliveries.model import DeliveryId, EndpointId, MessageId, MessageType
from meetbot_calendar.storage.tables import deliveries, messages, webhook_endpoints
from tenants.identity import new_id
from tenants.storage.session import TenantSession
from tenants.storage.tables import tenants


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message about to be written: its exact bytes and what it is about."""

    type: MessageType
    body: bytes
    bot_id: str | None = None


async def write(
    session: TenantSession, now: datetime, drafts: Sequence[Draft]
) -> tuple[DeliveryId, ...]:
    """Write messages in order, with their deliveries; returns the deliveries to ring for.

    The tenant's row is locked from here to the commit, so that ``seq`` is the order in which
    messages become visible: a reader who remembers the last one misses none. Call it last.
    """
    if not drafts:
        return ()
    last = await _reserve(session, len(drafts))
    listeners = await _listeners(session)
    written: list[DeliveryId] = []
    for seq, draft in enumerate(drafts, start=last - len(drafts) + 1):
        message_id = await _write_message(session, now, seq, draft)
        for endpoint_id, wanted in listeners:
            if "*" in wanted or draft.type in wanted:
                written.append(await add_delivery(session, now, message_id, endpoint_id, draft))
    return tuple(written)


async def write_to(
    session: TenantSession, now: datetime, draft: Draft, endpoint_id: EndpointId
) -> tuple[MessageId, DeliveryId]:
    """Write one message for one endpoint alone, whatever it subscribed to."""
    seq = await _reserve(session, 1)
    message_id = await _write_message(session, now, seq, draft)
    return message_id, await add_delivery(session, now, message_id, endpoint_id, draft)


async def _reserve(session: TenantSession, count: int) -> int:
    statement = (
        update(tenants)
        .where(tenants.c.id == session.tenant_id)
        .values(message_seq=tenants.c.message_seq + count)
        .returning(tenants.c.message_seq)
    )
    return int((await session.execute(statement)).scalar_one())


async def _listeners(session: TenantSession) -> list[tuple[EndpointId, list[str]]]:
    columns = select(webhook_endpoints.c.id, webhook_endpoints.c.events)
    rows = await session.execute(columns.where(webhook_endpoints.c.status == "enabled"))
    return [(EndpointId(row.id), row.events) for row in rows]


async def _write_message(
    session: TenantSession, now: datetime, seq: int, draft: Draft
) -> MessageId:
    message_id = MessageId(new_id("msg", now))
    await session.execute(
        insert(messages).values(
            id=message_id,
            tenant_id=session.tenant_id,
            seq=seq,
            type=draft.type,
            bot_id=draft.bot_id,
            body=session.seal(message_id, draft.body),
            created_at=now,
        )
    )
    return message_id


async def add_delivery(
    session: TenantSession,
    now: datetime,
    message_id: MessageId,
    endpoint_id: EndpointId,
    draft: Draft,
) -> DeliveryId:
    """Put one message on its way to one endpoint, due at once."""
    delivery_id = DeliveryId(new_id("dlv", now))
    await session.execute(
        insert(deliveries).values(
            id=delivery_id,
            tenant_id=session.tenant_id,
            message_id=message_id,
            endpoint_id=endpoint_id,
            type=draft.type,
            bot_id=draft.bot_id,
            status="pending",
            due_at=now,
            created_at=now,
            updated_at=now,
        )
    )
    return delivery_id
