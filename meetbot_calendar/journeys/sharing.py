"""One watch of a provider's that serves several of our calendars.

Microsoft keeps one subscription for each app and calendar (providers.md 7.1). Where a mailbox is
connected for several people, or by several tenants through the operator's app, each of them has a
watch of its own in our rows, and all name the one subscription. Its notices come to the address of
the watch that it was made for, and concern them all.
"""

import hashlib

from meetbot_calendar.calendars.model import Calendar, WatchId, WatchReceipt
from meetbot_calendar.errors import WatchStands
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars, watches
from meetbot_calendar.storage.watches import Rung


def hash_of(secret: str) -> bytes:
    """Return what is stored in place of a watch's address token or secret."""
    return hashlib.sha256(secret.encode()).digest()


async def sharers(
    services: Services, receipt: WatchReceipt, but: WatchId | None = None
) -> tuple[Rung, ...]:
    """Say which watches, of whatever tenant, name one of the provider's, but for one's own."""
    async with services.database.gate(hash_of(receipt.platform_watch_id)) as gate:
        found = await watches.named(gate)
    return tuple(rung for rung in found if rung.watch_id != but)


async def is_anothers(services: Services, calendar: Calendar, standing: WatchStands) -> bool:
    """Say whether the watch that stands in our way was made for another calendar of ours."""
    place, _, token = standing.address.rpartition("/")
    if place != notices_at(services, calendar):
        return False
    async with services.database.gate(hash_of(token)) as gate:
        rung = await watches.find(gate)
    return rung is not None and rung.calendar_id != calendar.id


def notices_at(services: Services, calendar: Calendar) -> str:
    """Return the address beneath which each watch of a provider's has its own."""
    return f"{services.house.public_url}/v1/calendar/notifications/{calendar.provider}"


async def tell_lost(services: Services, receipt: WatchReceipt, but: WatchId | None = None) -> None:
    """Have every calendar that shared a watch which is no more look for another."""
    now = services.clock.now()
    for rung in await sharers(services, receipt, but):
        async with services.database.tenant(rung.tenant_id) as session:
            await calendars.watch_at(session, rung.calendar_id, now, is_lost=True)
        await services.wakeups.ring("watch", rung.tenant_id, rung.calendar_id)
