"""Erase a person: part from their accounts, call their bots back, delete what is stored of them."""

from datetime import timedelta

from meetbot_calendar.bots.model import BotId
from meetbot_calendar.journeys import connect, decide, dispatch, listing
from meetbot_calendar.journeys.acting import person
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import connections, erasure
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import audit, users


async def erase_user(services: Services, context: TenantContext, user_id: CalendarUserId) -> None:
    """Erase a person. Killed in the middle, it is finished by asking again.

    A provider or fleet that cannot be reached does not keep anything here: a grant that was not
    given back is destroyed with its row, and nobody holds it any more.
    """
    async with services.database.tenant(context.tenant_id) as session:
        await person(session, context, user_id)
        accounts = await connections.of_user(session, user_id)
        theirs = await erasure.bots_of(session, user_id)
    for account in accounts:
        await connect.disconnect(services, context, account.id, purge_events=True)
    await decide.decide(services, context.tenant_id, user_id)
    await _call_back(services, context, theirs)
    for account in accounts:
        await listing.farewell(services, context.tenant_id, account.id)
    await _forget(services, context, user_id)


async def _call_back(
    services: Services, context: TenantContext, bot_ids: tuple[BotId, ...]
) -> None:
    held = await dispatch.hold(services, context.tenant_id, list(bot_ids), timedelta(0))
    await dispatch.fire(services, context.tenant_id, held)


async def _forget(services: Services, context: TenantContext, user_id: CalendarUserId) -> None:
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        theirs = await erasure.bots_of(session, user_id)
        told = [m.id async for m in erasure.messages_of(session, user_id, theirs)]
        await erasure.erase_messages(session, told)
        await erasure.erase_bots(session, theirs)
        await erasure.erase_answers(session, user_id)
        await users.remove(session, user_id)
        await audit.write(
            session, now, actor=context.actor, action="calendar_user.erased", target=user_id
        )
