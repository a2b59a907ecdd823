"""A person has a meeting recorded: one event, one occurrence of a series, or all of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from meetbot_calendar.bots.model import OUT, Bot
from meetbot_calendar.bots.overrides import Override
from meetbot_calendar.calendars.model import EventId, StoredEvent
from meetbot_calendar.errors import Conflict
from meetbot_calendar.journeys import by_hand, decide, following, plan
from meetbot_calendar.journeys.judging import Judge, load_judge
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import decisions
from meetbot_calendar.storage.events import EventRow
from tenants.identity import TenantContext
from tenants.storage import audit
from tenants.storage.session import TenantSession


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """One event and the bot it now has."""

    event: StoredEvent
    bot: Bot


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """What was scheduled, in order; ``ahead`` are occurrences that are not in view yet.

    Those get their bots as they come into view.
    """

    event: StoredEvent
    booked: tuple[Booked, ...]
    ahead: tuple[datetime, ...] = ()
    bot_config: dict[str, Any]


async def schedule(
    services: Services,
    context: TenantContext,
    event: StoredEvent,
    bot_config: dict[str, Any],
    *,
    follow: bool = False,
) -> Scheduled:
    """Have one event recorded, with its series followed where that is wished.

    No rule and no sync undoes it. Raises ``Refused`` (with the reason of the decision as its
    code), ``Conflict`` (``already_scheduled`` with the ``bot_id``, or ``opted_out``), ``Missing``.
    """
    now = services.clock.now()
    if follow:
        by_hand.in_series(event)
    async with services.database.tenant(context.tenant_id) as session:
        await plan.take_turn(session)
        row = await by_hand.own_event(session, context, event.user_id, event.id)
        judge = await load_judge(session, event.user_id, now)
        refuse_impossible(judge, row)
        await refuse_repeated(session, row)
        known = await by_hand.bots_of(session, [row])
        said = Override(
            event_id=event.id,
            action="record",
            bot_config=bot_config,
            actor=context.actor,
            created_at=await by_hand.after_all(session, [row], known, now),
        )
        await decisions.save_override(session, said)
        if follow:
            await following.follow_from(session, context, row.event, bot_config, now)
        settled = await decide.settle(services, session, judge, [row])
        booked = await booked_of(session, [row])
        await note(session, context, row.event, booked, now)
    await ring_deliveries(services, context.tenant_id, settled.deliveries)
    return Scheduled(event=row.event, booked=booked, bot_config=bot_config)


def refuse_impossible(judge: Judge, row: EventRow) -> None:
    """Refuse what a decision would refuse, whatever a person wants."""
    by_hand.refuse_withdrawn(row)
    if against := by_hand.obstacle(judge, row):
        by_hand.refuse(row, against)


async def refuse_repeated(session: TenantSession, row: EventRow) -> None:
    """Refuse an event that a person has scheduled already. Raises ``Conflict``."""
    if bot := (await asked_for(session, [row])).get(row.event.id):
        raise already_scheduled(bot)


def already_scheduled(bot: Bot) -> Conflict:
    """Make the error that names the bot."""
    return Conflict(
        f"A bot is scheduled for this event already: PATCH {bot.id} to change it.",
        code="already_scheduled",
        bot_id=bot.id,
    )


async def asked_for(session: TenantSession, rows: Sequence[EventRow]) -> dict[EventId, Bot]:
    """Return the live bot of each event that a person asked for, here or at a copy, or that left.

    A bot that rules alone want is no obstacle: by hand it is taken over, with other settings.
    """
    mine = await by_hand.copies(session, rows)
    said = await decisions.overrides_of(session, [row.event.id for row in mine])
    known = await by_hand.bots_of(session, mine)
    found: dict[EventId, Bot] = {}
    for row in rows:
        same = [each.event.id for each in mine if set(each.keys) & set(row.keys)] + [row.event.id]
        by_person = any(word.action == "record" for each in same if (word := said.get(each)))
        live = by_hand.serving(known, same)
        if live and (by_person or live[0].status in OUT):
            found[row.event.id] = live[0]
    return found


async def booked_of(session: TenantSession, rows: Sequence[EventRow]) -> tuple[Booked, ...]:
    """Return the bots that events have now."""
    known = await by_hand.bots_of(session, rows)
    return tuple(
        Booked(event=row.event, bot=live[0])
        for row in rows
        if (live := by_hand.serving(known, [row.event.id]))
    )


async def note(
    session: TenantSession,
    context: TenantContext,
    event: StoredEvent,
    booked: Sequence[Booked],
    now: datetime,
) -> None:
    """Write down who scheduled what."""
    details = {"bots": [each.bot.id for each in booked]}
    await audit.write(
        session,
        now,
        by=context,
        action="event.scheduled",
        target=event.id,
        details=details,
    )
