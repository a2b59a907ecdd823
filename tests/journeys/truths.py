"""What must be true of bots at any moment, and when everything has come to rest."""

from meetbot_calendar.bots.model import FINAL, Bot
from tests.journeys.stage import Stage


def alone(bots: list[Bot]) -> None:
    """Check that no meeting has two bots that live."""
    live = [bot for bot in bots if bot.status not in FINAL]
    keys = [key for bot in live for key in bot.keys]
    assert len(keys) == len(set(keys)), [(bot.id, bot.status, bot.keys) for bot in live]


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
