"""A tenant's accounts of itself: what was used, and who did what."""

from datetime import datetime

import msgspec

from meetbot_calendar.errors import Fault, Invalid
from meetbot_calendar.journeys.paging import Listing, PageWish, RowId, listing, place_of
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import usage
from meetbot_calendar.storage.usage import Used, UsedBy
from tenants.identity import TenantContext
from tenants.storage import audit
from tenants.storage.audit import AuditEntry, AuditFilter

__all__ = ["AuditEntry", "AuditFilter", "Used", "UsedBy"]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What was used in ``[begin, end)``, in all and by each person."""

    begin: datetime
    end: datetime
    in_all: Used
    by_person: tuple[UsedBy, ...]


async def read_usage(
    services: Services, context: TenantContext, begin: datetime | None, end: datetime | None
) -> Usage:
    """Count what was used; without times, since the first of the month."""
    now = services.clock.now()
    end = end or now
    begin = begin or end.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if begin >= end:
        fault = Fault("/query/from", "It is not before the end.")
        raise Invalid("This is no stretch of time.", (fault,), code="invalid_parameter")
    async with services.database.tenant(context.tenant_id) as session:
        return Usage(
            begin=begin,
            end=end,
            in_all=await usage.in_all(session, begin, end),
            by_person=await usage.by_person(session, begin, end),
        )


async def list_audit(
    services: Services, context: TenantContext, which: AuditFilter, wish: PageWish
) -> Listing[AuditEntry]:
    """List what was done, newest first."""
    place = place_of(wish, tuple[RowId], "audit", *msgspec.structs.astuple(which))
    async with services.database.tenant(context.tenant_id) as session:
        page = await audit.page(session, which, place.keyset)
        found = [audit.entry_of(session, row) for row in page.rows]
    return listing(place, page, found, [(entry.id,) for entry in found])


async def note(
    services: Services, context: TenantContext, action: str, target: str | None = None
) -> None:
    """Write down what a key did through a journey that keeps no account of itself."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await audit.write(session, now, by=context, action=action, target=target)
