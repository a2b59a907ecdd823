"""Recognise an API key; list, make and revoke a tenant's keys."""

from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.errors import Fault, Invalid, Missing
from meetbot_calendar.journeys.paging import Listing, PageWish, RowId, listing, place_of
from meetbot_calendar.journeys.services import Services
from tenants.api_keys import ApiKey, hash_of, is_usable, new_key, prefix_of
from tenants.identity import ApiKeyId, CalendarUserId, TenantContext, new_id
from tenants.limits import Rate
from tenants.storage import api_keys, audit, users
from tenants.storage.session import TenantSession


class KeyWish(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody wants; with a user it opens that person's things alone."""

    name: str
    user_id: CalendarUserId | None = None
    expires_at: datetime | None = None


class FreshKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made: the only time that ``secret`` is seen."""

    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"FreshKey({self.key.id}, ***)"


_ONCE_AN_HOUR = Rate(name="refusals", quota=1, window=timedelta(hours=1))


async def recognise(
    services: Services, given: str, address: str | None = None
) -> TenantContext | None:
    """Say for whom a key speaks that was given from an address; None where it opens nothing."""
    now = services.clock.now()
    async with services.database.gate(hash_of(given)) as gate:
        key = await api_keys.recognise(gate)
    if key is None:
        return None
    context = TenantContext(
        tenant_id=key.tenant_id, actor=key.id, user_id=key.user_id, address=address
    )
    if not is_usable(key, now):
        await _note_refusal(services, context, now)
        return None
    if api_keys.wants_touch(key, now):
        async with services.database.tenant(key.tenant_id) as session:
            await api_keys.touch(session, key.id, now)
    return context


async def _note_refusal(services: Services, context: TenantContext, now: datetime) -> None:
    """Write down that somebody still uses a key that is over; once an hour is enough."""
    quota = await services.limits.take(f"refusal:{context.actor}", _ONCE_AN_HOUR, now)
    if quota is not None and quota.is_open:
        async with services.database.tenant(context.tenant_id) as session:
            await audit.write(
                session, now, by=context, action="api_key.refused", target=context.actor
            )


async def list_keys(services: Services, context: TenantContext, wish: PageWish) -> Listing[ApiKey]:
    """List the tenant's keys, newest first."""
    place = place_of(wish, tuple[RowId], "api_keys")
    async with services.database.tenant(context.tenant_id) as session:
        page = await api_keys.page(session, place.keyset)
    keys = [api_keys.key_of(row) for row in page.rows]
    return listing(place, page, keys, [(key.id,) for key in keys])


async def create_key(services: Services, context: TenantContext, wish: KeyWish) -> FreshKey:
    """Make a key."""
    now = services.clock.now()
    if wish.expires_at is not None and wish.expires_at <= now:
        raise _wrong("/expires_at", "This instant has passed.")
    fresh = fresh_key(wish, context, now)
    async with services.database.tenant(context.tenant_id) as session:
        await _check_user(session, wish.user_id)
        await api_keys.add(session, fresh.key, hash_of(fresh.secret))
        await audit.write(
            session,
            now,
            by=context,
            action="api_key.created",
            target=fresh.key.id,
            details={"user_id": wish.user_id} if wish.user_id else {"name": wish.name},
        )
    return fresh


def fresh_key(wish: KeyWish, context: TenantContext, now: datetime) -> FreshKey:
    """Make up a key that nobody knows yet."""
    secret = new_key()
    key = ApiKey(
        id=ApiKeyId(new_id("key", now)),
        tenant_id=context.tenant_id,
        name=wish.name,
        prefix=prefix_of(secret),
        user_id=wish.user_id,
        created_at=now,
        expires_at=wish.expires_at,
    )
    return FreshKey(key=key, secret=secret)


async def revoke_key(services: Services, context: TenantContext, key_id: ApiKeyId) -> None:
    """Close the door to a key, at once."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        if not await api_keys.revoke(session, key_id, now):
            raise Missing("There is no such API key, or it is revoked already.")
        await audit.write(session, now, by=context, action="api_key.revoked", target=key_id)


async def _check_user(session: TenantSession, user_id: CalendarUserId | None) -> None:
    if user_id is not None and await users.get(session, user_id) is None:
        raise _wrong("/user_id", "There is no such calendar user.")


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("The key cannot be made so.", (Fault(pointer, detail),))
