"""Whatever happens in two calendars, to the notices and to the workers: in the end all is right."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from meetbot_calendar.bots.model import FINAL, Bot
from meetbot_calendar.calendars.changes import diff
from meetbot_calendar.calendars.model import Calendar, ChangePage, StoredEvent
from meetbot_calendar.journeys import grants
from meetbot_calendar.journeys.watching import reference
from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.meetings import Meeting, slot_key
from meetbot_calendar.storage import events
from meetbot_calendar.worker.tasks import JOURNEYS
from tests.journeys.killing import Fuse, Killed, mortal
from tests.journeys.stage import ANN, BOB, MEET, PEOPLE, Stage, set_stage
from tests.journeys.trouble import silence

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LEASES = timedelta(minutes=6)
ZOOM = "https://us02web.zoom.us/j/81234567890"
RULES = ("", "RRULE:FREQ=DAILY;COUNT=3")

Act = Callable[["Story", int, int], Awaitable[object]]


class Story(msgspec.Struct):
    """A stage on which anything may happen. ``which`` and ``how`` are drawn numbers."""

    stage: Stage
    held: list[Meeting] = []

    def meeting(self, which: int) -> Meeting | None:
        return self.held[which % len(self.held)] if self.held else None

    def slot(self, meeting: Meeting, how: int) -> str | None:
        """Name an occurrence, now and then, of a series."""
        if not meeting.recurrence or how % 2:
            return None
        return slot_key(meeting.start + DAY * (how % 3), all_day=False)


async def hold(story: Story, which: int, how: int) -> None:
    organizer, guest = ((ANN, BOB), (BOB, ANN))[which % 2]
    link = (MEET, ZOOM, "")[which % 3]
    guests = (guest,) if how % 3 else ()
    after = timedelta(minutes=7 * how)
    story.held.append(
        story.stage.hold_meeting(
            organizer, f"M{len(story.held)}", after, *guests, link=link, recurrence=RULES[how % 2]
        )
    )


async def move(story: Story, which: int, how: int) -> None:
    if meeting := story.meeting(which):
        start = story.stage.now + timedelta(minutes=11 * (how - 4))
        slot = story.slot(meeting, how)
        with suppress(ValueError):
            edits.move(story.stage.world, meeting.id, start, start + HOUR, slot)


async def cancel(story: Story, which: int, how: int) -> None:
    if meeting := story.meeting(which):
        edits.cancel(story.stage.world, meeting.id, story.slot(meeting, how))


async def rename(story: Story, which: int, how: int) -> None:
    if meeting := story.meeting(which):
        slot = story.slot(meeting, how)
        edits.edit(story.stage.world, meeting.id, slot, title=f"T{how}")


async def relink(story: Story, which: int, how: int) -> None:
    if meeting := story.meeting(which):
        edits.change_link(story.stage.world, meeting.id, (MEET, ZOOM, "")[how % 3])


async def decline(story: Story, which: int, how: int) -> None:
    meeting = story.meeting(which)
    for guest in meeting.guests if meeting else []:
        said = ("declined", "accepted")[how % 2]
        edits.respond(story.stage.world, meeting.id, guest.email, said)  # type: ignore[union-attr, arg-type]


async def lose_notices(story: Story, which: int, how: int) -> None:
    del which, how
    silence(story.stage)


async def lose_cursor(story: Story, which: int, how: int) -> None:
    del how
    story.stage.world.faults.add(("google.events", "microsoft.delta")[which % 2], "410")


async def trouble_fleet(story: Story, which: int, how: int) -> None:
    del how
    story.stage.world.faults.add("fleet.bots", ("lose_answer", "503", "unauthorized")[which % 3])


async def wait(story: Story, which: int, how: int) -> None:
    del which
    await story.stage.pass_time(timedelta(minutes=(0.5, 1.5, 5, 31, 300)[how % 5]))


async def work(story: Story, which: int, how: int) -> None:
    del which, how
    await story.stage.settle()


async def wake_twice(story: Story, which: int, how: int) -> None:
    """Let two workers find the same work."""
    del which, how
    await story.stage.hear()
    for kind, tenant_id, row_id in await story.stage._due():
        journey = JOURNEYS[kind]
        await asyncio.gather(*(journey(story.stage.services, tenant_id, row_id) for _ in range(2)))
    await asyncio.gather(story.stage.depart(), story.stage.depart())


async def crash(story: Story, which: int, how: int) -> None:
    """Let a worker die after some effects."""
    del which
    await story.stage.hear()
    services = mortal(story.stage.services, Fuse(1 + how % 7))
    with suppress(Killed):
        for kind, tenant_id, row_id in await story.stage._due():
            await JOURNEYS[kind](services, tenant_id, row_id)
        await msgspec.structs.replace(story.stage, services=services).depart()


ACTS: tuple[Act, ...] = (
    hold, move, move, cancel, cancel, rename, relink, decline, lose_notices, lose_cursor,
    trouble_fleet, wait, wait, work, wake_twice, crash, crash,
)  # fmt: skip
NUMBERS = (st.integers(0, 5), st.integers(0, 30))
BEGINNINGS = st.lists(st.tuples(*NUMBERS), min_size=2, max_size=4)
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), *NUMBERS), min_size=6, max_size=14)


@pytest.mark.timeout(300)  # ten whole stages
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes longer than we have
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(beginning=BEGINNINGS, steps=STEPS)
async def test_after_any_story_calendars_and_bots_are_as_the_world_says(
    emptied: Callable[[], str],
    tmp_path: Path,
    beginning: list[tuple[int, int]],
    steps: list[tuple[Act, int, int]],
) -> None:
    note(f"{beginning} {[(act.__name__, which, how) for act, which, how in steps]}")
    async with set_stage(emptied(), tmp_path) as stage:
        story = Story(stage, [])
        for which, how in beginning:
            await hold(story, which, how)
        for (provider, email), name in zip(PEOPLE, ("ann", "bob"), strict=True):
            await stage.onboard(provider, email, name)
        for act, which, how in steps:
            await act(story, which, how)
            alone(await stage.bots())

        stage.world.faults.clear()
        for _ in range(3):
            await stage.pass_time(LEASES)

        assert await differences(stage) == []
        await check_bots(stage)
        check_fleet(stage, await stage.bots())


def alone(bots: list[Bot]) -> None:
    """Check that no meeting has two bots that live."""
    live = [bot for bot in bots if bot.status not in FINAL]
    keys = [key for bot in live for key in bot.keys]
    assert len(keys) == len(set(keys)), [(bot.id, bot.status, bot.keys) for bot in live]


async def differences(stage: Stage) -> list[Any]:
    """Return what a full listing, read now, would still change."""
    found: list[Any] = []
    for (user_id,) in [(u,) for u in await stage.look("select id from calendar_users")]:
        for calendar in (await stage.calendars(user_id)).values():
            assert calendar.window is not None
            pages = await listed(stage, calendar)
            async with stage.services.database.tenant(stage.context.tenant_id) as session:
                ids = {e.platform_id for page in pages for e in page.events}
                kept: dict[str, StoredEvent] = await events.stored(
                    session, calendar.id, ids, set(), calendar.window
                )
            found += diff(kept, pages, window=calendar.window, full=True)
    return found


async def listed(stage: Stage, calendar: Calendar) -> list[ChangePage]:
    grant = await grants.fresh(stage.services, stage.context, calendar.connection_id)
    assert calendar.window is not None
    pages = stage.services.providers[calendar.provider].changes(
        grant, reference(calendar), cursor=None, window=calendar.window
    )
    return [page async for page in pages]


async def check_bots(stage: Stage) -> None:
    """Check that there is a bot for what is wanted, at its time, and for nothing else."""
    wanted: dict[str, set[str]] = {
        event_id: set(keys)
        for event_id, keys in await stage.look(
            "select e.id, e.meeting_keys from events e join decisions d"
            " on d.event_id = e.id and d.version = e.decided_version"
            " where d.action = 'record' and not e.is_deleted and e.end_at > :now",
            now=stage.now,
        )
    }
    bots = await stage.bots()
    alone(bots)
    starts = {event.id: event.span.start for event in await stage.events() if event.span}
    waiting = [bot for bot in bots if bot.status == "scheduled"]
    for bot in waiting:
        assert bot.event_ids, bot
        assert set(bot.event_ids) <= wanted.keys(), bot
        assert bot.start in {starts[event_id] for event_id in bot.event_ids}, bot
    serving = [bot for bot in bots if bot.status != "cancelled"]  # an ended one is remembered
    served = {key for bot in serving for key in bot.keys}
    served |= {key for bot in serving for e in bot.event_ids for key in wanted.get(e, ())}
    assert [event_id for event_id, keys in wanted.items() if not keys & served] == []
    assert await stage.look("select count(*) from events where decide_due_at is not null") == [0]


def check_fleet(stage: Stage, bots: list[Bot]) -> None:
    """Check that the fleet was asked for the same, and has no bot that we do not know of."""
    conflicts = [each for each in stage.fleet.refused if each["status"] == 409]
    out = {bot.id for bot in bots if bot.status not in FINAL}
    live = {
        b.body["bot_id"] for b in stage.fleet.bots.values() if b.status in ("accepted", "joined")
    }
    assert (conflicts, live - out) == ([], set())
