"""Somebody knocks with a key: wrong ones are counted by address, good ones by tenant.

An address that has tried too many wrong keys is told to wait for each further one. A good key is
let in all the same, so that nobody can lock out those who share an address with them.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from meetbot_calendar.errors import TooOften
from meetbot_calendar.journeys.services import Services
from tenants.identity import TenantContext
from tenants.limits import Quota

T = TypeVar("T")


async def knock(
    services: Services, address: str, key: str, ask: Callable[[str], Awaitable[T | None]]
) -> T | None:
    """Ask whose key this is; None where it is nobody's. Raises ``TooOften``."""
    found = await ask(key)
    now, rate = services.clock.now(), services.house.wrong_keys
    if found is not None or rate is None:
        return found
    strangers = services.strangers
    if (until := strangers.refused_until(address, now)) is not None:
        raise _too_many(until, now)
    quota = await services.limits.take(f"wrong-keys:{address}", rate, now)
    if quota is not None and not quota.is_open:
        strangers.refuse(address, now + quota.wait)
        raise _too_many(now + quota.wait, now)
    return None


def _too_many(until: datetime, now: datetime) -> TooOften:
    return TooOften(
        "Too many wrong API keys came from this address: wait, and check the key.",
        after=until - now,
        code="too_many_wrong_keys",
    )


async def spend(services: Services, context: TenantContext) -> Quota | None:
    """Count a request of a tenant's; None where there is no limit or nobody to count."""
    rate = services.house.requests
    if rate is None:
        return None
    return await services.limits.take(f"tenant:{context.tenant_id}", rate, services.clock.now())
