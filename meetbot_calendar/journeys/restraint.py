"""Leave an account alone for as long as its provider asks: whoever rings, nobody undercuts it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from meetbot_calendar.calendars import freshness
from meetbot_calendar.calendars.model import ConnectionId
from meetbot_calendar.errors import TryLater
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars
from tenants.identity import TenantId

T = TypeVar("T")

# Google says of a usage limit neither whose it is nor for how long (providers.md 4): only what
# met it rests, for as long as we guess.
_GUESSED = "quota_exceeded"


def binds(busy: TryLater) -> bool:
    """Say whether the account as a whole is to be left alone for as long as was said."""
    return busy.after is not None and busy.code != _GUESSED


async def hold(
    services: Services, tenant_id: TenantId, connection_id: ConnectionId, busy: TryLater
) -> None:
    """Ask nothing of an account before its provider wants to be asked again."""
    if busy.after is None or not binds(busy):
        return
    until = services.clock.now() + freshness.obeyed(busy.after)
    async with services.database.tenant(tenant_id) as session:
        await calendars.hold(session, connection_id, until)


async def ask(
    services: Services,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    question: Callable[[], Awaitable[T]],
) -> T:
    """Ask an account's provider something that a person waits for.

    Raises ``TryLater`` unasked where the provider wants to be left alone still.
    """
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        held_until = await calendars.held_until(session, connection_id)
    if held_until is not None and held_until > now:
        seconds = (held_until - now).total_seconds()
        detail = f"the provider asked to be left alone for another {seconds:.0f} s: try again then"
        raise TryLater(detail, after=held_until - now)
    try:
        return await question()
    except TryLater as busy:
        await hold(services, tenant_id, connection_id, busy)
        raise
