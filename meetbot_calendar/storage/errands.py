"""Errands: what the API asks of the worker, sealed, and what came of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, insert, select, update

from meetbot_calendar.storage.tables import errands
from tenants.identity import TenantId, new_id
from tenants.storage.session import SweepSession, TenantSession

_KEPT = timedelta(minutes=2)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done: of which kind, and for what, in that kind's own terms."""

    kind: str
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; with ``error``, the name of what went wrong, there is no ``body``."""

    body: bytes = b""
    error: str | None = None
    detail: str = ""
    code: str = ""
    after: timedelta | None = None


async def ask(session: TenantSession, question: Question, now: datetime) -> str:
    """Write an errand down, due at once; returns its id."""
    errand_id = new_id("erd", now)
    await session.execute(
        insert(errands).values(
            id=errand_id,
            tenant_id=session.tenant_id,
            question=session.seal(errand_id, question),
            due_at=now,
            created_at=now,
        )
    )
    return errand_id


async def claim(
    session: TenantSession, errand_id: str, now: datetime, until: datetime
) -> Question | None:
    """Take an errand that is due; None where it is answered, taken, or nobody waits any more."""
    await session.execute(
        delete(errands).where(errands.c.id == errand_id, errands.c.created_at <= now - _KEPT)
    )
    statement = (
        update(errands)
        .where(errands.c.id == errand_id, errands.c.answer.is_(None), errands.c.due_at <= now)
        .values(due_at=until)
        .returning(errands.c.question)
    )
    sealed = (await session.execute(statement)).scalar_one_or_none()
    return None if sealed is None else session.open(errand_id, sealed, Question)


async def settle(session: TenantSession, errand_id: str, answer: Answer) -> None:
    """Write down what came of an errand; if nobody fetches it, it is deleted when it is old."""
    await session.execute(
        update(errands)
        .where(errands.c.id == errand_id, errands.c.answer.is_(None))
        .values(answer=session.seal(errand_id, answer), due_at=errands.c.created_at + _KEPT)
    )


async def fetch(session: TenantSession, errand_id: str) -> Answer | None:
    """Return the answer and delete the errand; None where there is none yet."""
    statement = select(errands.c.answer).where(errands.c.id == errand_id)
    sealed = (await session.execute(statement)).scalar_one_or_none()
    if sealed is None:
        return None
    await drop(session, errand_id)
    return session.open(errand_id, sealed, Answer)


async def drop(session: TenantSession, errand_id: str) -> None:
    """Delete an errand: nobody waits for it."""
    await session.execute(delete(errands).where(errands.c.id == errand_id))


async def due(session: SweepSession, now: datetime, limit: int) -> Sequence[tuple[TenantId, str]]:
    """Say which errands are to be done, or to be deleted."""
    statement = (
        select(errands.c.tenant_id, errands.c.id)
        .where(errands.c.due_at <= now)
        .order_by(errands.c.due_at)
        .limit(limit)
    )
    return [(TenantId(row.tenant_id), row.id) for row in await session.execute(statement)]
