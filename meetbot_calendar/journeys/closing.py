"""Close a tenant: shut its door at once, part from everybody outside, then destroy what is stored.

Everything that is to be called or given back becomes due, and the sweep's own journeys do it; this
one looks whether they are done. Nobody outside can keep a tenant alive for longer than a day.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Literal

import structlog

from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import partings
from meetbot_calendar.storage.partings import Outside
from tenants.identity import TenantId
from tenants.secrets.key_provider import KeyGone, KeyServiceDown, KeyServiceRefused
from tenants.storage import directory
from tenants.storage.directory import TenantRow

log = structlog.get_logger("closing")

__all__ = ["Outside", "begin", "close", "left_outside", "shut"]

Step = Literal["idle", "parting", "waiting", "closed"]

_AT_MOST = timedelta(days=1)
_TURN = 60.0  # seconds that one look may take before another worker steps in
_LOOK_AGAIN = 1.0
_KEYS_AGAIN = 30.0
_SEEN_EVERY = 0.1
_AT_THE_DOOR = 5.0  # real seconds that whoever asked for the removal may wait for its end


async def begin(services: Services, tenant_id: TenantId) -> TenantRow | None:
    """Shut a tenant's door and have it closed; None if that was done within seconds.

    Raises ``Missing``. Asking again changes nothing.
    """
    await shut(services, tenant_id)
    with suppress(TimeoutError):
        async with asyncio.timeout(_AT_THE_DOOR):
            await _gone(services, tenant_id)
    async with services.database.operator() as session:
        return await directory.find(session, tenant_id)


async def shut(services: Services, tenant_id: TenantId) -> None:
    """Shut a tenant's door and leave its closing to the worker. Raises ``Missing``."""
    async with services.database.operator() as session:
        if not await directory.begin_closing(session, tenant_id, services.clock.now()):
            raise Missing("There is no such tenant.")
    log.info("a tenant is being removed", tenant_id=tenant_id)
    await services.wakeups.ring("close", tenant_id, tenant_id)


async def _gone(services: Services, tenant_id: TenantId) -> None:
    """Wait until there is no such tenant."""
    clock = services.clock
    while True:
        async with services.database.operator() as session:
            if await directory.find(session, tenant_id) is None:
                return
        await clock.sleep_until(clock.now() + clock.patience(_SEEN_EVERY))


async def close(services: Services, tenant_id: TenantId) -> Step:
    """Go on with the closing of a tenant; it stays due until there is none.

    Its key is destroyed before its rows go: cut short in between, it is finished by the next look.
    A key service that is away is waited for, however long: nothing else destroys a backup.
    """
    now, patience = services.clock.now(), services.clock.patience
    async with services.database.operator() as session:
        tenant = await directory.claim_closing(session, tenant_id, now, now + patience(_TURN))
    if tenant is None:
        return "idle"
    try:
        if await _is_outside(services, tenant):
            return await _wait(services, tenant_id, _LOOK_AGAIN, "parting")
        await services.keyring.destroy(tenant_id)
    except (KeyServiceDown, KeyServiceRefused) as trouble:
        log.warning("a tenant cannot be closed without the key service", detail=trouble.detail)
        return await _wait(services, tenant_id, _KEYS_AGAIN, "waiting")
    async with services.database.operator() as session:
        await directory.remove(session, tenant_id)
    log.info("a tenant is closed", tenant_id=tenant_id)
    return "closed"


async def _wait(services: Services, tenant_id: TenantId, seconds: float, step: Step) -> Step:
    again = services.clock.now() + services.clock.patience(seconds)
    async with services.database.operator() as session:
        await directory.postpone_closing(session, tenant_id, again)
    return step


async def _is_outside(services: Services, tenant: TenantRow) -> bool:
    """Stop the tenant, and say whether something of it must still be waited for."""
    now = services.clock.now()
    try:
        async with services.database.tenant(tenant.id) as session:
            await partings.silence(session, now)
    except KeyGone:
        return False
    left = await left_outside(services, tenant.id)
    given_up = tenant.closing_at is not None and now >= tenant.closing_at + _AT_MOST
    if left and given_up:
        log.error(
            "a tenant is closed although not everything came back",
            tenant_id=tenant.id,
            bots=left.bots,
            connections=left.connections,
        )
    return bool(left) and not given_up


async def left_outside(services: Services, tenant_id: TenantId) -> Outside:
    """Say how much of a tenant is still to be called or given back."""
    async with services.database.sweep() as session:
        return await partings.outside(session, tenant_id)
