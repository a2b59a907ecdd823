"""Calendar users: the people of a tenant, by our id and by the tenant's own."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Select, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tenants.identity import CalendarUser, CalendarUserId, new_id
from tenants.storage.paging import Keyset, Page, page_of
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users


class UserContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant told of a person: everything of it that is stored sealed."""

    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    bot_config: dict[str, Any] = msgspec.field(default_factory=dict)


async def get(
    session: TenantSession, user_id: CalendarUserId, *, lock: bool = False
) -> CalendarUser | None:
    """Return one person; ``lock`` keeps others from changing the row until the commit.

    One who is erased is not found, here as in every list.
    """
    statement = _present().where(calendar_users.c.id == user_id)
    if lock:
        statement = statement.with_for_update()
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else user_of(session, row)


async def known(session: TenantSession, user_id: CalendarUserId) -> CalendarUser:
    """Return a person who is known to exist."""
    statement = select(calendar_users).where(calendar_users.c.id == user_id)
    return user_of(session, (await session.execute(statement)).one())


async def by_customer_id(session: TenantSession, customer_user_id: str) -> CalendarUser | None:
    """Return the person whom the tenant knows by this id."""
    statement = _present().where(
        calendar_users.c.customer_user_id == named(session, customer_user_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else user_of(session, row)


async def first(session: TenantSession, count: int) -> tuple[CalendarUser, ...]:
    """Return the tenant's oldest people, up to ``count``."""
    statement = _present().order_by(calendar_users.c.id).limit(count)
    return tuple(user_of(session, row) for row in await session.execute(statement))


async def page(session: TenantSession, keyset: Keyset, customer_user_id: str | None = None) -> Page:
    """List people, newest first."""
    statement = _present()
    if customer_user_id is not None:
        statement = statement.where(
            calendar_users.c.customer_user_id == named(session, customer_user_id)
        )
    return await page_of(session, statement, [calendar_users.c.id], keyset, descending=True)


async def ensure(
    session: TenantSession, customer_user_id: str, now: datetime
) -> tuple[CalendarUser, bool]:
    """Return the person with this id of the tenant's, made where there was none; True if made."""
    user_id = CalendarUserId(new_id("mcu", now))
    statement = (
        upsert(calendar_users)
        .values(
            id=user_id,
            tenant_id=session.tenant_id,
            customer_user_id=named(session, customer_user_id),
            about=told(session, user_id, customer_user_id),
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "customer_user_id"])
    )
    await session.execute(statement)
    by_their_id = select(calendar_users).where(
        calendar_users.c.customer_user_id == named(session, customer_user_id)
    )
    row = (await session.execute(by_their_id)).one()
    return user_of(session, row), row.id == user_id


async def save_content(
    session: TenantSession, user_id: CalendarUserId, content: UserContent, now: datetime
) -> None:
    """Replace what is told of a person."""
    await session.execute(
        update(calendar_users)
        .where(calendar_users.c.id == user_id)
        .values(content=session.seal(user_id, content), updated_at=now)
    )


async def set_auto_schedule(
    session: TenantSession, user_id: CalendarUserId, *, on: bool, now: datetime
) -> None:
    """Remember whether a person has everything scheduled that no rule speaks of."""
    await session.execute(
        update(calendar_users)
        .where(calendar_users.c.id == user_id)
        .values(auto_schedule=on, updated_at=now)
    )


async def customer_id(session: TenantSession, user_id: CalendarUserId) -> str:
    """Return the tenant's own id of a person who is known to exist."""
    statement = select(calendar_users.c.about).where(calendar_users.c.id == user_id)
    return customer_id_of(session, user_id, (await session.execute(statement)).scalar_one())


async def some(
    session: TenantSession, user_ids: Collection[CalendarUserId]
) -> dict[CalendarUserId, CalendarUser]:
    """Return people by id."""
    statement = select(calendar_users).where(calendar_users.c.id.in_(list(user_ids)))
    return {row.id: user_of(session, row) for row in await session.execute(statement)}


async def event_seq(session: TenantSession, user_id: CalendarUserId) -> int | None:
    """Return how many changes of a person's events are visible; None where there is no person."""
    statement = select(calendar_users.c.event_seq).where(calendar_users.c.id == user_id)
    found: int | None = (await session.execute(statement)).scalar_one_or_none()
    return found


def named(session: TenantSession, customer_user_id: str) -> str:
    """Return what stands for the tenant's own id of a person in their row."""
    return session.name("person", customer_user_id)


def told(session: TenantSession, user_id: CalendarUserId, customer_user_id: str) -> bytes:
    """Seal the tenant's own id of a person, to be shown."""
    return session.seal(f"name:{user_id}", customer_user_id)


def customer_id_of(session: TenantSession, user_id: CalendarUserId, about: bytes) -> str:
    """Open what ``told`` made."""
    return session.open(f"name:{user_id}", about, str)


def _present() -> Select[Any]:
    return select(calendar_users).where(calendar_users.c.erased_at.is_(None))


def user_of(session: TenantSession, row: Row[Any]) -> CalendarUser:
    """Turn a row into a person."""
    content = UserContent()
    if row.content is not None:
        content = session.open(row.id, row.content, UserContent)
    return CalendarUser(
        id=row.id,
        tenant_id=row.tenant_id,
        customer_user_id=customer_id_of(session, row.id, row.about),
        attributes=content.attributes,
        bot_config=content.bot_config,
        auto_schedule=row.auto_schedule,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
