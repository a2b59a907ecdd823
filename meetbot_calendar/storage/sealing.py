"""Seals the names that rows of before 20261128_names hold in clear, once for each tenant."""

from typing import Any

from sqlalchemy import ColumnElement, Row, Table, bindparam, select, update

from meetbot_calendar.storage import turns
from meetbot_calendar.storage.endpoints import sealed_about
from meetbot_calendar.storage.names import (
    AccountContent,
    CalendarContent,
    account_named,
    calendar_named,
    meeting_renamed,
)
from meetbot_calendar.storage.tables import (
    bots,
    calendars,
    connections,
    events,
    webhook_endpoints,
)
from tenants.storage import users
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users, tenants

_BATCH = 1000


async def seal_names(session: TenantSession) -> None:
    """Seal what a tenant's rows still tell, all at once: copies of a meeting must stay alike.

    Whoever comes second waits for the first, and finds it done.
    """
    if not await _in_clear(session):
        return
    await turns.take(session, "plan")
    if not await _in_clear(session):
        return
    await _seal_people(session)
    await _seal_endpoints(session)
    await _seal_connections(session)
    await _seal_calendars(session)
    for table in (events, bots):
        await _rename_meetings(session, table)
    await session.execute(
        update(tenants).where(tenants.c.id == session.tenant_id).values(names_in_clear=False)
    )


async def _in_clear(session: TenantSession) -> bool:
    statement = select(tenants.c.names_in_clear).where(tenants.c.id == session.tenant_id)
    return bool((await session.execute(statement)).scalar_one_or_none())


async def _seal_people(session: TenantSession) -> None:
    statement = select(calendar_users).where(calendar_users.c.about.is_(None))
    for row in (await session.execute(statement)).all():
        values: dict[str, Any] = {"about": users.told(session, row.id, row.customer_user_id)}
        if row.erased_at is None:
            values |= {"customer_user_id": users.named(session, row.customer_user_id)}
        await session.execute(
            update(calendar_users).where(calendar_users.c.id == row.id).values(values)
        )


async def _seal_endpoints(session: TenantSession) -> None:
    statement = select(webhook_endpoints).where(webhook_endpoints.c.about.is_(None))
    for row in (await session.execute(statement)).all():
        about = sealed_about(session, row.id, row.url, row.description)
        await session.execute(
            update(webhook_endpoints)
            .where(webhook_endpoints.c.id == row.id)
            .values(about=about, url=None, description=None)
        )


async def _seal_connections(session: TenantSession) -> None:
    statement = select(connections).where(connections.c.about.is_(None))
    for row in (await session.execute(statement)).all():
        about = AccountContent(account_id=row.account_id, name=row.name)
        await session.execute(
            update(connections)
            .where(connections.c.id == row.id)
            .values(
                account_id=account_named(session, row.account_id),
                about=session.seal(row.id, about),
                name=None,
            )
        )


async def _seal_calendars(session: TenantSession) -> None:
    statement = select(calendars).where(calendars.c.about.is_(None))
    for row in (await session.execute(statement)).all():
        about = CalendarContent(platform_id=row.platform_id, name=row.name or "")
        await session.execute(
            update(calendars)
            .where(calendars.c.id == row.id)
            .values(
                platform_id=calendar_named(session, row.platform_id),
                about=session.seal(row.id, about),
                name=None,
            )
        )


async def _rename_meetings(session: TenantSession, table: Table) -> None:
    change = update(table).where(table.c.id == bindparam("which"))
    statement = change.values(meeting_keys=bindparam("keys", type_=table.c.meeting_keys.type))
    edge = ""
    while rows := await _some_after(session, table, table.c.id > edge):
        edge = rows[-1].id
        given = [
            {"which": row.id, "keys": [meeting_renamed(session, key) for key in row.meeting_keys]}
            for row in rows
        ]
        await session.execute(statement, given)


async def _some_after(
    session: TenantSession, table: Table, after: ColumnElement[bool]
) -> list[Row[Any]]:
    statement = select(table.c.id, table.c.meeting_keys).where(after).order_by(table.c.id)
    return list((await session.execute(statement.limit(_BATCH))).all())
