"""Do a repeated request once: the first answer is kept a day and given again."""

import msgspec

from meetbot_calendar.errors import Conflict, Fault, Invalid
from meetbot_calendar.journeys.services import Services
from tenants.identity import TenantContext
from tenants.storage import idempotency
from tenants.storage.idempotency import KeptAnswer, Known

__all__ = ["KeptAnswer", "Ticket", "begin", "keep", "let_go"]

_PATIENCE_SECONDS = 300.0


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A request under a key of the caller's; ``fingerprint`` says what exactly it asks for."""

    context: TenantContext
    key: str
    fingerprint: bytes

    @property
    def name(self) -> str:
        """The key, apart from those of others: one bound to a person is that person's own."""
        return f"{self.context.user_id or 'tenant'}:{self.key}"


async def begin(services: Services, ticket: Ticket) -> KeptAnswer | None:
    """Claim the key; None where the request is ours to do, else the answer it once had."""
    async with services.database.tenant(ticket.context.tenant_id) as session:
        known = await idempotency.claim(
            session,
            ticket.name,
            ticket.fingerprint,
            now=services.clock.now(),
            patience=services.clock.patience(_PATIENCE_SECONDS),
        )
    return None if known is None else answer_of(known, ticket.fingerprint)


def answer_of(known: Known, fingerprint: bytes) -> KeptAnswer:
    """Return the kept answer, or raise where it is another request's or not there yet."""
    if known.fingerprint != fingerprint:
        fault = Fault("/header/Idempotency-Key", "It was used for another request.")
        raise Invalid(
            "This idempotency key belongs to another request.",
            (fault,),
            code="idempotency_key_reused",
        )
    if known.answer is None:
        raise Conflict(
            "The first request under this idempotency key is still at work: ask again soon.",
            code="idempotency_in_progress",
        )
    return known.answer


async def keep(services: Services, ticket: Ticket, answer: KeptAnswer) -> None:
    """Keep what was answered."""
    async with services.database.tenant(ticket.context.tenant_id) as session:
        await idempotency.keep(session, ticket.name, answer)


async def let_go(services: Services, ticket: Ticket) -> None:
    """Free the key: the request changed nothing, and may be repeated."""
    async with services.database.tenant(ticket.context.tenant_id) as session:
        await idempotency.let_go(session, ticket.name)
