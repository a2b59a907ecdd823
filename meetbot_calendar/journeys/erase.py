"""Erase a person: part from their accounts, call their bots back, delete what is stored of them."""

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.journeys import decide, parting, plan
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import connections, erasure, orphans, usage
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import audit


async def erase_user(services: Services, context: TenantContext, user_id: CalendarUserId) -> None:
    """Erase a person. Killed in the middle, it is finished by asking again.

    What is stored is gone when this returns, but for what the worker needs to call back a bot that
    is out and to give back a grant: that has no name, and goes with the last farewell.
    """
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        accounts = await connections.of_user(session, user_id)
    for account in accounts:
        await parting.disconnect(services, context, account.id, purge_events=True)
    await decide.decide(services, context.tenant_id, user_id)
    for bot_id in await _forget(services, context, user_id):
        await services.wakeups.ring("dispatch", context.tenant_id, bot_id)


async def _forget(
    services: Services, context: TenantContext, user_id: CalendarUserId
) -> tuple[BotId, ...]:
    """Delete everything in one transaction; returns the bots that are still to be called back."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        await person(session, context, user_id, lock=True)
        theirs = await erasure.bots_of(session, user_id)
        names = await erasure.names_of(session, user_id)
        told = [m.id async for m in erasure.messages_of(session, user_id, theirs)]
        await erasure.erase_messages(session, told)
        await erasure.erase_answers(session, names)
        out = await orphans.orphan(session, theirs, now)
        await orphans.unname(session, user_id)
        await usage.unname(session, user_id)
        await erasure.empty(session, user_id, now)
        await audit.write(session, now, by=context, action="calendar_user.erased", target=user_id)
    return out
