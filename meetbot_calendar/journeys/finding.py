"""Ask the fleet whether an order of unknown outcome arrived, and whether what it names is ours."""

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.bots.model import BotId
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots
from tenants.identity import TenantId


async def find(services: Services, order: Order) -> str | None:
    """Return the fleet's id for an order that may have arrived; None if it did not.

    A fleet that knows bots by their meeting alone may name one that another of our bots sent,
    perhaps of another tenant's: that one is not taken for ours. Raises as the port's ``find``.
    """
    found = await services.fleet.find(order)
    if found is None:
        return None
    owner = await owner_of(services, found)
    return found if owner is None or owner[1] == order.bot_id else None


async def owner_of(services: Services, fleet_bot_id: str) -> tuple[TenantId, BotId] | None:
    """Say which of our bots, in whatever tenant, the fleet knows by this id."""
    async with services.database.gate(fleet_bot_id) as gate:
        return await bots.sent_as(gate, fleet_bot_id)
