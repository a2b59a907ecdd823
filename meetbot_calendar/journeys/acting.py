"""For which calendar user a request acts: the one its key is bound to, or the one it names."""

from meetbot_calendar.errors import Missing, Refused
from meetbot_calendar.journeys.services import Services
from tenants.identity import CalendarUser, CalendarUserId, TenantContext
from tenants.storage import users
from tenants.storage.session import TenantSession

FIRST_USER = "default"
NO_SUCH_USER = "There is no such calendar user."


async def person(
    session: TenantSession, context: TenantContext, user_id: CalendarUserId, *, lock: bool = False
) -> CalendarUser:
    """Return a person whom the caller may see. Raises ``Missing``."""
    if context.user_id not in (None, user_id):
        raise Missing(NO_SUCH_USER)
    found = await users.get(session, user_id, lock=lock)
    if found is None:
        raise Missing(NO_SUCH_USER)
    return found


async def named(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId | None,
    customer_user_id: str | None,
) -> CalendarUserId | None:
    """Return the person whom a request names or its key is bound to; None where it is nobody."""
    if user_id is None and customer_user_id is None:
        return context.user_id
    async with services.database.tenant(context.tenant_id) as session:
        if user_id is not None:
            found: CalendarUser | None = await person(session, context, user_id)
        else:
            found = await users.by_customer_id(session, customer_user_id or "")
    if found is None or context.user_id not in (None, found.id):
        raise Missing(NO_SUCH_USER)
    if customer_user_id not in (None, found.customer_user_id):
        raise Refused("The request names two different calendar users.", code="two_users_named")
    return found.id


async def acting(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId | None,
    customer_user_id: str | None,
) -> CalendarUserId | None:
    """Return the person for whom a request acts: named, or the tenant's only one.

    None where the tenant has nobody yet. Raises ``Refused`` (``user_not_named``) where it has
    several and none is named.
    """
    found = await named(services, context, user_id, customer_user_id)
    if found is not None:
        return found
    async with services.database.tenant(context.tenant_id) as session:
        people = await users.first(session, 2)
    if len(people) > 1:
        raise Refused(
            "The tenant has several calendar users, and the request names none.",
            code="user_not_named",
        )
    return people[0].id if people else None


async def connecting(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId | None,
    customer_user_id: str | None,
) -> str:
    """Return the tenant's own id of the person that a connecting request is for.

    A tenant may name somebody new; without any name and with nobody yet it is ``default``.
    """
    if customer_user_id and user_id is None and context.user_id is None:
        return customer_user_id
    found = await acting(services, context, user_id, customer_user_id)
    if found is None:
        return FIRST_USER
    async with services.database.tenant(context.tenant_id) as session:
        return await users.customer_id(session, found)
