"""A project's quota at Google, counted ahead: polls leave a part of it to what is in haste."""

from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.calendars import freshness
from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage.calendar_leases import Lease
from tenants.limits import Rate

_OF_POLLS = 0.8  # of the quota; notices, departures and people who ask have the rest
_AT_ONCE = 100  # a hundredth of it is taken at once: to ask for each request costs as much as one


async def wait_for_turn(
    services: Services, lease: Lease, now: datetime, *, requests: int
) -> timedelta | None:
    """Count a poll's requests; say how long it has to wait where the minute's are used up.

    Google counts per project, so per OAuth client (providers.md 4). What a notice, a person or a
    soon departure has made urgent does not wait, nor does anybody while nobody can count.
    """
    rate = services.house.google_requests
    if rate is None or lease.is_urgent or lease.calendar.provider is not Provider.GOOGLE:
        return None
    polls = msgspec.structs.replace(rate, quota=max(1, int(rate.quota * _OF_POLLS)))
    name, cost = f"google-project:{lease.client_id}", min(requests, polls.quota)
    if services.allowances.spend(name, cost, now):
        return None
    wait = await _take(services, name, polls, now, cost=cost)
    if wait is None:
        return None
    return wait + services.house.poll_interval / 4 * freshness.phase_of(lease.calendar.id)


async def _take(
    services: Services, name: str, polls: Rate, now: datetime, *, cost: int
) -> timedelta | None:
    """Take more than is needed, or that alone where no more is left; None where it is there."""
    batch = max(cost, polls.quota // _AT_ONCE)
    quota = await services.limits.take(name, polls, now, cost=batch)
    if quota is not None and quota.is_open:
        services.allowances.keep(name, batch - cost, now + polls.window)
    elif quota is not None and batch > cost:
        quota = await services.limits.take(name, polls, now, cost=cost)
    return None if quota is None or quota.is_open else quota.wait
