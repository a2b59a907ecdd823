"""Read-only pictures of a whole tenant for the admin page."""

from datetime import datetime

import msgspec
from sqlalchemy import func, select

from meetbot_calendar.bots.model import Bot
from meetbot_calendar.calendars.model import Connection
from meetbot_calendar.deliveries.model import Delivery
from meetbot_calendar.storage import bot_lists
from meetbot_calendar.storage.connections import connection_of, present
from meetbot_calendar.storage.deliveries import delivery_of
from meetbot_calendar.storage.endpoints import about_of
from meetbot_calendar.storage.tables import bots, connections, deliveries, webhook_endpoints
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users

_WAITING = ("scheduled", "dispatching", "dispatched", "joined")


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that did not arrive, and the address it did not arrive at."""

    delivery: Delivery
    url: str


async def health(session: TenantSession) -> dict[str, int]:
    """Count connections by their status."""
    statement = select(connections.c.status, func.count().label("number")).where(
        connections.c.removed_at.is_(None)
    )
    rows = await session.execute(statement.group_by(connections.c.status))
    return {row.status: row.number for row in rows}


async def people(session: TenantSession) -> int:
    """Count calendar users."""
    counted = await session.execute(select(func.count()).select_from(calendar_users))
    return int(counted.scalar_one())


async def ailing(session: TenantSession, limit: int) -> tuple[Connection, ...]:
    """Return connections that need somebody, those longest so first."""
    statement = present().where(connections.c.status != "active")
    ordered = statement.order_by(connections.c.updated_at, connections.c.id).limit(limit)
    return tuple(connection_of(session, row) for row in await session.execute(ordered))


async def coming(session: TenantSession, now: datetime, limit: int) -> tuple[Bot, ...]:
    """Return the bots that are out or next to leave, soonest first."""
    statement = (
        select(bots)
        .where(bots.c.end_at > now, bots.c.status.in_(_WAITING))
        .order_by(bots.c.join_at, bots.c.id)
        .limit(limit)
    )
    return await bot_lists.listed(session, (await session.execute(statement)).all())


async def failing(session: TenantSession, limit: int) -> tuple[Failing, ...]:
    """Return deliveries that were tried in vain, newest first."""
    statement = (
        select(deliveries, webhook_endpoints.c.about)
        .join(webhook_endpoints, webhook_endpoints.c.id == deliveries.c.endpoint_id)
        .where(
            deliveries.c.attempts_made > 0,
            deliveries.c.status.in_(("pending", "delivering", "exhausted")),
        )
        .order_by(deliveries.c.id.desc())
        .limit(limit)
    )
    rows = await session.execute(statement)
    return tuple(
        Failing(delivery=delivery_of(row), url=about_of(session, row.endpoint_id, row.about).url)
        for row in rows
    )
