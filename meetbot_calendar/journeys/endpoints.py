"""Webhook endpoints: registered, changed, their secrets rotated."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from meetbot_calendar.deliveries.address_guard import check_url
from meetbot_calendar.deliveries.model import Endpoint, EndpointId
from meetbot_calendar.deliveries.signing import active_secrets, new_secret
from meetbot_calendar.errors import Conflict, Fault, Invalid, LimitReached, Missing, Refused
from meetbot_calendar.journeys.paging import Listing, PageWish, RowId, listing, place_of
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import endpoints, messages, parking
from tenants.identity import TenantContext, new_id
from tenants.storage import audit
from tenants.storage.session import TenantSession

OLD_SECRET_SIGNS = timedelta(hours=24)
_MOST = 50
_MOST_SECRETS = 5
_MARGIN = timedelta(minutes=1)  # what is recorded beside the first failure may be dated before it


class EndpointWish(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint to register."""

    url: str
    events: tuple[str, ...]
    description: str | None = None


class EndpointChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of an endpoint; what is unset stays."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    events: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    status: Literal["enabled", "disabled"] | msgspec.UnsetType = msgspec.UNSET


async def list_endpoints(
    services: Services, context: TenantContext, wish: PageWish
) -> Listing[Endpoint]:
    """List the tenant's endpoints, newest first."""
    place = place_of(wish, tuple[RowId], "endpoints")
    async with services.database.tenant(context.tenant_id) as session:
        page = await endpoints.page(session, place.keyset)
        found = [endpoints.endpoint_of(session, row) for row in page.rows]
    return listing(place, page, found, [(endpoint.id,) for endpoint in found])


async def read_endpoint(
    services: Services, context: TenantContext, endpoint_id: EndpointId
) -> Endpoint:
    """Return one endpoint."""
    async with services.database.tenant(context.tenant_id) as session:
        return await _present(session, endpoint_id)


async def create_endpoint(
    services: Services, context: TenantContext, wish: EndpointWish
) -> Endpoint:
    """Register an endpoint with a fresh secret."""
    now = services.clock.now()
    _check(services, wish.url)
    endpoint = Endpoint(
        id=EndpointId(new_id("we", now)),
        tenant_id=context.tenant_id,
        url=wish.url,
        events=wish.events,
        description=wish.description,
        secrets=(new_secret(),),
        created_at=now,
        updated_at=now,
    )
    async with services.database.tenant(context.tenant_id) as session:
        if await endpoints.count(session) >= _MOST:
            detail = f"There are {_MOST} webhook endpoints, the most there may be."
            raise LimitReached(detail, code="too_many_endpoints")
        await endpoints.add(session, endpoint)
        await audit.write(session, now, by=context, action="endpoint.created", target=endpoint.id)
    return endpoint


async def change_endpoint(
    services: Services, context: TenantContext, endpoint_id: EndpointId, change: EndpointChange
) -> Endpoint:
    """Change an endpoint.

    A disabled one keeps what was on its way; enabled again it is sent that and what was given up
    while it failed, and its failures are forgotten. One that we disabled is also sent what happened
    meanwhile, of the types that it now wants.
    """
    now = services.clock.now()
    if isinstance(change.url, str):
        _check(services, change.url)
    async with services.database.tenant(context.tenant_id) as session:
        if change.status == "enabled":
            await messages.hold(session)  # who saw it disabled commits first, and is caught up with
        before = await _present(session, endpoint_id, lock=True)
        values = _values(change, before)
        await endpoints.change(session, before, values, now)
        changed = await _present(session, endpoint_id)
        if change.status == "disabled":
            await parking.park(session, endpoint_id)
        if change.status == "enabled":
            await _catch_up(session, before, changed, now)
        await audit.write(
            session,
            now,
            by=context,
            action="endpoint.changed",
            target=endpoint_id,
            details={"fields": sorted(values)},
        )
    await ring_deliveries(services, context.tenant_id, [endpoint_id])
    return changed


async def _catch_up(
    session: TenantSession, before: Endpoint, changed: Endpoint, now: datetime
) -> None:
    """Put on its way to an endpoint what it missed, up to now."""
    await parking.resume(session, before.id, now)
    if before.failing_since is None:
        return
    since = max(before.failing_since - _MARGIN, before.created_at)
    await parking.rearm_given_up(session, before.id, since, now)
    if before.status == "disabled" and before.disabled_reason != "by_tenant":
        await messages.add_missing(session, changed, since, now)


async def redeliver_since(
    services: Services, context: TenantContext, endpoint_id: EndpointId, since: datetime
) -> int:
    """Send an endpoint again all that it was, or should have been, told since an instant.

    Returns how many messages are on their way for it. Raises ``Conflict`` for a disabled one.
    """
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        endpoint = await _present(session, endpoint_id, lock=True)
        check_enabled(endpoint)
        again = await parking.rearm_since(session, endpoint_id, since, now)
        again += await messages.add_missing(session, endpoint, since, now)
        await audit.write(
            session,
            now,
            by=context,
            action="endpoint.told_again",
            target=endpoint_id,
            details={"since": since.isoformat(), "messages": again},
        )
    await ring_deliveries(services, context.tenant_id, [endpoint_id])
    return again


def check_enabled(endpoint: Endpoint) -> None:
    """Raise ``Conflict`` for a disabled endpoint: nothing is sent to it, on request either."""
    if endpoint.status == "disabled":
        raise Conflict(
            "the endpoint is disabled: enable it first with PATCH"
            f" /v1/webhook-endpoints/{endpoint.id}",
            code="endpoint_disabled",
        )


def _values(change: EndpointChange, before: Endpoint) -> Mapping[str, Any]:
    """Return the columns to write; why we disabled an endpoint stays until it is enabled."""
    given = msgspec.structs.asdict(change).items()
    values = {name: value for name, value in given if value is not msgspec.UNSET}
    if "events" in values:
        values["events"] = list(values["events"])
    if values.get("status") == "enabled":
        values |= {"disabled_reason": None, "failing_since": None}
    if values.get("status") == "disabled" and before.status == "enabled":
        values["disabled_reason"] = "by_tenant"
    return values


async def remove_endpoint(
    services: Services, context: TenantContext, endpoint_id: EndpointId
) -> None:
    """Remove an endpoint with its deliveries."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await messages.hold(session)  # or who writes to it now would find it gone
        await _present(session, endpoint_id)
        await endpoints.remove(session, endpoint_id)
        await audit.write(session, now, by=context, action="endpoint.removed", target=endpoint_id)


async def rotate_secret(
    services: Services, context: TenantContext, endpoint_id: EndpointId
) -> Endpoint:
    """Make a new secret; the one before signs beside it for a day.

    Where a rotation still lasts, those that sign go on as long as the one before: for their own day
    and longer, the five newest at most.
    """
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        endpoint = await _present(session, endpoint_id, lock=True)
        secrets = (new_secret(), *active_secrets(endpoint, now))[:_MOST_SECRETS]
        await endpoints.save_secrets(session, endpoint_id, secrets, now + OLD_SECRET_SIGNS, now)
        await audit.write(
            session, now, by=context, action="endpoint.secret_rotated", target=endpoint_id
        )
        return await _present(session, endpoint_id)


def _check(services: Services, url: str) -> None:
    try:
        check_url(url, allow_private=services.house.allow_private_webhooks)
    except Refused as error:
        fault = Fault("/url", error.detail)
        raise Invalid("We cannot send to this address.", (fault,), code=error.code) from error


async def _present(
    session: TenantSession, endpoint_id: EndpointId, *, lock: bool = False
) -> Endpoint:
    found = await endpoints.get(session, endpoint_id, lock=lock)
    if found is None:
        raise Missing("There is no such webhook endpoint.")
    return found
