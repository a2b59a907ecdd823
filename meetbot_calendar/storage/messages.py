"""The outbox: a message is written with the fact it tells, and one delivery per endpoint."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import insert, select, true, update

from meetbot_calendar.deliveries.model import (
    Endpoint,
    EndpointId,
    MessageId,
    MessageType,
)
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
) -> tuple[EndpointId, ...]:
    """Write messages in order, with their deliveries; returns the endpoints to ring for.

    The tenant's row is locked from here to the commit, so that ``seq`` is the order in which
    messages become visible: a reader who remembers the last one misses none. Nor does one who
    remembers its instant, for ``created_at`` never falls in that order. Call it last.
    """
    if not drafts:
        return ()
    first, at = await _reserve(session, len(drafts), now)
    listeners = await _listeners(session)
    told = [
        _message(session, at, MessageId(new_id("msg", now)), seq, draft)
        for seq, draft in enumerate(drafts, first)
    ]
    await session.execute(insert(messages), told)
    sent = [
        _delivery(session, now, message["id"], message["seq"], endpoint_id, draft)
        for message, draft in zip(told, drafts, strict=True)
        for endpoint_id, wanted in listeners
        if "*" in wanted or draft.type in wanted
    ]
    if sent:
        await session.execute(insert(deliveries), sent)
    return tuple(dict.fromkeys(EndpointId(row["endpoint_id"]) for row in sent))


async def write_to(
    session: TenantSession, now: datetime, draft: Draft, endpoint_id: EndpointId
) -> MessageId:
    """Write one message for one endpoint alone, whatever it subscribed to."""
    seq, at = await _reserve(session, 1, now)
    message_id = MessageId(new_id("msg", now))
    await session.execute(insert(messages), [_message(session, at, message_id, seq, draft)])
    sent = _delivery(session, now, message_id, seq, endpoint_id, draft)
    await session.execute(insert(deliveries), [sent])
    return message_id


async def add_missing(
    session: TenantSession, endpoint: Endpoint, since: datetime, now: datetime
) -> int:
    """Put on its way to an endpoint what was told since an instant and never sent to it."""
    sent = select(deliveries.c.id).where(
        deliveries.c.message_id == messages.c.id, deliveries.c.endpoint_id == endpoint.id
    )
    wanted = true() if "*" in endpoint.events else messages.c.type.in_(endpoint.events)
    statement = (
        select(messages.c.id, messages.c.seq, messages.c.type, messages.c.bot_id)
        .where(messages.c.created_at >= since, wanted, messages.c.type != "endpoint.test")
        .where(~sent.exists())
        .order_by(messages.c.seq)
    )
    missing = (await session.execute(statement)).all()
    rows = [
        _delivery(session, now, row.id, row.seq, endpoint.id, draft)
        for row in missing
        for draft in [Draft(type=row.type, body=b"", bot_id=row.bot_id)]
    ]
    if rows:
        await session.execute(insert(deliveries), rows)
    return len(rows)


async def hold(session: TenantSession) -> None:
    """Lock the tenant's row until the commit: who was writing has committed, who will waits.

    Every writer locks it first. Whoever locks an endpoint or deliveries besides does so after it,
    in this order, so that no two wait for each other.
    """
    ours = select(tenants.c.id).where(tenants.c.id == session.tenant_id)
    await session.execute(ours.with_for_update(key_share=True))


async def _reserve(session: TenantSession, count: int, now: datetime) -> tuple[int, datetime]:
    """Take the next places in the order; returns the first, and the instant that stands there.

    ``now`` was read before the wait for the row: another's message may meanwhile be of later.
    """
    statement = (
        update(tenants)
        .where(tenants.c.id == session.tenant_id)
        .values(message_seq=tenants.c.message_seq + count)
        .returning(tenants.c.message_seq)
    )
    last = int((await session.execute(statement)).scalar_one())
    latest = await _latest(session)
    return last - count + 1, max(now, latest or now)


async def _latest(session: TenantSession) -> datetime | None:
    statement = (
        select(messages.c.created_at)
        .where(messages.c.tenant_id == session.tenant_id)
        .order_by(messages.c.seq.desc())
        .limit(1)
    )
    found: datetime | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def _listeners(session: TenantSession) -> list[tuple[EndpointId, list[str]]]:
    columns = select(webhook_endpoints.c.id, webhook_endpoints.c.events)
    rows = await session.execute(columns.where(webhook_endpoints.c.status == "enabled"))
    return [(EndpointId(row.id), row.events) for row in rows]


def _message(
    session: TenantSession, at: datetime, message_id: MessageId, seq: int, draft: Draft
) -> dict[str, Any]:
    return {
        "id": message_id,
        "tenant_id": session.tenant_id,
        "seq": seq,
        "type": draft.type,
        "bot_id": draft.bot_id,
        "body": session.seal(message_id, draft.body),
        "created_at": at,
    }


def _delivery(
    session: TenantSession,
    now: datetime,
    message_id: MessageId,
    seq: int,
    endpoint_id: EndpointId,
    draft: Draft,
) -> dict[str, Any]:
    """Put one message on its way to one endpoint, due at once."""
    return {
        "id": new_id("dlv", now),
        "tenant_id": session.tenant_id,
        "message_id": message_id,
        "endpoint_id": endpoint_id,
        "seq": seq,
        "type": draft.type,
        "bot_id": draft.bot_id,
        "status": "pending",
        "due_at": now,
        "created_at": now,
        "updated_at": now,
    }
