"""What a tenant used: recorded seconds, bots by outcome, connections, in all and per person.

What a bot used is kept when the bot is not: retention and erasure write it off first.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import ARRAY, Select, Text, cast, func, select, union_all, update
from sqlalchemy.dialects.postgresql import array, insert

from meetbot_calendar.bots.model import FINAL
from meetbot_calendar.storage.tables import bot_events, bots, connections, past_bots
from tenants.identity import CalendarUserId
from tenants.storage import users
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users

_COUNT = func.count().label("number")
_USED = ("id", "status", "join_at", "duration_seconds")


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
    held = union_all(
        select(*(bots.c[name] for name in _USED)), select(*(past_bots.c[name] for name in _USED))
    ).subquery()
    seconds = func.sum(held.c.duration_seconds).label("seconds")
    statement = (
        select(held.c.status, _COUNT, seconds)
        .where(held.c.join_at >= begin, held.c.join_at < end)
        .group_by(held.c.status)
    )
    for row in await session.execute(statement):
        used.bots[row.status] = row.number
        used.recorded_seconds += row.seconds or 0.0
    standing = select(func.count()).where(connections.c.removed_at.is_(None))
    used.connections = (await session.execute(standing)).scalar_one()
    return used


async def by_person(session: TenantSession, begin: datetime, end: datetime) -> tuple[UsedBy, ...]:
    """Count the same for every person."""
    people = await session.execute(
        select(calendar_users.c.id, calendar_users.c.about)
        .where(calendar_users.c.erased_at.is_(None))
        .order_by(calendar_users.c.id)
    )
    used = {
        row.id: UsedBy(
            user_id=row.id, customer_user_id=users.customer_id_of(session, row.id, row.about)
        )
        for row in people
    }
    held = union_all(_served(), _once_served()).subquery()
    seconds = func.sum(held.c.duration_seconds).label("seconds")
    statement = (
        select(held.c.user_id, held.c.status, _COUNT, seconds)
        .where(held.c.join_at >= begin, held.c.join_at < end)
        .group_by(held.c.user_id, held.c.status)
    )
    for row in await session.execute(statement):
        if row.user_id in used:
            used[row.user_id].bots[row.status] = row.number
            used[row.user_id].recorded_seconds += row.seconds or 0.0
    standing = select(connections.c.user_id, _COUNT).where(connections.c.removed_at.is_(None))
    for row in await session.execute(standing.group_by(connections.c.user_id)):
        used[row.user_id].connections = row.number
    return tuple(used.values())


def _served() -> Select[tuple[str, str, datetime, float]]:
    links = select(bot_events.c.bot_id, bot_events.c.user_id).distinct().subquery()
    return select(
        links.c.user_id, bots.c.status, bots.c.join_at, bots.c.duration_seconds
    ).join_from(bots, links, links.c.bot_id == bots.c.id)


def _once_served() -> Select[tuple[str, str, datetime, float]]:
    user_id = func.unnest(past_bots.c.user_ids).label("user_id")
    return select(user_id, past_bots.c.status, past_bots.c.join_at, past_bots.c.duration_seconds)


async def write_off(session: TenantSession, bot_ids: Iterable[str]) -> None:
    """Keep what bots used that have ended and are about to be deleted."""
    served = (
        select(func.array_agg(bot_events.c.user_id.distinct()))
        .where(bot_events.c.bot_id == bots.c.id)
        .correlate(bots)
        .scalar_subquery()
    )
    nobody = cast(array([]), ARRAY(Text))
    ended = select(
        bots.c.tenant_id,
        *(bots.c[name] for name in _USED),
        func.coalesce(served, nobody),
    ).where(bots.c.id.in_(list(bot_ids)), bots.c.status.in_(FINAL))
    statement = insert(past_bots).from_select(["tenant_id", *_USED, "user_ids"], ended)
    await session.execute(statement.on_conflict_do_nothing())


async def unname(session: TenantSession, user_id: CalendarUserId) -> None:
    """Take a person from whom past bots served; what these used stays the tenant's."""
    await session.execute(
        update(past_bots)
        .where(past_bots.c.user_ids.contains([user_id]))
        .values(user_ids=func.array_remove(past_bots.c.user_ids, user_id))
    )
