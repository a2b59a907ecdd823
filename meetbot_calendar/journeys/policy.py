"""What a tenant settles for itself: its policy, and its own OAuth apps."""

from typing import Any

import msgspec

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import Invalid, Missing
from meetbot_calendar.journeys.policy_faults import faults_of
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_leases, event_marks
from tenants.identity import Tenant, TenantContext, TenantPolicy
from tenants.storage import audit, directory, oauth_apps
from tenants.storage.oauth_apps import TenantApp

__all__ = ["TenantApp"]

_DECIDES_NOTHING = frozenset({"retention_days", "redirect_urls", "default_bot_config"})


async def read_own(services: Services, context: TenantContext) -> Tenant:
    """Return the caller's tenant with its policy."""
    async with services.database.tenant(context.tenant_id) as session:
        return await directory.get(session)


async def change_own(services: Services, context: TenantContext, changes: dict[str, Any]) -> Tenant:
    """Change fields of the caller's policy. What decides over meetings is decided again at once.

    Raises ``Invalid`` with every fault; then nothing is changed.
    """
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        before = (await directory.get(session, lock=True)).policy
        policy = _in_lower_case(msgspec.structs.replace(before, **changes))
        if faults := tuple(faults_of(policy)):
            raise Invalid("The policy is not as it must be.", faults)
        changed = {name for name in changes if getattr(before, name) != getattr(policy, name)}
        await directory.save_policy(session, policy, now)
        if changed - _DECIDES_NOTHING:
            await event_marks.mark_tenant(session, now)
        await bot_leases.unsettle(session)
        await audit.write(
            session,
            now,
            by=context,
            action="tenant.policy_changed",
            target=context.tenant_id,
            details={"fields": sorted(changed)},
        )
        return await directory.get(session)


def _in_lower_case(policy: TenantPolicy) -> TenantPolicy:
    """Write addresses and domains as they are compared: in whatever case they were given."""
    opt_out = policy.opt_out
    return msgspec.structs.replace(
        policy,
        internal_domains=_lowered(policy.internal_domains),
        opt_out=msgspec.structs.replace(
            opt_out, emails=_lowered(opt_out.emails), domains=_lowered(opt_out.domains)
        ),
    )


def _lowered(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.strip().lower() for value in values)


async def list_apps(services: Services, context: TenantContext) -> tuple[TenantApp, ...]:
    """List the tenant's own OAuth apps."""
    async with services.database.tenant(context.tenant_id) as session:
        return await oauth_apps.all_of(session)


async def read_app(services: Services, context: TenantContext, provider: Provider) -> TenantApp:
    """Return the tenant's own OAuth app at one provider."""
    async with services.database.tenant(context.tenant_id) as session:
        found = await oauth_apps.get(session, provider)
    if found is None:
        raise _no_app()
    return found


async def save_app(
    services: Services,
    context: TenantContext,
    provider: Provider,
    client_id: str,
    client_secret: str,
) -> TenantApp:
    """Set the tenant's own OAuth app at one provider; consents from now on show its name."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await oauth_apps.save(session, provider, client_id, client_secret, now)
        await audit.write(
            session,
            now,
            by=context,
            action="oauth_app.saved",
            target=provider,
            details={"client_id": client_id},
        )
        found = await oauth_apps.get(session, provider)
    if found is None:
        raise _no_app()
    return found


async def remove_app(services: Services, context: TenantContext, provider: Provider) -> None:
    """Forget the tenant's own OAuth app; consents from now on show the operator's."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        if not await oauth_apps.remove(session, provider):
            raise _no_app()
        await audit.write(session, now, by=context, action="oauth_app.removed", target=provider)


def _no_app() -> Missing:
    return Missing("The tenant has no OAuth app of its own at this provider.")
