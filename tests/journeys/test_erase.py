"""A person is erased: nothing of them stays here, and nothing of theirs stays out there."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import Missing
from meetbot_calendar.journeys import connect, erase, keys, once, policy, steer, users
from meetbot_calendar.journeys.keys import KeyWish
from meetbot_calendar.journeys.once import KeptAnswer, Ticket
from meetbot_calendar.journeys.users import UserChange
from meetbot_calendar.storage.tables import connections
from tenants.storage.session import Database, open_engine
from tests.gateways.far_ends import allowed
from tests.journeys.stage import ANN, BOB, Stage
from tests.journeys.trouble import silence
from tests.storage.rooms import PlainCiphers
from tests.storage.test_every_table import OF_TENANT

HOUR = timedelta(hours=1)
LEAD = timedelta(seconds=90)
TOLD = "ann-at-the-customer"


def is_granted(stage: Stage) -> bool:
    return stage.world.grants.grant_of("google-1", f"google:{ANN}") is not None


def fleet_bots(stage: Stage) -> list[str]:
    return [bot.status for bot in stage.fleet.bots.values()]


async def left(stage: Stage) -> list[int]:
    tables = ("calendar_users", "connections", "calendars", "events", "bots", "messages")
    return [(await stage.look(f"select count(*) from {table}"))[0] for table in tables]  # noqa: S608


class Interrupted:
    """A fleet that something happens at while it answers."""

    def __init__(self, fleet: Any, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._fleet = fleet
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fleet, name)

    async def send(self, order: Order) -> str:
        answer: str = await self._fleet.send(order)
        await self._meanwhile()
        return answer


async def test_who_is_erased_while_the_fleet_is_asked_leaves_no_bot_out_there(
    stage: Stage,
) -> None:
    stage.fleet.config.join_delay_seconds = 3600.0
    stage.hold_meeting(ANN, "Now", 2 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    silence(stage)
    stage.world.clock.advance(2 * HOUR - LEAD)

    async def meanwhile() -> None:
        await erase.erase_user(stage.services, stage.context, user_id)

    fleet: Any = Interrupted(stage.services.fleet, meanwhile)
    busy = msgspec.structs.replace(stage.services, fleet=fleet)
    await msgspec.structs.replace(stage, services=busy).depart()
    await stage.settle()

    assert fleet_bots(stage) == ["recalled"]
    assert await left(stage) == [0, 0, 0, 0, 0, 0]


async def test_a_bot_whose_sending_was_never_answered_is_asked_about_and_called_back(
    stage: Stage,
) -> None:
    stage.fleet.config.join_delay_seconds = 3600.0
    stage.hold_meeting(ANN, "Now", 2 * HOUR)
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    silence(stage)
    stage.world.faults.add("fleet.bots", "lose_answer")
    stage.world.clock.advance(2 * HOUR - LEAD)
    await stage.depart()

    await erase.erase_user(stage.services, stage.context, user_id)
    await stage.pass_time(timedelta(seconds=30))

    assert fleet_bots(stage) == ["recalled"]
    assert await left(stage) == [0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("overrun", [timedelta(0), HOUR])
async def test_a_bot_in_a_meeting_is_called_back_however_long_that_lasts(
    stage: Stage, overrun: timedelta
) -> None:
    stage.fleet.config.recording_seconds = 7200.0
    stage.hold_meeting(ANN, "Now", timedelta(minutes=1))
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    await stage.pass_time(timedelta(minutes=5) + overrun)
    stage.world.faults.add("fleet.bots", "503", times=1)

    await erase.erase_user(stage.services, stage.context, user_id)
    for _ in range(2):
        await stage.pass_time(timedelta(minutes=1))

    assert fleet_bots(stage) == ["recalled"]
    assert await left(stage) == [0, 0, 0, 0, 0, 0]


async def test_a_grant_outlives_its_person_namelessly_until_it_is_given_back(
    stage: Stage,
) -> None:
    user_id = await stage.onboard(Provider.GOOGLE, ANN)
    stage.world.faults.add("google.revoke", "503_json", times=1)

    await erase.erase_user(stage.services, stage.context, user_id)
    await stage.settle()

    with pytest.raises(Missing):
        await users.read_user(stage.services, stage.context, user_id)
    ((account_id, whose),) = await stage.look("select account_id, user_id from connections")
    assert (is_granted(stage), account_id.startswith("con_"), whose) == (True, True, user_id)
    await stage.pass_time(timedelta(minutes=6))
    assert is_granted(stage) is False
    assert await left(stage) == [0, 0, 0, 0, 0, 0]


async def test_the_tenants_id_of_an_erased_person_may_be_used_anew(stage: Stage) -> None:
    old = await stage.onboard(Provider.GOOGLE, ANN)
    stage.world.faults.add("google.revoke", "503_json", times=-1)

    await erase.erase_user(stage.services, stage.context, old)
    fresh = await stage.onboard(Provider.OUTLOOK, BOB)

    assert fresh != old
    assert [c.account_id for c in await stage.connections(fresh)] == [BOB]


async def test_a_consent_that_comes_back_after_the_erasure_connects_nobody(stage: Stage) -> None:
    user_id = await stage.onboard(Provider.OUTLOOK, BOB)
    link = await stage.consent_link(Provider.GOOGLE)
    answer = await allowed(stage.transport, link, email=ANN)

    await erase.erase_user(stage.services, stage.context, user_id)

    with pytest.raises(Missing):
        await connect.finish(stage.services, Provider.GOOGLE, answer)


async def test_a_bot_that_serves_somebody_else_goes_on_without_the_erased_name(
    stage: Stage,
) -> None:
    stage.fleet.config.join_delay_seconds = 3600.0
    stage.hold_meeting(ANN, "Both", timedelta(minutes=1), BOB)
    user_id = await stage.onboard(Provider.GOOGLE, ANN, TOLD)
    bob = await stage.onboard(Provider.OUTLOOK, BOB, "bob")

    await erase.erase_user(stage.services, stage.context, user_id)
    await stage.settle()

    (bot,) = await stage.bots()
    assert (bot.status, bot.user_ids, bot.content.order) == ("dispatched", (bob,), None)
    assert await stage.look("select count(*) from messages where bot_id is not null") == [0]


async def _live_a_little(stage: Stage) -> Any:
    """Leave something of Ann in every table."""
    await stage.listen()
    stage.fleet.config.join_delay_seconds = 3600.0
    stage.hold_meeting(ANN, "Her surgery", timedelta(minutes=1))
    stage.hold_meeting(ANN, "Her divorce", HOUR, link="https://zoom.us/j/81234567890")
    user_id = await stage.onboard(Provider.GOOGLE, ANN, TOLD)
    change = UserChange(attributes={"team": "Her team"}, bot_config={"bot_name": "Her notes"})
    await users.change_user(stage.services, stage.context, user_id, change)
    for bot in await stage.bots():
        if bot.content.title == "Her surgery":
            await steer.cancel_bot(stage.services, stage.context, bot.id)
    await keys.create_key(stage.services, stage.context, KeyWish(name="Her phone", user_id=user_id))
    await policy.save_app(stage.services, stage.context, Provider.GOOGLE, "own", "secret")
    ticket = Ticket(context=stage.context, key="k", fingerprint=b"f")
    await once.begin(stage.services, ticket)
    event = (await stage.events())[0]
    body = msgspec.json.encode({"event": {"id": event.id, "title": event.content.title}})
    await once.keep(stage.services, ticket, KeptAnswer(status=200, content_type="", body=body))
    await stage.consent_link(Provider.OUTLOOK, TOLD)
    await stage.settle()
    return user_id


async def test_after_an_erasure_no_table_says_anything_of_the_person_sealed_or_not(
    stage: Stage, database_url: str
) -> None:
    engine = open_engine(database_url, pool_size=3)
    plain = msgspec.structs.replace(stage.services, database=Database(engine, PlainCiphers()))
    front = msgspec.structs.replace(stage.front, database=plain.database)
    open_stage = msgspec.structs.replace(stage, services=plain, front=front)
    user_id = await _live_a_little(open_stage)
    await users.read_user(plain, stage.context, user_id)
    before = await _tables_that_tell(open_stage)

    await erase.erase_user(plain, stage.context, user_id)
    await open_stage.settle()
    for _ in range(3):
        await open_stage.pass_time(timedelta(minutes=1))
    after = await _tables_that_tell(open_stage)
    await engine.dispose()

    assert set(before) >= {
        "calendar_users", "connections", "calendars", "events", "bots", "messages",
        "oauth_states", "idempotency_keys", "api_keys",
    }  # fmt: skip
    assert after == {}


async def _tables_that_tell(stage: Stage) -> dict[str, set[str]]:
    """Say which tables hold one of Ann's marks: as text, or in bytes that hide nothing here."""
    marks = ("ann@acme", TOLD, "Her ", "ann")
    found: dict[str, set[str]] = {}
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        for table in OF_TENANT:
            rows = await session.execute(connections.metadata.tables[table].select())
            for row in rows:
                values = [v if isinstance(v, bytes) else str(v).encode() for v in row]
                told = {mark for mark in marks for v in values if mark.encode() in v}
                if told:
                    found.setdefault(table, set()).update(told)
    return found
