"""``/v1/tenant`` and ``/v1/oauth-apps``: what a tenant settles for itself."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, delete, get, patch, put
from litestar.params import FromPath, JSONBody

from meetbot_calendar.journeys import policy
from meetbot_calendar.journeys.policy import TenantApp
from meetbot_calendar.web.api.connect import ProviderName, provider_of
from meetbot_calendar.web.api.parts import (
    PAGED,
    Caller,
    Given,
    PageOf,
    Url,
    Wish,
    page_among,
    utc,
    utc_or_none,
)
from meetbot_calendar.web.api.tenants import RetentionDays
from tenants.identity import Dedupe, OptOut, Region, Tenant

Entry = Annotated[str, msgspec.Meta(min_length=1, max_length=254, pattern=r"^[^\x00]*$")]
Seconds = Annotated[
    float,
    msgspec.Meta(ge=0, le=3600, description="How long before its meeting a bot joins."),
]


class OptOutBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom and where is never recorded; a room is a meeting link."""

    emails: Annotated[tuple[Entry, ...], msgspec.Meta(max_length=1000)] = ()
    domains: Annotated[tuple[Entry, ...], msgspec.Meta(max_length=1000)] = ()
    rooms: Annotated[tuple[Url, ...], msgspec.Meta(max_length=1000)] = ()


class PolicyPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of the tenant's policy; a field that is given replaces the whole of it."""

    retention_days: RetentionDays | msgspec.UnsetType | None = msgspec.UNSET
    join_lead_seconds: Seconds | msgspec.UnsetType | None = msgspec.UNSET
    default_bot_config: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    default_rules: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    redirect_urls: Annotated[tuple[Url, ...], msgspec.Meta(max_length=100)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    internal_domains: (
        Annotated[tuple[Entry, ...], msgspec.Meta(max_length=1000)] | msgspec.UnsetType
    ) = msgspec.UNSET
    dedupe: Dedupe | msgspec.UnsetType = msgspec.UNSET
    policy_rules: dict[str, Any] | list[Any] | msgspec.UnsetType | None = msgspec.UNSET
    opt_out: OptOutBody | msgspec.UnsetType = msgspec.UNSET
    record_declined: bool | msgspec.UnsetType = msgspec.UNSET
    join_late: bool | msgspec.UnsetType = msgspec.UNSET


class OwnTenantView(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's tenant with its policy."""

    id: str
    name: str
    region: Region
    retention_days: int | None
    join_lead_seconds: float
    default_bot_config: dict[str, Any]
    default_rules: dict[str, Any] | None
    redirect_urls: tuple[str, ...]
    internal_domains: tuple[str, ...]
    dedupe: Dedupe
    policy_rules: dict[str, Any] | list[Any] | None
    opt_out: OptOutBody
    record_declined: bool
    join_late: bool
    created_at: datetime
    updated_at: datetime
    last_purged_at: datetime | None
    last_purge: dict[str, int]


class AppBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OAuth client of your own at the provider; its secret is never returned."""

    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[!-~]+$")]
    client_secret: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^[!-~]+$")]

    def __repr__(self) -> str:
        return f"AppBody({self.client_id}, ***)"


class AppView(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth client of the tenant's own."""

    provider: str
    client_id: str
    created_at: datetime
    updated_at: datetime


def _tenant(services: Given, tenant: Tenant) -> OwnTenantView:
    asked = tenant.policy
    lead = asked.join_lead_seconds
    return OwnTenantView(
        id=tenant.id,
        name=tenant.name,
        region=tenant.region,
        retention_days=asked.retention_days,
        join_lead_seconds=services.house.join_lead.total_seconds() if lead is None else lead,
        default_bot_config=asked.default_bot_config,
        default_rules=asked.default_rules,
        redirect_urls=asked.redirect_urls,
        internal_domains=asked.internal_domains,
        dedupe=asked.dedupe,
        policy_rules=asked.policy_rules,
        opt_out=OptOutBody(**msgspec.structs.asdict(asked.opt_out)),
        record_declined=asked.record_declined,
        join_late=asked.join_late,
        created_at=utc(tenant.created_at),
        updated_at=utc(tenant.updated_at),
        last_purged_at=utc_or_none(tenant.last_purged_at),
        last_purge=tenant.last_purge,
    )


def _app(app: TenantApp) -> AppView:
    return AppView(
        provider=app.provider,
        client_id=app.client_id,
        created_at=utc(app.created_at),
        updated_at=utc(app.updated_at),
    )


@get("/tenant", tags=["Tenant"])
async def read_own_tenant(services: Given, context: Caller) -> OwnTenantView:
    """Return your tenant with its policy."""
    return _tenant(services, await policy.read_own(services, context))


@patch("/tenant", tags=["Tenant"])
async def change_own_tenant(
    services: Given, context: Caller, data: JSONBody[PolicyPatch]
) -> OwnTenantView:
    """Change your policy. What decides over meetings is decided again at once."""
    given = msgspec.structs.asdict(data).items()
    changes = {name: value for name, value in given if value is not msgspec.UNSET}
    if isinstance(data.opt_out, OptOutBody):
        changes["opt_out"] = OptOut(**msgspec.structs.asdict(data.opt_out))
    return _tenant(services, await policy.change_own(services, context, changes))


@get("/oauth-apps", tags=["OAuth apps"])
async def list_oauth_apps(services: Given, context: Caller, wish: Wish) -> PageOf[AppView]:
    """List your own OAuth apps; where you have none, consents show the operator's."""
    found = await policy.list_apps(services, context)
    return page_among(wish, {app.provider: _app(app) for app in found}, "oauth-apps")


@get("/oauth-apps/{provider:str}", tags=["OAuth apps"])
async def read_oauth_app(
    services: Given, context: Caller, provider: FromPath[ProviderName]
) -> AppView:
    """Return your own OAuth app at a provider, without its secret."""
    return _app(await policy.read_app(services, context, provider_of(provider)))


@put("/oauth-apps/{provider:str}", tags=["OAuth apps"])
async def save_oauth_app(
    services: Given,
    context: Caller,
    provider: FromPath[ProviderName],
    data: JSONBody[AppBody],
) -> AppView:
    """Set your own OAuth app at a provider, so that the consent screen shows your name."""
    saved = await policy.save_app(
        services, context, provider_of(provider), data.client_id, data.client_secret
    )
    return _app(saved)


@delete("/oauth-apps/{provider:str}", tags=["OAuth apps"])
async def remove_oauth_app(
    services: Given, context: Caller, provider: FromPath[ProviderName]
) -> None:
    """Forget your own OAuth app at a provider."""
    await policy.remove_app(services, context, provider_of(provider))


router = Router(
    "/v1",
    route_handlers=[
        read_own_tenant,
        change_own_tenant,
        list_oauth_apps,
        read_oauth_app,
        save_oauth_app,
        remove_oauth_app,
    ],
    dependencies=PAGED,
)
