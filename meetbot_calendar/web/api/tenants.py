"""``/v1/tenants``: the operator's tenants."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody

from meetbot_calendar.journeys import closing, tenants
from meetbot_calendar.journeys.tenants import TenantRow
from meetbot_calendar.web.api.keys import NewKeyView, new_key_view
from meetbot_calendar.web.api.parts import (
    OPERATORS,
    Given,
    Name,
    PageOf,
    Wish,
    page_of,
    utc,
    utc_or_none,
)
from meetbot_calendar.web.auth import OPERATOR
from tenants.identity import Region, TenantId

RetentionDays = Annotated[
    int,
    msgspec.Meta(
        ge=1,
        le=3650,
        description="How many days events, bots, messages and the audit log are kept; null: as"
        " long as the installation settles (`MEETBOT_RETENTION_DAYS`).",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        description="Repeating a request under the same key gives the first answer again.",
    ),
]


class TenantBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant to make."""

    name: Name
    region: Region | None = None
    retention_days: RetentionDays | None = None


class TenantPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a tenant."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    retention_days: RetentionDays | msgspec.UnsetType | None = msgspec.UNSET


class ClosingView(msgspec.Struct, frozen=True, kw_only=True):
    """How far the removal of a tenant is: bots to be called back, accounts to part from."""

    since: datetime
    bots: int
    connections: int


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant, as the operator sees it; `closing` while it is being removed."""

    id: str
    name: str
    region: Region
    retention_days: int | None
    created_at: datetime
    updated_at: datetime
    last_purged_at: datetime | None = None
    last_purge: dict[str, int] = {}
    closing: ClosingView | None = None


class NewTenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant just made, with its first API key, which is shown here alone."""

    tenant: TenantView
    api_key: NewKeyView


def tenant_view(row: TenantRow) -> TenantView:
    """Write a tenant."""
    return TenantView(
        id=row.id,
        name=row.name,
        region=row.region,
        retention_days=row.retention_days,
        created_at=utc(row.created_at),
        updated_at=utc(row.updated_at),
        last_purged_at=utc_or_none(row.last_purged_at),
        last_purge=row.last_purge or {},
    )


async def _with_closing(services: Given, row: TenantRow) -> TenantView:
    view = tenant_view(row)
    if row.closing_at is None:
        return view
    left = await closing.left_outside(services, row.id)
    how_far = ClosingView(since=utc(row.closing_at), bots=left.bots, connections=left.connections)
    return msgspec.structs.replace(view, closing=how_far)


@post()
async def create_tenant(
    services: Given, data: JSONBody[TenantBody], idempotency_key: IdempotencyKey = None
) -> NewTenantView:
    """Make a tenant and its first API key, which is shown in this answer alone."""
    wish = tenants.TenantWish(
        name=data.name, region=data.region, retention_days=data.retention_days
    )
    created = await tenants.create_tenant(services, wish, idempotency_key)
    return NewTenantView(
        tenant=tenant_view(created.tenant), api_key=new_key_view(created.key, created.secret)
    )


@get()
async def list_tenants(services: Given, wish: Wish) -> PageOf[TenantView]:
    """List tenants, newest first."""
    listed = await tenants.list_tenants(services, wish)
    shown = [await _with_closing(services, row) for row in listed.results]
    return page_of(listed, tuple(shown))


@get("/{tenant_id:str}")
async def read_tenant(services: Given, tenant_id: FromPath[TenantId]) -> TenantView:
    """Return one tenant."""
    return await _with_closing(services, await tenants.read_tenant(services, tenant_id))


@patch("/{tenant_id:str}")
async def change_tenant(
    services: Given, tenant_id: FromPath[TenantId], data: JSONBody[TenantPatch]
) -> TenantView:
    """Change a tenant's name, or how long its data are kept."""
    change = tenants.TenantChange(name=data.name, retention_days=data.retention_days)
    return tenant_view(await tenants.change_tenant(services, tenant_id, change))


@delete(
    "/{tenant_id:str}",
    status_code=202,
    responses={204: ResponseSpec(None, description="The tenant is gone, its key destroyed.")},
)
async def remove_tenant(
    services: Given, tenant_id: FromPath[TenantId]
) -> Response[TenantView | None]:
    """Shut a tenant's door at once, part from all of its accounts and bots, destroy its key.

    Most are gone within seconds (204); where a provider or fleet lets us wait, the rest is done
    behind this answer (202), within a day, whoever may be away.
    """
    left = await closing.begin(services, tenant_id)
    if left is None:
        return Response(None, status_code=204)
    return Response(await _with_closing(services, left), status_code=202)


router = Router(
    "/v1/tenants",
    route_handlers=[create_tenant, list_tenants, read_tenant, change_tenant, remove_tenant],
    dependencies=OPERATORS,
    opt=OPERATOR,
    tags=["Tenants"],
    security=[{"operator_key": []}],
)
