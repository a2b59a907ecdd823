"""What is stored of one person outside of their own rows: bots and messages; and its deletion."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec
from sqlalchemy import delete, select

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.deliveries.model import Message, MessageId
from meetbot_calendar.storage.outbox import Sequenced, message_page, sequenced
from meetbot_calendar.storage.tables import bot_events, bots, messages
from tenants.identity import CalendarUserId
from tenants.storage.paging import Keyset
from tenants.storage.session import TenantSession
from tenants.storage.tables import idempotency_keys

_BATCH = 500


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


async def erase_bots(session: TenantSession, bot_ids: Iterable[BotId]) -> None:
    """Delete bots for good."""
    await session.execute(delete(bots).where(bots.c.id.in_(list(bot_ids))))


async def erase_messages(session: TenantSession, message_ids: Iterable[MessageId]) -> None:
    """Delete messages with their deliveries."""
    await session.execute(delete(messages).where(messages.c.id.in_(list(message_ids))))


async def erase_answers(session: TenantSession, user_id: CalendarUserId) -> None:
    """Delete the answers that are kept for this person's own keys."""
    theirs: Any = idempotency_keys.c.key.startswith(f"{user_id}:", autoescape=True)
    await session.execute(delete(idempotency_keys).where(theirs))
