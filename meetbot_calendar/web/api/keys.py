"""``/v1/api-keys``: a tenant's keys."""

from datetime import datetime

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody

from meetbot_calendar.journeys import keys
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    Given,
    LaterInstant,
    Name,
    PageOf,
    Wish,
    page_of,
    utc,
    utc_or_none,
)
from tenants.api_keys import ApiKey
from tenants.identity import ApiKeyId, CalendarUserId


class KeyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make; with `user_id` it is bound to that calendar user and sees nothing else."""

    name: Name
    user_id: Name | None = None
    expires_at: LaterInstant | None = None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is listed: by its first letters."""

    id: str
    name: str
    prefix: str
    user_id: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made: `key` is shown here alone."""

    id: str
    key: str
    name: str
    prefix: str
    user_id: str | None
    created_at: datetime
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"NewKeyView({self.id}, ***)"


def key_view(key: ApiKey) -> KeyView:
    """Write a key as it is listed."""
    return KeyView(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        user_id=key.user_id,
        created_at=utc(key.created_at),
        expires_at=utc_or_none(key.expires_at),
        last_used_at=utc_or_none(key.last_used_at),
        revoked_at=utc_or_none(key.revoked_at),
    )


def new_key_view(key: ApiKey, secret: str) -> NewKeyView:
    """Write a key as it is shown once."""
    return NewKeyView(
        id=key.id,
        key=secret,
        name=key.name,
        prefix=key.prefix,
        user_id=key.user_id,
        created_at=utc(key.created_at),
        expires_at=utc_or_none(key.expires_at),
    )


@get()
async def list_api_keys(services: Given, context: Caller, wish: Wish) -> PageOf[KeyView]:
    """List the tenant's API keys, newest first; revoked ones too."""
    listed = await keys.list_keys(services, context, wish)
    return page_of(listed, tuple(key_view(key) for key in listed.results))


@post()
async def create_api_key(services: Given, context: Caller, data: JSONBody[KeyBody]) -> NewKeyView:
    """Make an API key. The key itself is shown in this answer alone."""
    user_id = None if data.user_id is None else CalendarUserId(data.user_id)
    wish = keys.KeyWish(name=data.name, user_id=user_id, expires_at=data.expires_at)
    fresh = await keys.create_key(services, context, wish)
    return new_key_view(fresh.key, fresh.secret)


@delete("/{key_id:str}")
async def revoke_api_key(services: Given, context: Caller, key_id: FromPath[ApiKeyId]) -> None:
    """Revoke an API key, at once."""
    await keys.revoke_key(services, context, key_id)


router = Router(
    "/v1/api-keys",
    route_handlers=[list_api_keys, create_api_key, revoke_api_key],
    dependencies=PAGED,
    tags=["API keys"],
)
