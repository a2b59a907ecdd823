"""What is stored of one person in all tables, and its deletion.

What somebody outside must still be asked to give back (a grant) outlives the person for that long,
under nobody's name; ``orphans`` does the same for bots that are out.
"""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Table, delete, exists, select, update

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.deliveries.model import Message, MessageId
from meetbot_calendar.storage.names import AccountContent, CalendarContent
from meetbot_calendar.storage.outbox import Sequenced, message_page, sequenced
from meetbot_calendar.storage.tables import (
    bot_events,
    bots,
    calendars,
    connections,
    events,
    messages,
)
from tenants.identity import CalendarUserId
from tenants.storage import idempotency, users
from tenants.storage.paging import Keyset
from tenants.storage.session import TenantSession
from tenants.storage.tables import calendar_users, metadata

_BATCH = 500
_SHELL = {"calendars", "connections"}
_OF_PERSON = [
    table
    for table in reversed(metadata.sorted_tables)
    if "user_id" in table.columns and table.name not in _SHELL
]
_ID = re.compile(rb"[a-z]{3}_[0-9a-z]{26}")


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What a person and their things are called: ours, and the tenant's own."""

    user_id: CalendarUserId
    customer_user_id: str
    ids: frozenset[str]


class _Data(msgspec.Struct, frozen=True):
    meetbot_calendar_user_id: str | None = None


class _Body(msgspec.Struct, frozen=True):
    data: _Data


async def bots_of(session: TenantSession, user_id: CalendarUserId) -> tuple[BotId, ...]:
    """Return the bots that served this person and nobody else."""
    theirs = select(bot_events.c.bot_id).where(bot_events.c.user_id == user_id)
    shared = select(bot_events.c.bot_id).where(bot_events.c.user_id != user_id)
    statement = select(bots.c.id).where(bots.c.id.in_(theirs), bots.c.id.not_in(shared))
    return tuple(BotId(row.id) for row in await session.execute(statement))


async def messages_of(
    session: TenantSession, user_id: CalendarUserId, bot_ids: Iterable[str]
) -> AsyncIterator[Message]:
    """Give every message that tells of this person, or of a bot of theirs.

    Bodies are sealed, so all of the tenant's messages are opened to find them.
    """
    theirs = frozenset(bot_ids)
    keyset = Keyset(limit=_BATCH)
    while True:
        page = await message_page(session, None, None, keyset)
        for row in page.rows:
            found: Sequenced = sequenced(session, row)
            if row.bot_id in theirs or _tells_of(found.message, user_id):
                yield found.message
        if not page.has_next:
            return
        keyset = Keyset(limit=_BATCH, edge=(page.rows[-1].seq,))


def _tells_of(message: Message, user_id: CalendarUserId) -> bool:
    body = msgspec.json.decode(message.body, type=_Body)
    return body.data.meetbot_calendar_user_id == user_id


async def erase_messages(session: TenantSession, message_ids: Iterable[MessageId]) -> None:
    """Delete messages with their deliveries."""
    await session.execute(delete(messages).where(messages.c.id.in_(list(message_ids))))


async def erase_answers(session: TenantSession, theirs: Names) -> None:
    """Delete the answers that are kept for this person's keys, and those that name them.

    Answers are sealed, so all that the tenant had within a day are opened to find them.
    """
    own_key = f"{theirs.user_id}:"
    said = msgspec.json.encode(theirs.customer_user_id)
    async for key, answer in idempotency.kept(session):
        named = {found.decode() for found in _ID.findall(answer.body)}
        if key.startswith(own_key) or said in answer.body or named & theirs.ids:
            await idempotency.forget(session, key)


async def names_of(session: TenantSession, user_id: CalendarUserId) -> Names:
    """Return every name under which something of this person may have been told."""
    customer_user_id = await users.customer_id(session, user_id)
    ids = {str(user_id)}
    for table in (connections, calendars, events):
        rows = await session.execute(select(table.c.id).where(table.c.user_id == user_id))
        ids |= {row.id for row in rows}
    linked = select(bot_events.c.bot_id).where(bot_events.c.user_id == user_id)
    ids |= {row.bot_id for row in await session.execute(linked)}
    return Names(user_id=user_id, customer_user_id=customer_user_id, ids=frozenset(ids))


async def empty(session: TenantSession, user_id: CalendarUserId, now: datetime) -> None:
    """Take everything from a person's rows but what a farewell to their providers needs.

    The shell that stays has no name, cannot be found, and goes with the last farewell.
    """
    for table in _OF_PERSON:
        await session.execute(delete(table).where(table.c.user_id == user_id))
    for row in await _of(session, calendars, user_id):
        bare = session.seal(row.id, CalendarContent(platform_id=row.id, name=""))
        forgotten = dict.fromkeys(("cursor", "timezone", "error_detail"))
        await session.execute(
            update(calendars)
            .where(calendars.c.id == row.id)
            .values(platform_id=row.id, about=bare, **forgotten)
        )
    for row in await _of(session, connections, user_id):
        bare = session.seal(row.id, AccountContent(account_id=row.id))
        await session.execute(
            update(connections)
            .where(connections.c.id == row.id)
            .values(account_id=row.id, about=bare, error_detail=None)
        )
    await session.execute(
        update(calendar_users)
        .where(calendar_users.c.id == user_id)
        .values(
            customer_user_id=calendar_users.c.id,
            about=users.told(session, user_id, user_id),
            content=None,
            auto_schedule=False,
            erased_at=now,
            updated_at=now,
        )
    )
    await finish(session, user_id)


async def _of(session: TenantSession, table: Table, user_id: CalendarUserId) -> Sequence[Row[Any]]:
    return (await session.execute(select(table.c.id).where(table.c.user_id == user_id))).all()


async def finish(session: TenantSession, user_id: CalendarUserId) -> bool:
    """Delete an erased person's shell once no farewell waits any more; True where this did it."""
    waiting = exists().where(
        connections.c.user_id == calendar_users.c.id, connections.c.due_at.is_not(None)
    )
    statement = delete(calendar_users).where(
        calendar_users.c.id == user_id, calendar_users.c.erased_at.is_not(None), ~waiting
    )
    return (await session.execute(statement)).rowcount == 1
