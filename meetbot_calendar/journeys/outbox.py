"""Read what was told: messages, whether or not anyone was listening, and their deliveries."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from meetbot_calendar.deliveries.model import (
    Attempt,
    Delivery,
    DeliveryId,
    Message,
    MessageId,
    MessageType,
)
from meetbot_calendar.errors import Fault, Invalid, Missing
from meetbot_calendar.journeys.paging import (
    Count,
    Listing,
    PageWish,
    RowId,
    listing,
    place_of,
)
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import deliveries, outbox
from meetbot_calendar.storage.outbox import DeliveryFilter
from tenants.identity import TenantContext
from tenants.storage.paging import Keyset
from tenants.storage.session import TenantSession

__all__ = ["DeliveryFilter"]


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with every attempt."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


async def list_deliveries(
    services: Services, context: TenantContext, which: DeliveryFilter, wish: PageWish
) -> Listing[Delivered]:
    """List deliveries with their attempts, newest first."""
    place = place_of(wish, tuple[RowId], "deliveries", which)
    async with services.database.tenant(context.tenant_id) as session:
        page = await outbox.delivery_page(session, which, place.keyset)
        rows = [deliveries.delivery_of(row) for row in page.rows]
        found = await with_attempts(session, rows)
    return listing(place, page, found, [(row.delivery.id,) for row in found])


async def read_delivery(
    services: Services, context: TenantContext, delivery_id: DeliveryId
) -> Delivered:
    """Return one delivery with every attempt."""
    async with services.database.tenant(context.tenant_id) as session:
        found = await outbox.delivery(session, delivery_id)
        if found is None:
            raise Missing("There is no such delivery.")
        return (await with_attempts(session, [found]))[0]


async def with_attempts(session: TenantSession, rows: Sequence[Delivery]) -> tuple[Delivered, ...]:
    """Return deliveries with every attempt."""
    made = await outbox.attempts(session, [row.id for row in rows])
    return tuple(Delivered(delivery=row, attempts=tuple(made[row.id])) for row in rows)


async def list_messages(
    services: Services,
    context: TenantContext,
    wish: PageWish,
    *,
    kind: MessageType | None,
    since: MessageId | datetime | None,
) -> Listing[Message]:
    """List messages in order: all of them, those after a message, or those from an instant on."""
    place = place_of(wish, tuple[Count], "messages", kind, since)
    begin = since if isinstance(since, datetime) else None
    async with services.database.tenant(context.tenant_id) as session:
        keyset = place.keyset
        if isinstance(since, str) and keyset.edge is None:
            keyset = Keyset(limit=wish.limit, edge=(await _seen(session, since),))
        page = await outbox.message_page(session, kind, begin, keyset)
        found = [outbox.sequenced(session, row) for row in page.rows]
    results = [row.message for row in found]
    return listing(place, page, results, [(row.seq,) for row in found])


async def _seen(session: TenantSession, message_id: MessageId) -> int:
    seq = await outbox.place_of_message(session, message_id)
    if seq is None:
        fault = Fault("/query/since", "We keep no message with this id (any more).")
        raise Invalid("The place to begin is unknown.", (fault,), code="invalid_watermark")
    return seq
