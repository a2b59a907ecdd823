"""Calendar users: listed, read, changed by their tenant."""

from typing import Any

import msgspec

from meetbot_calendar.errors import Fault, Invalid
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.paging import Listing, PageWish, RowId, listing, place_of
from meetbot_calendar.journeys.ringing import ring_decide
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_leases, event_marks
from tenants.identity import CalendarUser, CalendarUserId, TenantContext
from tenants.storage import audit, users
from tenants.storage.users import UserContent


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a person; None leaves it as it is."""

    attributes: dict[str, Any] | None = None
    bot_config: dict[str, Any] | None = None


def refuse_own_facts(
    context: TenantContext, user: CalendarUser, attributes: dict[str, Any] | None
) -> None:
    """Refuse that a person changes what the tenant says of them: the tenant's rules go by it.

    Raises ``Invalid``.
    """
    if context.user_id is not None and attributes not in (None, user.attributes):
        detail = "They are the tenant's facts about the person: change them with a tenant key."
        fault = Fault("/attributes", detail)
        raise Invalid("A key of one calendar user cannot do this.", (fault,), code="tenants_own")


async def list_users(
    services: Services, context: TenantContext, wish: PageWish, customer_user_id: str | None
) -> Listing[CalendarUser]:
    """List the people that the caller may see, newest first."""
    place = place_of(wish, tuple[RowId], "users", context.user_id, customer_user_id)
    async with services.database.tenant(context.tenant_id) as session:
        if context.user_id is not None:
            mine = await person(session, context, context.user_id)
            meant = customer_user_id in (None, mine.customer_user_id)
            return Listing(results=(mine,) if meant else (), next=None, previous=None)
        page = await users.page(session, place.keyset, customer_user_id)
        found = [users.user_of(session, row) for row in page.rows]
    return listing(place, page, found, [(user.id,) for user in found])


async def read_user(
    services: Services, context: TenantContext, user_id: CalendarUserId
) -> CalendarUser:
    """Return one person."""
    async with services.database.tenant(context.tenant_id) as session:
        return await person(session, context, user_id)


async def change_user(
    services: Services, context: TenantContext, user_id: CalendarUserId, change: UserChange
) -> CalendarUser:
    """Change what is told of a person; rules may read it, so coming events are decided again."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        user = await person(session, context, user_id, lock=True)
        refuse_own_facts(context, user, change.attributes)
        content = UserContent(
            attributes=user.attributes if change.attributes is None else change.attributes,
            bot_config=user.bot_config if change.bot_config is None else change.bot_config,
        )
        await users.save_content(session, user_id, content, now)
        await bot_leases.unsettle(session, user_id)
        if content.attributes != user.attributes:
            await event_marks.mark_user(session, user_id, now)
        await audit.write(session, now, by=context, action="calendar_user.changed", target=user_id)
        changed = await person(session, context, user_id)
    await ring_decide(services, context.tenant_id, user_id)
    return changed
