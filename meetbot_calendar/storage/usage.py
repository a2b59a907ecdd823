"""What a tenant used: recorded seconds, bots by outcome, connections, in all and per person."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, func, select

from meetbot_calendar.storage.tables import bot_events, bots, connections
from tenants.identity import CalendarUserId
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users

_COUNT = func.count().label("number")
_SECONDS = func.sum(bots.c.duration_seconds).label("seconds")


class Used(msgspec.Struct, kw_only=True):
    """What was used; a bot that served several people counts once for each of them."""

    recorded_seconds: float = 0.0
    bots: dict[str, int] = msgspec.field(default_factory=dict)
    connections: int = 0


class UsedBy(Used, kw_only=True):
    """What one person used."""

    user_id: CalendarUserId
    customer_user_id: str


async def in_all(session: TenantSession, begin: datetime, end: datetime) -> Used:
    """Count bots that joined, or were to join, in ``[begin, end)``, each once."""
    used = Used()
    statement = select(bots.c.status, _COUNT, _SECONDS)
    rows = await session.execute(_between(statement, begin, end).group_by(bots.c.status))
    for row in rows:
        used.bots[row.status] = row.number
        used.recorded_seconds += row.seconds or 0.0
    standing = select(func.count()).where(connections.c.removed_at.is_(None))
    used.connections = (await session.execute(standing)).scalar_one()
    return used


async def by_person(session: TenantSession, begin: datetime, end: datetime) -> tuple[UsedBy, ...]:
    """Count the same for every person."""
    people = await session.execute(
        select(calendar_users.c.id, calendar_users.c.customer_user_id)
        .where(calendar_users.c.erased_at.is_(None))
        .order_by(calendar_users.c.id)
    )
    used = {row.id: UsedBy(user_id=row.id, customer_user_id=row.customer_user_id) for row in people}
    links = select(bot_events.c.bot_id, bot_events.c.user_id).distinct().subquery()
    statement = (
        select(links.c.user_id, bots.c.status, _COUNT, _SECONDS)
        .select_from(bots)
        .join(links, links.c.bot_id == bots.c.id)
    )
    grouped = _between(statement, begin, end).group_by(links.c.user_id, bots.c.status)
    for row in await session.execute(grouped):
        used[row.user_id].bots[row.status] = row.number
        used[row.user_id].recorded_seconds += row.seconds or 0.0
    standing = select(connections.c.user_id, _COUNT).where(connections.c.removed_at.is_(None))
    for row in await session.execute(standing.group_by(connections.c.user_id)):
        used[row.user_id].connections = row.number
    return tuple(used.values())


def _between(statement: Select[Any], begin: datetime, end: datetime) -> Select[Any]:
    return statement.where(bots.c.join_at >= begin, bots.c.join_at < end)
