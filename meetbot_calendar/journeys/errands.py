"""Errands: what only who can open a grant can do, done by the worker for an API that waits.

A process that opens grants does it at once. Another writes the question down, sealed, rings, and
waits for the answer in the same row. Nothing is changed by asking, so whoever is killed on the way
leaves a row that is deleted two minutes later.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from meetbot_calendar import errors
from meetbot_calendar.errors import MeetbotError, TryLater
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import errands
from meetbot_calendar.storage.errands import Answer, Question
from tenants.identity import TenantContext, TenantId

_WAIT = 30.0  # seconds that the asking side waits
_LOOK_AGAIN = 0.1
_TURN = 30.0  # seconds until another worker may take an errand up
_NOBODY = "nobody has answered in time: see whether a worker runs, or ask again"

Q = TypeVar("Q")
A = TypeVar("A")


class Errand(msgspec.Struct, Generic[Q, A], frozen=True, kw_only=True):
    """One kind of errand: what its question and answer look like, and how it is done."""

    kind: str
    question: type[Q]
    answer: type[A]
    do: Callable[[Services, TenantContext, Q], Awaitable[A]]


async def run(services: Services, context: TenantContext, errand: Errand[Q, A], question: Q) -> A:
    """Do an errand, or have it done. Raises what doing it raises; ``TryLater`` if nobody does."""
    if services.keyring.opens("grant"):
        return await errand.do(services, context, question)
    now = services.clock.now()
    deadline = now + services.clock.patience(_WAIT)
    asked = Question(kind=errand.kind, body=msgspec.msgpack.encode(question))
    async with services.database.tenant(context.tenant_id) as session:
        errand_id = await errands.ask(session, asked, now)
    await services.wakeups.ring("errand", context.tenant_id, errand_id)
    while True:
        async with services.database.tenant(context.tenant_id) as session:
            answer = await errands.fetch(session, errand_id)
            given_up = answer is None and services.clock.now() >= deadline
            if given_up:
                await errands.drop(session, errand_id)
        if answer is not None:
            return _read(answer, errand)
        if given_up:
            raise TryLater(_NOBODY)
        again = services.clock.now() + services.clock.patience(_LOOK_AGAIN)
        await services.clock.sleep_until(again)


def _read(answer: Answer, errand: Errand[Q, A]) -> A:
    if answer.error is None:
        return msgspec.msgpack.decode(answer.body, type=errand.answer)
    kind: type[MeetbotError] = getattr(errors, answer.error, MeetbotError)
    if issubclass(kind, TryLater):
        raise kind(answer.detail, after=answer.after, code=answer.code)
    raise kind(answer.detail, code=answer.code)


async def do(
    services: Services,
    tenant_id: TenantId,
    errand_id: str,
    kinds: tuple[Errand[object, object], ...],
) -> str | None:
    """Do one errand that is due, and write down what came of it; returns its kind."""
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        until = now + services.clock.patience(_TURN)
        asked = await errands.claim(session, errand_id, now, until)
    if asked is None:
        return None
    answer = await _answer(services, tenant_id, asked, {errand.kind: errand for errand in kinds})
    async with services.database.tenant(tenant_id) as session:
        await errands.settle(session, errand_id, answer)
    return asked.kind


async def _answer(
    services: Services,
    tenant_id: TenantId,
    asked: Question,
    kinds: dict[str, Errand[object, object]],
) -> Answer:
    errand = kinds[asked.kind]
    question = msgspec.msgpack.decode(asked.body, type=errand.question)
    try:
        found = await errand.do(services, TenantContext(tenant_id=tenant_id), question)
    except MeetbotError as error:
        return Answer(
            error=type(error).__name__,
            detail=error.detail,
            code=error.code,
            after=error.after if isinstance(error, TryLater) else None,
        )
    return Answer(body=msgspec.msgpack.encode(found))
