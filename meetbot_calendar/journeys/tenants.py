"""Tenants, as the operator makes, changes and removes them."""

import hashlib
from datetime import datetime

import msgspec

from meetbot_calendar.errors import Conflict, Fault, Invalid, Missing
from meetbot_calendar.journeys import once
from meetbot_calendar.journeys.keys import FreshKey, KeyWish, fresh_key
from meetbot_calendar.journeys.once import KeptAnswer
from meetbot_calendar.journeys.paging import Listing, PageWish, RowId, listing, place_of
from meetbot_calendar.journeys.services import Services
from tenants.api_keys import ApiKey, hash_of
from tenants.identity import Region, TenantContext, TenantId, new_id
from tenants.secrets.key_provider import KeyServiceDown, KeyServiceRefused
from tenants.storage import api_keys, audit, directory, idempotency
from tenants.storage.directory import TenantRow

__all__ = ["Created", "TenantChange", "TenantRow", "TenantWish"]

_NO_SUCH_TENANT = "There is no such tenant."
_OPERATOR = "operator"
_HASH_LETTERS = 16  # 64 bits, in place of an id's random ones


class TenantWish(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant to make."""

    name: str
    region: Region | None = None
    retention_days: int | None = None


class TenantChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a tenant; what is unset stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    retention_days: int | msgspec.UnsetType | None = msgspec.UNSET


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant just made, with its first key."""

    tenant: TenantRow
    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"Created({self.tenant.id}, ***)"


async def create_tenant(
    services: Services, wish: TenantWish, idempotency_key: str | None = None
) -> Created:
    """Make a tenant and its first key; under an idempotency key, once in a day.

    The tenant's id then ends in the hash of that key: this is how a repetition finds it, since
    before there is a tenant there is no wall to keep an answer behind.
    """
    now = services.clock.now()
    ending = None if idempotency_key is None else _ending(idempotency_key)
    tenant = _new_tenant(wish, _region(services, wish.region), ending, now)
    fresh = _first_key(tenant.id, now)
    async with services.database.operator() as operator:
        since = now - idempotency.KEPT
        known = await directory.find_by_ending(operator, ending, since) if ending else None
        if known is None:
            await directory.create(operator, tenant)
            await api_keys.add(operator, fresh.key, hash_of(fresh.secret))
    if known is not None and known.closing_at is not None:
        raise _closing()
    if known is not None:
        return await _again(services, known, wish, str(idempotency_key))
    created = Created(tenant=tenant, key=fresh.key, secret=fresh.secret)
    await _prepare(services, tenant.id, now)
    async with services.database.tenant(tenant.id) as session:
        await audit.write(
            session, now, by=_operator(tenant.id), action="tenant.created", target=tenant.id
        )
    if idempotency_key is not None:
        await _keep(services, created, wish, idempotency_key)
    return created


def _closing() -> Conflict:
    return Conflict("The tenant is being removed.", code="tenant_closing")


async def _prepare(services: Services, tenant_id: TenantId, now: datetime) -> None:
    """Make the tenant's key; a tenant that gets none is not made."""
    try:
        await services.keyring.prepare(tenant_id, now)
    except (KeyServiceDown, KeyServiceRefused):
        async with services.database.operator() as session:
            await directory.remove(session, tenant_id)
        raise


def _new_tenant(wish: TenantWish, region: Region, ending: str | None, now: datetime) -> TenantRow:
    tenant_id = new_id("ten", now)
    if ending is not None:
        tenant_id = tenant_id[: -len(ending)] + ending
    return TenantRow(
        id=TenantId(tenant_id),
        name=wish.name,
        region=region,
        retention_days=wish.retention_days,
        created_at=now,
        updated_at=now,
    )


def _region(services: Services, wished: Region | None) -> Region:
    """Choose where the tenant's data lie. One installation may be bound to one region."""
    settled = services.house.region
    if settled is not None and wished not in (None, settled):
        fault = Fault("/region", f"This installation keeps its data in {settled!r}.")
        raise Invalid("The tenant cannot be made so.", (fault,))
    return wished or ("us" if settled == "us" else "eu")


def _first_key(tenant_id: TenantId, now: datetime) -> FreshKey:
    context = _operator(tenant_id)
    return fresh_key(KeyWish(name="first key"), context, now)


def _operator(tenant_id: TenantId) -> TenantContext:
    return TenantContext(tenant_id=tenant_id, actor=_OPERATOR)


def _ending(idempotency_key: str) -> str:
    return hashlib.sha256(f"tenant:{idempotency_key}".encode()).hexdigest()[:_HASH_LETTERS]


def _fingerprint(wish: TenantWish) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(wish)).digest()


async def _keep(
    services: Services, created: Created, wish: TenantWish, idempotency_key: str
) -> None:
    """Keep what was answered; the tenant's own wall keeps it."""
    ticket = _ticket(created.tenant.id, wish, idempotency_key)
    await once.begin(services, ticket)
    body = msgspec.msgpack.encode(created)
    await once.keep(services, ticket, KeptAnswer(status=201, content_type="", body=body))


def _ticket(tenant_id: TenantId, wish: TenantWish, idempotency_key: str) -> once.Ticket:
    context = _operator(tenant_id)
    name = f"{_OPERATOR}:{idempotency_key}"
    return once.Ticket(context=context, key=name, fingerprint=_fingerprint(wish))


async def _again(
    services: Services, known: TenantRow, wish: TenantWish, idempotency_key: str
) -> Created:
    """Answer as before. Where the first answer was lost before it was kept, make another key."""
    await services.keyring.prepare(known.id, services.clock.now())
    kept = await once.begin(services, _ticket(known.id, wish, idempotency_key))
    if kept is not None:
        return msgspec.msgpack.decode(kept.body, type=Created)
    now = services.clock.now()
    fresh = _first_key(known.id, now)
    async with services.database.tenant(known.id) as session:
        await api_keys.add(session, fresh.key, hash_of(fresh.secret))
    created = Created(tenant=known, key=fresh.key, secret=fresh.secret)
    await _keep(services, created, wish, idempotency_key)
    return created


async def list_tenants(services: Services, wish: PageWish) -> Listing[TenantRow]:
    """List all tenants, newest first."""
    place = place_of(wish, tuple[RowId], "tenants")
    async with services.database.operator() as session:
        page = await directory.page(session, place.keyset)
    rows = [directory.tenant_row(row) for row in page.rows]
    return listing(place, page, rows, [(row.id,) for row in rows])


async def read_tenant(services: Services, tenant_id: TenantId) -> TenantRow:
    """Return one tenant."""
    async with services.database.operator() as session:
        found = await directory.find(session, tenant_id)
    if found is None:
        raise Missing(_NO_SUCH_TENANT)
    return found


async def change_tenant(services: Services, tenant_id: TenantId, change: TenantChange) -> TenantRow:
    """Change a tenant's name, or how long its data are kept."""
    now = services.clock.now()
    values = {
        name: value
        for name, value in msgspec.structs.asdict(change).items()
        if value is not msgspec.UNSET
    }
    async with services.database.operator() as operator:
        found = await directory.change(operator, tenant_id, values, now)
    if found is None:
        await read_tenant(services, tenant_id)
        raise _closing()
    async with services.database.tenant(tenant_id) as session:
        await audit.write(
            session,
            now,
            by=_operator(tenant_id),
            action="tenant.changed",
            target=tenant_id,
            details={"fields": sorted(values)},
        )
    return found
