"""Answers kept for a day, so that a repeated request is answered and not done again."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tenants.storage.session import TenantSession
from tenants.storage.tables import idempotency_keys

KEPT = timedelta(hours=24)


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it was given."""

    status: int
    content_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"KeptAnswer({self.status}, {len(self.body)} bytes)"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier request under the same key; no answer while it is still at work."""

    fingerprint: bytes
    answer: KeptAnswer | None


async def claim(
    session: TenantSession, key: str, fingerprint: bytes, *, now: datetime, patience: timedelta
) -> Known | None:
    """Take a key; None where it is ours now, else what stands under it.

    A key is free again a day after its first request, or when that request has been at work for
    longer than ``patience`` without an answer: whoever did it has died.
    """
    dead = and_(
        idempotency_keys.c.status.is_(None), idempotency_keys.c.created_at <= now - patience
    )
    fresh = {"fingerprint": fingerprint, "status": None, "answer": None, "created_at": now}
    statement = (
        upsert(idempotency_keys)
        .values(tenant_id=session.tenant_id, key=key, **fresh)
        .on_conflict_do_update(
            index_elements=["tenant_id", "key"],
            set_=fresh,
            where=or_(idempotency_keys.c.created_at <= now - KEPT, dead),
        )
        .returning(idempotency_keys.c.key)
    )
    if (await session.execute(statement)).one_or_none() is not None:
        return None
    return await _known(session, key)


async def _known(session: TenantSession, key: str) -> Known:
    statement = select(idempotency_keys).where(idempotency_keys.c.key == key)
    return _known_of(session, (await session.execute(statement)).one())


def _known_of(session: TenantSession, row: Row[Any]) -> Known:
    answer = None
    if row.answer is not None:
        answer = session.open(_seal_name(row.key), row.answer, KeptAnswer)
    return Known(fingerprint=row.fingerprint, answer=answer)


async def keep(session: TenantSession, key: str, answer: KeptAnswer) -> None:
    """Keep the answer that was given under a key of ours."""
    await session.execute(
        update(idempotency_keys)
        .where(idempotency_keys.c.key == key)
        .values(status=answer.status, answer=session.seal(_seal_name(key), answer))
    )


async def let_go(session: TenantSession, key: str) -> None:
    """Free a key whose request changed nothing."""
    await session.execute(
        delete(idempotency_keys).where(
            idempotency_keys.c.key == key, idempotency_keys.c.status.is_(None)
        )
    )


async def kept(session: TenantSession) -> AsyncIterator[tuple[str, KeptAnswer]]:
    """Give every answer that is kept, with its key."""
    statement = select(idempotency_keys).where(idempotency_keys.c.answer.is_not(None))
    for row in (await session.execute(statement)).all():
        if (answer := _known_of(session, row).answer) is not None:
            yield row.key, answer


async def forget(session: TenantSession, key: str) -> None:
    """Forget an answer: the request may be done again."""
    await session.execute(delete(idempotency_keys).where(idempotency_keys.c.key == key))


def _seal_name(key: str) -> str:
    return f"answer:{key}"
