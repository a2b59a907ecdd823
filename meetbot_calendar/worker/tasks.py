"""One thin function per journey, and the one place that decides what an error means here."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from meetbot_calendar import telemetry
from meetbot_calendar.calendars.model import CalendarId, ConnectionId
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import InstallationFault, MeetbotError, TryLater
from meetbot_calendar.journeys import (
    closing,
    decide,
    deliver,
    errands,
    follow_up,
    listing,
    live,
    masters,
    nightly,
    retain,
    sync,
    watching,
)
from meetbot_calendar.journeys.decide import Effects
from meetbot_calendar.journeys.deliver import Sent
from meetbot_calendar.journeys.errands import Errand
from meetbot_calendar.journeys.follow_up import FollowedUp, SeriesId
from meetbot_calendar.journeys.nightly import Made
from meetbot_calendar.journeys.outages import KEYS_AWAY, DatabaseDown
from meetbot_calendar.journeys.retain import Purged
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.sync import SyncedCalendar
from tenants.identity import CalendarUserId, TenantId

log = structlog.get_logger("worker")

Journey = Callable[[Services, TenantId, str], Awaitable[object]]


async def sync_calendar(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Sync one calendar."""
    return await sync.sync(services, tenant_id, CalendarId(row_id))


async def decide_user(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Decide one person's marked events."""
    return await decide.decide(services, tenant_id, CalendarUserId(row_id))


async def send_delivery(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Attempt what is due to one endpoint."""
    return await deliver.deliver(services, tenant_id, EndpointId(row_id))


async def watch_calendar(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Look after one calendar's watch."""
    outcome = await watching.watch(services, tenant_id, CalendarId(row_id))
    telemetry.WATCHES.labels(outcome).inc()
    return outcome


async def part(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Part from one removed connection."""
    return await listing.farewell(services, tenant_id, ConnectionId(row_id))


async def close_tenant(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Go on with the closing of a tenant."""
    del row_id
    return await closing.close(services, tenant_id)


async def follow_series(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Go on with one followed series."""
    return await follow_up.follow_up(services, tenant_id, SeriesId(row_id))


async def schedule_nightly(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Make one tenant's nightly round of automatic scheduling."""
    del row_id
    return await nightly.schedule_all(services, tenant_id)


async def renew_nightly(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Make one tenant's nightly round of watches that end soon."""
    del row_id
    return await nightly.renew_watches(services, tenant_id)


async def purge_tenant(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Forget what a tenant no longer keeps."""
    del row_id
    return await retain.purge(services, tenant_id)


async def run_errand(services: Services, tenant_id: TenantId, row_id: str) -> object:
    """Do for the API what takes a grant."""
    return await errands.do(services, tenant_id, row_id, ERRANDS)


ERRANDS: tuple[Errand[Any, Any], ...] = (live.LISTING, masters.MASTER)

JOURNEYS: dict[str, Journey] = {
    "errand": run_errand,
    "sync": sync_calendar,
    "decide": decide_user,
    "deliver": send_delivery,
    "watch": watch_calendar,
    "farewell": part,
    "follow": follow_series,
    "nightly": schedule_nightly,
    "renewal": renew_nightly,
    "close": close_tenant,
    "purge": purge_tenant,
}


async def perform(services: Services, kind: str, tenant_id: TenantId, row_id: str) -> object | None:
    """Run one journey and say in the log how it went.

    Nothing is raised and nothing is retried here: what is still due is found by the next sweep.
    """
    with structlog.contextvars.bound_contextvars(tenant_id=tenant_id, row=row_id, task=kind):
        try:
            outcome = await JOURNEYS[kind](services, tenant_id, row_id)
        except InstallationFault as fault:
            log.error("installation fault: the operator must act", detail=fault.detail)  # noqa: TRY400 - no traceback: the sentence is all there is to know
        except TryLater as busy:
            log.info("later", detail=busy.detail)
        except MeetbotError as error:
            log.warning("refused", code=error.code, detail=error.detail)
        except DatabaseDown:
            log.warning("the database is away; the row stays due")
        except KEYS_AWAY as away:
            telemetry.KEYS_MISSED.labels(kind).inc()
            log.debug("no key can be had; the row stays due", detail=away.detail)
        except Exception:
            telemetry.JOURNEYS_CRASHED.labels(kind).inc()
            log.exception("a journey crashed; the row stays due")
        else:
            _count(outcome)
            log.debug("done", outcome=repr(outcome))
            return outcome
    return None


def _count(outcome: object) -> None:
    """Let what a journey says of itself be seen in the metrics."""
    match outcome:
        case SyncedCalendar() as synced:
            _count_sync(synced)
        case Effects(decided=decided, failed=failed):
            for (action, reason), times in decided.items():
                telemetry.DECISIONS.labels(action, reason).inc(times)
            telemetry.RULE_ERRORS.labels("budget").inc(len(failed))
        case Made(kind=kind, looked_at=looked_at, effects=effects):
            telemetry.NIGHTLY_ROUNDS.labels(kind).inc()
            log.info("nightly round", round=kind, of=looked_at, scheduled=effects.scheduled)
            _count(effects)
        case FollowedUp(outcome=step):
            telemetry.SERIES_FOLLOWED.labels(step).inc()
        case tuple():
            _count_sent(outcome)
        case Purged(counts=counts):
            _count_purged(counts)
        case _:
            return


def _count_sync(synced: SyncedCalendar) -> None:
    kind = "full" if synced.full else "incremental"
    telemetry.SYNC_ROUNDS.labels(synced.provider, kind, synced.code or "ok").inc()
    if synced.is_ours:
        log.error("installation fault: the operator must act", detail=synced.error)
    if synced.code is not None:
        telemetry.PROVIDER_ERRORS.labels(synced.provider, synced.code).inc()
    if synced.gap_seconds is not None:
        telemetry.SYNC_GAP.labels(synced.provider).observe(synced.gap_seconds)


def _count_purged(counts: Mapping[str, int]) -> None:
    for kind, number in counts.items():
        telemetry.PURGED.labels(kind).inc(number)


def _count_sent(outcome: tuple[object, ...]) -> None:
    for each in outcome:
        if isinstance(each, Sent):
            telemetry.DELIVERIES.labels(each.status).inc()
