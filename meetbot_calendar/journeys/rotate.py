"""Rotate tenants' keys, one after the other; whoever is killed in the middle is followed up.

All that is to be rotated is written down before the first is; each is crossed out when it is done.
So a second call goes on where the first one stopped, and begins anew only when nothing is left.
"""

from collections.abc import AsyncIterator

import msgspec

from meetbot_calendar.journeys.outages import KeyGone
from meetbot_calendar.journeys.services import Services
from tenants.identity import TenantContext, TenantId
from tenants.secrets.key_provider import TenantKey
from tenants.storage import audit, key_rotations


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """One key that is rotated: the how manieth of how many, and how many keys it wrapped anew."""

    tenant_id: TenantId
    purpose: str
    place: int
    of: int
    rewrapped: int


async def rotate_keys(services: Services, only: TenantId | None) -> AsyncIterator[Rotated]:
    """Rotate the keys of one tenant, or of all and what these lie under; tell of each.

    Everything stays readable throughout, for processes too that hold older ciphers. Raises
    ``KeyServiceDown`` and ``KeyServiceRefused``: call it again then, it goes on.
    """
    names = await _begin(services, only)
    for place, name in enumerate(names, start=1):
        rewrapped = await _rotate(services, name)
        yield Rotated(
            tenant_id=name.tenant_id,
            purpose=name.purpose,
            place=place,
            of=len(names),
            rewrapped=rewrapped,
        )


async def _begin(services: Services, only: TenantId | None) -> list[TenantKey]:
    """Return what is still to be rotated; where that is nothing, write down everything."""
    async with services.database.operator() as session:
        left = await key_rotations.unfinished(session, only)
    if left:
        return list(left)
    if only is None:
        await services.keyring.rotate_root()
    async with services.database.operator() as session:
        await key_rotations.begin(session, services.clock.now(), only)
        return list(await key_rotations.unfinished(session, only))


async def _rotate(services: Services, name: TenantKey) -> int:
    now = services.clock.now()
    try:
        rewrapped = await services.keyring.rotate(name, now)
    except KeyGone:
        rewrapped = 0  # it was destroyed, or is an old tenant's that has sealed no grant yet
    async with services.database.bare(name.tenant_id) as session:
        await key_rotations.finish(session, name, now)
        await audit.write(
            session,
            now,
            by=TenantContext(tenant_id=name.tenant_id, actor="operator"),
            action="tenant.keys_rotated",
            target=name.purpose,
        )
    return rewrapped
