"""Automatic scheduling of a person's meetings: on, off, and with which settings.

It is the last word of a decision: where no rule matches and no default is given, a meeting is
recorded if it is on. Its settings are the person's own layer of bot settings.
"""

from typing import Any

import msgspec

from meetbot_calendar.journeys import decide
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.decide import Effects
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bot_leases
from tenants.identity import CalendarUser, CalendarUserId, TenantContext
from tenants.storage import audit, users
from tenants.storage.users import UserContent


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """How automatic scheduling stands now, and what that did to the person's bots."""

    user: CalendarUser
    effects: Effects


async def switch(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    *,
    on: bool,
    bot_config: dict[str, Any] | None = None,
) -> Switched:
    """Turn automatic scheduling on or off, at once; None keeps the settings as they are."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        user = await person(session, context, user_id, lock=True)
        await users.set_auto_schedule(session, user_id, on=on, now=now)
        if bot_config is not None:
            content = UserContent(attributes=user.attributes, bot_config=bot_config)
            await users.save_content(session, user_id, content, now)
            await bot_leases.unsettle(session, user_id)
        action = "auto_schedule.enabled" if on else "auto_schedule.disabled"
        await audit.write(session, now, by=context, action=action, target=user_id)
        changed = await person(session, context, user_id)
    effects = await decide.redecide(services, context, user_id)
    return Switched(user=changed, effects=effects)
