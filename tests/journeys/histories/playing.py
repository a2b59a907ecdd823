"""Plays one history from its seed, and says what is wrong at its end."""

import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec

from meetbot_calendar.calendars.model import Provider
from tests.journeys.histories import edits, troubles
from tests.journeys.histories.pictures import differences
from tests.journeys.histories.story import CY, DAY, DEE, Act, Story
from tests.journeys.stage import PEOPLE, Stage, set_stage
from tests.journeys.truths import alone, check_bots, check_fleet

_PAGE = 100  # an endless series is told as 700 occurrences
_POLL = timedelta(minutes=6)  # the interval, and what a dead worker's lease may add
_EDITS: Sequence[Act] = (
    edits.hold, edits.hold, edits.hold, edits.move, edits.move, edits.cancel, edits.cancel,
    edits.rename, edits.relink, edits.answer, edits.answer, edits.split, edits.repeat,
    edits.invite, edits.uninvite, edits.throw_away, edits.hide, edits.touch,
    edits.open_calendar, edits.share, edits.share, edits.close_calendar,
)  # fmt: skip
KINDS: dict[str, tuple[Act, ...]] = {
    "edits alone": (),
    "lost pushes": (troubles.lose_notices, troubles.lose_watches),
    "lifecycle, lost answers": (troubles.lifecycle, troubles.lose_watch_answer),
    "throttling": (troubles.throttle, troubles.throttle),
    "outages, odd pages": (troubles.break_down, troubles.odd_pages),
    "expired cursors": (troubles.lose_cursor, troubles.forget_history),
    "revocation, reconnection": (
        troubles.revoke, troubles.reconnect, troubles.refuse_access_token,
    ),
    "crashes, double work": (troubles.crash, troubles.crash, troubles.wake_twice),
    "clock jumps": (troubles.wait_days,),
    "everything": (
        troubles.lose_notices, troubles.lose_watches, troubles.lifecycle,
        troubles.lose_watch_answer, troubles.throttle, troubles.break_down, troubles.odd_pages,
        troubles.lose_cursor, troubles.revoke, troubles.reconnect, troubles.crash,
        troubles.crash, troubles.wake_twice, troubles.wait_days, troubles.trouble_fleet,
    ),
}  # fmt: skip
_NAMES = tuple(KINDS)
# Shortly before Berlin and New York change their clocks, and no clock change at all.
_BEGINNINGS = (0, 102, 118, 331)  # days after the stage's first day


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a history ended: its kind, what happened in it, and what is wrong."""

    seed: int
    kind: str
    told: tuple[str, ...]
    wrong: tuple[str, ...]


async def play(database_url: str, folder: Path, seed: int) -> Ended:
    """Play a history to its end."""
    kind = _NAMES[seed % len(_NAMES)]
    story: Story | None = None
    try:
        async with set_stage(database_url, folder, page_size=_PAGE) as stage:
            story = Story(stage, Random(seed), [], {}, [])  # noqa: S311 - told again by its seed
            await _happen(story, KINDS[kind])
            wrong = await _end(story)
    except Exception:  # noqa: BLE001 - a history that breaks is a finding, and the next one begins
        wrong = traceback.format_exc().splitlines()[-12:]
    return Ended(seed=seed, kind=kind, told=tuple(story.told if story else ()), wrong=tuple(wrong))


async def _happen(story: Story, trouble: tuple[Act, ...]) -> None:
    stage, dice = story.stage, story.dice
    stage.world.clock.advance(dice.choice(_BEGINNINGS) * DAY)
    stage.world.directory.add_account("google", CY, "Cy", zone="America/New_York")
    stage.world.directory.add_account("outlook", DEE, "Dee", zone="Europe/Berlin")
    for _ in range(dice.randint(2, 5)):
        await _do(story, edits.hold)
    await _do(story, edits.open_calendar)
    for provider, email in PEOPLE:
        name = email.partition("@")[0]
        story.users[email] = await stage.onboard(provider, email, name)
    for _ in range(dice.randint(10, 22)):
        await _do(story, _choose(dice, trouble))
        alone(await stage.bots())


def _choose(dice: Random, trouble: tuple[Act, ...]) -> Act:
    luck = dice.random()
    if trouble and luck < 0.3:
        return dice.choice(trouble)
    if luck < 0.5:
        return dice.choice((troubles.wait, troubles.wait, troubles.work))
    return dice.choice(_EDITS)


async def _do(story: Story, act: Callable[[Story], object]) -> None:
    story.told.append(act.__name__)
    await act(story)  # type: ignore[misc]


async def _end(story: Story) -> list[str]:
    """Let the trouble be over, and look after one poll; who was backing off has an hour more."""
    stage = story.stage
    stage.world.faults.clear()
    await _connect_again(story)
    behind = await _backing_off(stage)
    await stage.pass_time(_POLL)
    wrong: list[str] = []
    if behind:
        await stage.pass_time(timedelta(hours=3))
    for provider, email in PEOPLE:
        wrong += await differences(stage, provider, email)
    if not wrong:
        await check_bots(stage)
        check_fleet(stage, await stage.bots())
    return wrong


async def _connect_again(story: Story) -> None:
    for provider, email in PEOPLE:
        account = story.account(provider, email)
        refused = story.world.grants.grant_of(f"{provider}-1", account.key) is None
        (connection,) = await story.stage.connections(story.users[email])
        if refused or connection.status == "needs_reauth":
            name = email.partition("@")[0]
            await story.stage.connect(Provider(provider), email, customer_user_id=name)


async def _backing_off(stage: Stage) -> bool:
    found = await stage.look(
        "select count(*) from calendars where selected and (failures > 0 or held_until > :now)",
        now=stage.now,
    )
    return bool(found[0])
