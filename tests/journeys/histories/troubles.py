"""What goes wrong: at the providers, on the way, and in our own processes."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import msgspec

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox.microsoft.notices import LIFECYCLE, send_lifecycle
from meetbot_calendar.worker.tasks import JOURNEYS
from tests.journeys.histories.story import Story
from tests.journeys.killing import Fuse, Killed, mortal
from tests.journeys.trouble import EVENTS, LISTS, PUSHES, TOKENS, WATCHES

_REFUSALS = {
    Provider.GOOGLE: ("403_rate", "403_user_rate", "429", "403_quota"),
    Provider.OUTLOOK: ("429",),
}
_DOWN = {
    Provider.GOOGLE: ("500", "503_json", "503_html"),
    Provider.OUTLOOK: ("500", "503_json", "503_mailbox", "504_json", "503_html"),
}
_PAGES = {
    Provider.GOOGLE: ("empty_page", "loop_pages"),
    Provider.OUTLOOK: ("empty_page", "repeat", "lag"),
}


async def lose_notices(story: Story) -> None:
    """Lose the next notices of one provider, or all of them until the trouble is over."""
    provider, _ = story.person()
    story.world.faults.add(PUSHES[provider], "drop", times=story.dice.choice((1, 3, -1)))


async def lose_cursor(story: Story) -> None:
    """Let the provider forget our place."""
    provider, _ = story.person()
    kinds = ("410",) if provider is Provider.GOOGLE else ("410", "400_sync_state", "404_sync_state")
    story.world.faults.add(EVENTS[provider], story.dice.choice(kinds))


async def forget_history(story: Story) -> None:
    """Make every cursor of one calendar worthless."""
    provider, email = story.person()
    calendar = story.dice.choice(story.calendars_of(story.account(provider, email)))
    calendar.epoch += 1


async def throttle(story: Story) -> None:
    provider, _ = story.person()
    where = story.dice.choice((EVENTS, EVENTS, LISTS, WATCHES))[provider]
    kind = story.dice.choice(_REFUSALS[provider])
    seconds = story.dice.choice((2, 40, 900))
    story.world.faults.add(where, kind, times=story.dice.randint(1, 2), retry_after=seconds)


async def break_down(story: Story) -> None:
    """Let the provider be down for a call or two."""
    provider, _ = story.person()
    where = story.dice.choice((EVENTS, EVENTS, LISTS, WATCHES, TOKENS))[provider]
    kind = story.dice.choice(_DOWN[provider])
    if where is TOKENS[provider]:
        kind = "503_html"
    story.world.faults.add(where, kind, times=story.dice.randint(1, 2))


async def odd_pages(story: Story) -> None:
    """Let pages come empty, twice, or late."""
    provider, _ = story.person()
    kind = story.dice.choice(_PAGES[provider])
    story.world.faults.add(EVENTS[provider], kind, times=story.dice.randint(1, 2))


async def refuse_access_token(story: Story) -> None:
    provider, _ = story.person()
    story.world.faults.add(EVENTS[provider], "401")


async def lose_watch_answer(story: Story) -> None:
    """Let the provider make a watch whose answer we never get."""
    provider, _ = story.person()
    story.world.faults.add(WATCHES[provider], "lose_answer")


async def revoke(story: Story) -> None:
    """Let a person withdraw the permission at the provider."""
    provider, email = story.person()
    story.world.grants.revoke_account(story.account(provider, email).key)


async def reconnect(story: Story) -> None:
    """Let a person connect again, whether or not they must."""
    provider, email = story.person()
    name = email.partition("@")[0]
    with suppress(AssertionError):
        await story.stage.connect(provider, email, customer_user_id=name)


async def lifecycle(story: Story) -> None:
    """Let Graph say that a subscription is ended, paused, or missed something."""
    watches = [w for w in story.world.state.watches.values() if w.provider == "outlook"]
    if watches:
        send_lifecycle(story.world, story.dice.choice(watches), story.dice.choice(LIFECYCLE))


async def lose_watches(story: Story) -> None:
    """Let a provider forget every watch, without a word."""
    provider, _ = story.person()
    state = story.world.state
    for watch in [w for w in state.watches.values() if w.provider == provider.value]:
        del state.watches[watch.id]


async def trouble_fleet(story: Story) -> None:
    kind = story.dice.choice(("lose_answer", "503", "unauthorized"))
    story.world.faults.add("fleet.bots", kind)


async def wait(story: Story) -> None:
    await story.stage.pass_time(timedelta(minutes=story.dice.choice((0.5, 1.5, 5, 31, 300))))


async def wait_days(story: Story) -> None:
    """Let days pass: windows roll, watches lapse, tokens age, clocks change."""
    await story.stage.pass_time(timedelta(days=story.dice.choice((1, 2, 6, 8, 15))))


async def work(story: Story) -> None:
    await story.stage.settle()


async def wake_twice(story: Story) -> None:
    """Let two workers find the same work."""
    stage = story.stage
    await stage.hear()
    for kind, tenant_id, row_id in await stage._due():
        journey = JOURNEYS[kind]
        await asyncio.gather(*(journey(stage.services, tenant_id, row_id) for _ in range(2)))
    await asyncio.gather(stage.depart(), stage.depart())


async def crash(story: Story) -> None:
    """Let a worker die after some effects."""
    stage = story.stage
    await stage.hear()
    services = mortal(stage.services, Fuse(story.dice.randint(1, 9)))
    with suppress(Killed):
        for kind, tenant_id, row_id in await stage._due():
            await JOURNEYS[kind](services, tenant_id, row_id)
        await msgspec.structs.replace(stage, services=services).depart()
