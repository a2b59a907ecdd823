"""Deliveries of an endpoint that are set aside while it is disabled, and made due again."""

from datetime import datetime

from sqlalchemy import ColumnElement, select, update

from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.storage import endpoints
from meetbot_calendar.storage.tables import deliveries, messages
from tenants.storage.session import TenantSession


async def park(session: TenantSession, endpoint_id: EndpointId) -> None:
    """Keep an endpoint's deliveries, due no more until it is enabled again."""
    await session.execute(
        update(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.due_at.is_not(None))
        .values(due_at=None, status="pending", lease_id=None, lease_until=None)
    )


async def park_late(session: TenantSession, endpoint_id: EndpointId) -> None:
    """Park what was written to an endpoint by somebody who still saw it enabled."""
    endpoint = await endpoints.get(session, endpoint_id, lock=True)
    if endpoint is not None and endpoint.status != "enabled":
        await park(session, endpoint_id)


async def resume(session: TenantSession, endpoint_id: EndpointId, now: datetime) -> None:
    """Make the parked deliveries of an endpoint due."""
    statement = (
        update(deliveries)
        .where(
            deliveries.c.endpoint_id == endpoint_id,
            deliveries.c.status == "pending",
            deliveries.c.due_at.is_(None),
        )
        .values(due_at=now)
    )
    await session.execute(statement)


async def rearm_since(
    session: TenantSession, endpoint_id: EndpointId, since: datetime, now: datetime
) -> int:
    """Make due again every ended delivery to an endpoint of what was told since an instant."""
    told = select(messages.c.id).where(messages.c.created_at >= since)
    ended = deliveries.c.status.in_(["delivered", "exhausted", "cancelled"])
    return await _rearm(session, endpoint_id, ended & deliveries.c.message_id.in_(told), now)


async def rearm_given_up(
    session: TenantSession, endpoint_id: EndpointId, since: datetime, now: datetime
) -> int:
    """Make due again every delivery to an endpoint that was given up since an instant."""
    given_up = deliveries.c.status.in_(["exhausted", "cancelled"])
    return await _rearm(session, endpoint_id, given_up & (deliveries.c.updated_at >= since), now)


async def _rearm(
    session: TenantSession, endpoint_id: EndpointId, which: ColumnElement[bool], now: datetime
) -> int:
    statement = (
        update(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id, which)
        .values(status="pending", due_at=now, updated_at=now)
    )
    return (await session.execute(statement)).rowcount
