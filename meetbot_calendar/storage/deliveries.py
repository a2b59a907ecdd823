"""Deliveries on their way: claimed, attempted, recorded; and the health of their endpoints."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import DateTime, Row, Text, exists, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from meetbot_calendar.deliveries.attempts import Health
from meetbot_calendar.deliveries.model import (
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Endpoint,
    EndpointId,
)
from meetbot_calendar.storage import endpoints, parking
from meetbot_calendar.storage.tables import (
    deliveries,
    delivery_attempts,
    messages,
    webhook_endpoints,
)
from tenants.identity import TenantId
from tenants.storage.session import SweepSession, TenantSession


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is ours to attempt: where to, and the exact bytes."""

    delivery: Delivery
    endpoint: Endpoint
    body: bytes
    lease_id: str


async def claim(
    session: TenantSession,
    endpoint_id: EndpointId,
    *,
    most: int,
    lease_id: str,
    now: datetime,
    until: datetime,
) -> tuple[Parcel, ...]:
    """Take deliveries to an enabled endpoint that are due and in nobody's hands, longest due first.

    Two who reach at the same time get different ones. What is told of one bot goes one after the
    other: a message waits while an earlier one is due or under way, but not for its retry.
    """
    endpoint = await endpoints.get(session, endpoint_id)
    if endpoint is None or most < 1:
        return ()
    if endpoint.status != "enabled":
        await parking.park_late(session, endpoint_id)
        return ()
    earlier = deliveries.alias()
    before_it = exists().where(
        earlier.c.endpoint_id == endpoint_id,
        earlier.c.bot_id == deliveries.c.bot_id,
        earlier.c.due_at <= now,
        earlier.c.seq < deliveries.c.seq,
    )
    free = (
        select(deliveries.c.id)
        .where(
            deliveries.c.endpoint_id == endpoint_id,
            deliveries.c.status.in_(["pending", "delivering"]),
            deliveries.c.due_at <= now,
            or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= now),
            ~before_it,
        )
        .order_by(deliveries.c.due_at, deliveries.c.seq)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    taken = (await session.execute(free)).scalars().all()
    if not taken:
        return ()
    statement = (
        update(deliveries)
        .where(deliveries.c.id.in_(taken))
        .values(
            status="delivering",
            lease_id=lease_id,
            lease_until=until,
        )
        .returning(deliveries)
    )
    rows = (await session.execute(statement)).all()
    return await _parcels(session, endpoint, rows, lease_id)


async def _parcels(
    session: TenantSession, endpoint: Endpoint, rows: Sequence[Row[Any]], lease_id: str
) -> tuple[Parcel, ...]:
    told = [row.message_id for row in rows]
    sealed = await session.execute(
        select(messages.c.id, messages.c.body).where(messages.c.id.in_(told))
    )
    bodies = {row.id: session.open(row.id, row.body, bytes) for row in sealed}
    return tuple(
        Parcel(
            delivery=delivery_of(row),
            endpoint=endpoint,
            body=bodies[row.message_id],
            lease_id=lease_id,
        )
        for row in sorted(rows, key=lambda row: (row.due_at, row.seq))
    )


async def prolong(
    session: TenantSession, endpoint_id: EndpointId, lease_id: str, until: datetime
) -> None:
    """Keep for longer what is still in our hands."""
    ours = (deliveries.c.endpoint_id == endpoint_id, deliveries.c.lease_id == lease_id)
    await session.execute(update(deliveries).where(*ours).values(lease_until=until))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that was made, and what follows it."""

    parcel: Parcel
    attempt: Attempt
    status: DeliveryStatus
    due_at: datetime | None


async def record(
    session: TenantSession, outcomes: Sequence[Outcome], now: datetime
) -> frozenset[DeliveryId]:
    """Write attempts and what follows them; returns the deliveries that were still ours."""
    given = func.unnest(
        literal([each.parcel.delivery.id for each in outcomes], ARRAY(Text)),
        literal([each.parcel.lease_id for each in outcomes], ARRAY(Text)),
        literal([each.status for each in outcomes], ARRAY(Text)),
        literal([each.due_at for each in outcomes], ARRAY(DateTime(timezone=True))),
    ).table_valued("id", "lease_id", "status", "due_at")
    told = given.render_derived(name="told")
    statement = (
        update(deliveries)
        .where(deliveries.c.id == told.c.id, deliveries.c.lease_id == told.c.lease_id)
        .values(
            status=told.c.status,
            due_at=told.c.due_at,
            attempts_made=deliveries.c.attempts_made + 1,  # one that a dying worker made is none
            lease_id=None,
            lease_until=None,
            updated_at=now,
        )
        .returning(deliveries.c.id)
    )
    ours = frozenset(DeliveryId(row.id) for row in await session.execute(statement))
    rows = [_attempt_row(session, o) for o in outcomes if o.parcel.delivery.id in ours]
    if rows:
        await session.execute(insert(delivery_attempts), rows)
    return ours


def _attempt_row(session: TenantSession, outcome: Outcome) -> dict[str, Any]:
    attempt, delivery_id = outcome.attempt, outcome.parcel.delivery.id
    said = attempt.excerpt
    return {
        "tenant_id": session.tenant_id,
        "delivery_id": delivery_id,
        "number": attempt.number,
        "at": attempt.at,
        "status_code": attempt.status_code,
        "latency_ms": attempt.latency_ms,
        "error": attempt.error,
        "excerpt": None if said is None else session.seal(delivery_id, said),
    }


async def set_health(
    session: TenantSession, endpoint_id: EndpointId, health: Health, now: datetime
) -> bool:
    """Write how an endpoint stands; True where this disabled it."""
    values: dict[str, Any] = {"failing_since": health.failing_since}
    if health.disabled_reason is not None:
        values |= {"status": "disabled", "disabled_reason": health.disabled_reason}
    statement = (
        update(webhook_endpoints)
        .where(
            webhook_endpoints.c.id == endpoint_id,
            webhook_endpoints.c.status == "enabled",
        )
        .values(updated_at=now, **values)
    )
    changed = (await session.execute(statement)).rowcount == 1
    if not changed or health.disabled_reason is None:
        return False
    await parking.park(session, endpoint_id)
    return True


async def failing_since(
    session: TenantSession, endpoint_id: EndpointId, *, lock: bool = False
) -> datetime | None:
    """Say since when an endpoint fails; ``lock`` as in ``endpoints.get``."""
    ours = webhook_endpoints.c.id == endpoint_id
    statement = select(webhook_endpoints.c.failing_since).where(ours)
    if lock:
        statement = statement.with_for_update(key_share=True)
    found: datetime | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def rearm(session: TenantSession, delivery_id: DeliveryId, now: datetime) -> Delivery | None:
    """Make an ended delivery due again, with its attempts kept; None where there is none."""
    statement = (
        update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(status="pending", due_at=now, updated_at=now)
        .returning(deliveries)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else delivery_of(row)


async def due(
    session: SweepSession, now: datetime, limit: int
) -> Sequence[tuple[TenantId, EndpointId]]:
    """Say to which endpoints deliveries are due that are in nobody's hands.

    However much is due to one endpoint, it is one place in the list.
    """
    first = func.min(deliveries.c.due_at)
    statement = (
        select(deliveries.c.tenant_id, deliveries.c.endpoint_id)
        .where(
            deliveries.c.due_at <= now,
            or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= now),
        )
        .group_by(deliveries.c.tenant_id, deliveries.c.endpoint_id)
        .order_by(first)
        .limit(limit)
    )
    rows = await session.execute(statement)
    return [(TenantId(r.tenant_id), EndpointId(r.endpoint_id)) for r in rows]


def delivery_of(row: Row[Any]) -> Delivery:
    """Turn a row into a delivery."""
    return Delivery(
        id=row.id,
        tenant_id=row.tenant_id,
        message_id=row.message_id,
        endpoint_id=row.endpoint_id,
        type=row.type,
        status=row.status,
        attempts_made=row.attempts_made,
        next_attempt_at=row.due_at,
        bot_id=row.bot_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
