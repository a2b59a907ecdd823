"""A journey killed after any of its effects, and run again, ends as one that was not disturbed.

Two exceptions: a connection starts over, for a code works once; a delivery may arrive twice, under
one id.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import (
    auto_schedule,
    connect,
    decide,
    deliver,
    parting,
    rule_sets,
    scheduling_series,
    sync,
    watching,
)
from meetbot_calendar.journeys.scheduling_series import Wish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.sandbox import edits
from meetbot_calendar.worker.tasks import JOURNEYS
from tests.gateways.far_ends import allowed
from tests.journeys.killing import Fuse, Killed, mortal
from tests.journeys.stage import ANN, BOB, PEOPLE, Stage, set_stage
from tests.journeys.test_complete import report
from tests.journeys.trouble import silence

HOUR = timedelta(hours=1)
LEAD = timedelta(seconds=90)
LEASES = timedelta(minutes=6)  # by then every lease of a dead process has run out
NEVER = 1000

Journey = Callable[[Services], Awaitable[object]]
Scene = Callable[[Stage, Provider, str], Awaitable[Journey]]


async def first_sync(stage: Stage, provider: Provider, email: str) -> Journey:
    """All that follows a consent: reading, watching, deciding."""
    await stage.listen()
    stage.hold_meeting(email, "One", 5 * HOUR)
    stage.hold_meeting(email, "Two", 6 * HOUR)
    connected = await stage.connect(provider, email)
    await stage.record_everything(connected.user_id)
    (calendar,) = (await stage.calendars(connected.user_id)).values()

    async def journey(services: Services) -> None:
        await sync.sync(services, stage.context.tenant_id, calendar.id)
        await watching.watch(services, stage.context.tenant_id, calendar.id)
        await decide.decide(services, stage.context.tenant_id, connected.user_id)

    return journey


async def later_sync(stage: Stage, provider: Provider, email: str) -> Journey:
    """An incremental round, with a token to refresh and a list of calendars to read."""
    held = [stage.hold_meeting(email, name, 20 * HOUR) for name in ("Moved", "Gone", "Same")]
    user_id = await stage.onboard(provider, email)
    silence(stage)
    stage.world.clock.advance(2 * HOUR)
    edits.move(stage.world, held[0].id, stage.now + 30 * HOUR, stage.now + 31 * HOUR)
    edits.cancel(stage.world, held[1].id)
    (calendar,) = (await stage.calendars(user_id)).values()

    async def journey(services: Services) -> None:
        await sync.sync(services, stage.context.tenant_id, calendar.id)
        await decide.decide(services, stage.context.tenant_id, user_id)

    return journey


async def withdrawn(stage: Stage, provider: Provider, email: str) -> Journey:
    """A sync that finds its permission gone."""
    user_id = await stage.onboard(provider, email)
    stage.world.grants.revoke_account(f"{provider}:{email}")
    (calendar,) = (await stage.calendars(user_id)).values()

    async def journey(services: Services) -> None:
        await sync.sync(services, stage.context.tenant_id, calendar.id)

    return journey


async def claims(stage: Stage, provider: Provider, email: str) -> Journey:
    """A sync whose reading is refused for good, though its token is fresh."""
    del provider, email
    user_id = await stage.onboard(Provider.OUTLOOK, BOB)
    stage.world.faults.add("microsoft.delta", "401_claims", times=-1)
    (calendar,) = (await stage.calendars(user_id)).values()

    async def journey(services: Services) -> None:
        await sync.sync(services, stage.context.tenant_id, calendar.id)

    return journey


async def renewal(stage: Stage, provider: Provider, email: str) -> Journey:
    """A watch that is due to be renewed."""
    user_id = await stage.onboard(provider, email)
    stage.world.clock.advance(timedelta(days=5))
    (calendar,) = (await stage.calendars(user_id)).values()

    async def journey(services: Services) -> None:
        await watching.watch(services, stage.context.tenant_id, calendar.id)

    return journey


async def farewell(stage: Stage, provider: Provider, email: str) -> Journey:
    """Parting from an account whose bot is out."""
    stage.fleet.config.join_delay_seconds = 3600.0
    stage.hold_meeting(email, "Now", timedelta(minutes=1))
    stage.hold_meeting(email, "Later", 5 * HOUR)
    user_id = await stage.onboard(provider, email)
    (connection,) = await stage.connections(user_id)

    async def journey(services: Services) -> None:
        await parting.disconnect(services, stage.context, connection.id, purge_events=True)
        await decide.decide(services, stage.context.tenant_id, user_id)
        await JOURNEYS["farewell"](services, stage.context.tenant_id, connection.id)

    return journey


async def departure(stage: Stage, provider: Provider, email: str) -> Journey:
    """Two bots at their instant; the answer about one is lost."""
    stage.hold_meeting(email, "One", 5 * HOUR)
    stage.hold_meeting(email, "Two", 5 * HOUR, link="https://zoom.us/j/81234567890")
    await stage.onboard(provider, email)
    silence(stage)
    stage.fleet.config.join_delay_seconds = 3600.0
    stage.world.faults.add("fleet.bots", "lose_answer")
    stage.world.clock.advance(5 * HOUR - LEAD)

    async def journey(services: Services) -> None:
        await msgspec.structs.replace(stage, services=services).depart()

    return journey


async def recall(stage: Stage, provider: Provider, email: str) -> Journey:
    """A meeting that is cancelled after its bot left."""
    stage.fleet.config.join_delay_seconds = 3600.0
    held = stage.hold_meeting(email, "Now", timedelta(minutes=1))
    user_id = await stage.onboard(provider, email)
    edits.cancel(stage.world, held.id)
    await stage.hear()
    (calendar,) = (await stage.calendars(user_id)).values()

    async def journey(services: Services) -> None:
        await sync.sync(services, stage.context.tenant_id, calendar.id)
        await decide.decide(services, stage.context.tenant_id, user_id)
        await msgspec.structs.replace(stage, services=services).depart()

    return journey


async def completion(stage: Stage, provider: Provider, email: str) -> Journey:
    """The fleet's reports; the fleet repeats what was not answered."""
    await stage.listen()
    stage.hold_meeting(email, "Now", timedelta(minutes=1))
    await stage.onboard(provider, email)
    stage.world.faults.add("fleet.reports", "drop", times=-1)
    (bot,) = await stage.bots()
    data = {"recording_url": "https://r.example/1", "duration_seconds": 61.0}

    async def journey(services: Services) -> None:
        reporting = msgspec.structs.replace(stage, services=services)
        try:
            await report(reporting, bot.id, "bot.joined")
            await report(reporting, bot.id, "bot.completed", **data)
        except Killed:
            await report(stage, bot.id, "bot.joined")
            await report(stage, bot.id, "bot.completed", **data)
            raise

    return journey


async def delivery(stage: Stage, provider: Provider, email: str) -> Journey:
    """A message that is refused once, and then taken."""
    del provider, email
    endpoint_id = await stage.listen()
    await stage.listen("endpoint.disabled", name="other")
    await deliver.send_test(stage.services, stage.context, endpoint_id)

    async def journey(services: Services) -> None:
        for work in await stage._due():
            await JOURNEYS[work[0]](services, work[1], work[2])

    return journey


async def rules(stage: Stage, provider: Provider, email: str) -> Journey:
    """New rules, which send one bot home and another out."""
    stage.hold_meeting(email, "One", 5 * HOUR)
    stage.hold_meeting(email, "Two", 6 * HOUR)
    user_id = await stage.onboard(provider, email)
    when = {"==": [{"var": "title"}, "Two"]}
    document = {"rules": [{"name": "two", "action": "record", "when": when}], "default": "skip"}

    async def journey(services: Services) -> None:
        await rule_sets.save_rules(services, stage.context, user_id, document)

    return journey


async def followed(stage: Stage, provider: Provider, email: str) -> Journey:
    """A series whose occurrence is over, and one that goes on beyond what is in view."""
    zoom = "https://zoom.us/j/81234567890"
    stage.hold_meeting(email, "Daily", HOUR, recurrence="RRULE:FREQ=DAILY;COUNT=4")
    stage.hold_meeting(email, "Monthly", HOUR, recurrence="RRULE:FREQ=MONTHLY", link=zoom)
    connected = await stage.connect(provider, email)
    await stage.settle()
    for event in [e for e in await stage.events() if e.span and e.span.start == stage.now + HOUR]:
        wish = Wish(follow=True)
        user_id = connected.user_id
        await scheduling_series.schedule(stage.services, stage.context, user_id, event.id, wish)
    await stage.pass_time(HOUR - LEAD)
    stage.world.clock.advance(LEAD + timedelta(minutes=30))

    async def journey(services: Services) -> None:
        for work in await stage._due():
            if work[0] == "follow":
                await JOURNEYS["follow"](services, work[1], work[2])

    return journey


async def midnight(stage: Stage, provider: Provider, email: str) -> Journey:
    """The round of automatic scheduling, and that of watches which end soon."""
    stage.hold_meeting(email, "Tomorrow", 30 * HOUR)
    connected = await stage.connect(provider, email)
    user_id = connected.user_id
    await auto_schedule.switch(stage.services, stage.context, user_id, on=True)
    await stage.settle()
    stage.world.clock.advance(16 * HOUR)

    async def journey(services: Services) -> None:
        await JOURNEYS["nightly"](services, stage.context.tenant_id, "")
        await JOURNEYS["renewal"](services, stage.context.tenant_id, "")

    return journey


def at(place: int, *scenes: Scene) -> list[Any]:
    return [pytest.param(s, *PEOPLE[place], id=s.__name__) for s in scenes]


# At each provider what is peculiar to it; the effects are the same ones.
CASES = [
    *at(0, first_sync, withdrawn, renewal, farewell, departure, recall, completion, delivery),
    *at(1, later_sync, claims, rules, followed, midnight),
]


@pytest.mark.parametrize(("scene", "provider", "email"), CASES)
async def test_a_killed_journey_ends_as_an_undisturbed_one(
    scene: Scene,
    provider: Provider,
    email: str,
    emptied: Callable[[], str],
    tmp_path: Path,
) -> None:
    async def ending(at: int) -> tuple[dict[str, Any], Fuse]:
        async with set_stage(emptied(), tmp_path / str(at)) as stage:
            fuse = Fuse(at)
            journey = await scene(stage, provider, email)
            with suppress(Killed):
                await journey(mortal(stage.services, fuse))
            for _ in range(2):
                await stage.pass_time(LEASES)
            return await picture(stage), fuse

    expected, whole = await ending(NEVER)

    for number in range(1, len(whole.effects) + 1):
        found, fuse = await ending(number)
        assert found == expected, f"killed after {number}: {fuse.effects}"


async def picture(stage: Stage) -> dict[str, Any]:
    """Say how everything stands, without ids and times."""
    rows = {name: await stage.look(statement) for name, statement in ROWS.items()}
    events = sorted((str(e.content.title), e.status) for e in await stage.events())
    orders = [(bot.body["metadata"]["title"], bot.status) for bot in stage.fleet.bots.values()]
    bots = [
        (b.content.title, b.status, b.reason, b.stopped_by, b.fleet_bot_id is None)
        for b in await stage.bots()
    ]
    told = [(kind, data.get("status"), data.get("reason")) for kind, data in await stage.told()]
    return rows | {
        "events": events,
        "orders": sorted(orders),
        "bots": sorted(bots),
        "told": Counter(told),
        "received": Counter({(m.id, m.inbox) for m in stage.received}).total(),
    }


ROWS = {
    "connections": "select status, removed_at is null, grant_sealed = '', refresh_lease_until"
    " from connections order by provider",
    "calendars": "select is_primary, selected, push, cursor is null, error_code, lease_id,"
    " due_at is null, push_due_at is null from calendars order by is_primary, push",
    "deleted": "select count(*) from events where is_deleted",
    "undecided": "select count(*) from events where decide_due_at is not null",
    "decisions": "select action, source, reason, count(*) from decisions group by 1, 2, 3"
    " order by 1, 2, 3",
    "leases": "select count(*) from bots where lease_id is not null",
    "deliveries": "select type, status, count(*) from deliveries group by 1, 2 order by 1, 2",
    "series": "select follows, slot, due_at is null from series order by slot",
    "rounds": "select nightly_due_at, renewal_due_at from tenants",
    "watches": "select state, count(*) from watches group by 1 order by 1",
}


async def test_a_consent_that_was_killed_halfway_starts_over(
    emptied: Callable[[], str], tmp_path: Path
) -> None:
    for at in count(1):
        async with set_stage(emptied(), tmp_path / str(at)) as stage:
            link = await stage.consent_link(Provider.GOOGLE)
            answer = await allowed(stage.transport, link, email=ANN)
            fuse = Fuse(at)
            try:
                await connect.finish(mortal(stage.services, fuse), Provider.GOOGLE, answer)
            except Killed:
                again = await stage.connect(Provider.GOOGLE, ANN)
                await stage.settle()
            else:
                break
            (connection,) = await stage.connections(again.user_id)
            assert (again.error_code, connection.status) == (None, "active")
            assert await stage.look("select error_code, push from calendars") == [(None, "active")]
    assert at == 4


async def test_a_message_that_was_posted_by_a_dying_process_comes_again_under_its_id(
    stage: Stage,
) -> None:
    endpoint_id = await stage.listen()
    await deliver.send_test(stage.services, stage.context, endpoint_id)
    ((kind, tenant_id, row_id),) = [due for due in await stage._due() if due[0] == "deliver"]

    with pytest.raises(Killed):
        await JOURNEYS[kind](mortal(stage.services, Fuse(2)), tenant_id, row_id)
    await stage.pass_time(timedelta(seconds=6))

    assert len(stage.received) == 2
    assert len({message.id for message in stage.received}) == 1
    ((attempts, number),) = await stage.look(
        "select d.attempts_made, a.number from deliveries d"
        " join delivery_attempts a on a.delivery_id = d.id"
    )
    assert (attempts, number) == (1, 1)  # what a dying worker tried puts no retry off
