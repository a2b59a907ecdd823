"""Rows of before names were sealed: sealed at a tenant's first session, and found as before."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import endpoints, users
from meetbot_calendar.journeys.paging import PageWish
from meetbot_calendar.sandbox.edits import move
from meetbot_calendar.storage.sealing import seal_names
from meetbot_calendar.wiring import ContentCiphers
from tenants.identity import TenantId
from tenants.storage.session import Database, open_engine
from tests.journeys.killing import Killed
from tests.journeys.stage import ANN, BOB, Stage

HOUR = timedelta(hours=1)
WORDS = (ANN, BOB, "Ann", "Bob", "'ann-at-acme'", "/customer/webhooks", "Our own")
CLEAR = {ANN, "Ann", "'ann-at-acme'", "/customer/webhooks", "Our own"}
TABLES = ("tenants", "calendar_users", "connections", "calendars", "events", "bots")


class InClear:
    """A cipher that names nothing: what it writes is what rows of before held."""

    def __init__(self, cipher: Any) -> None:
        self.seal = cipher.seal
        self.open = cipher.open

    def name(self, kind: str, value: str) -> str:
        del kind
        return value


class InClearCiphers:
    def __init__(self, ciphers: ContentCiphers) -> None:
        self._ciphers = ciphers

    async def content(self, tenant_id: TenantId) -> InClear:
        return InClear(await self._ciphers.content(tenant_id))


def on(stage: Stage, database: Database) -> Stage:
    services = msgspec.structs.replace(stage.services, database=database)
    front = msgspec.structs.replace(stage.front, database=database)
    return msgspec.structs.replace(stage, services=services, front=front)


async def told(stage: Stage) -> set[str]:
    """Say which words of people lie in the rows in clear."""
    rows = repr([await stage.look(f"select * from {table}") for table in TABLES])  # noqa: S608
    rows += repr(await stage.look("select * from webhook_endpoints"))
    return {word for word in WORDS if word in rows}


@pytest.fixture
async def grown(stage: Stage, database_url: str) -> AsyncIterator[Stage]:
    """The stage as a version of before left it, opened by this one as a process opens it."""
    engine = open_engine(database_url, pool_size=4)
    ciphers = ContentCiphers(stage.services.keyring, stage.services.clock)
    before = on(stage, Database(engine, InClearCiphers(ciphers)))
    stage.hold_meeting(ANN, "Both", HOUR, BOB)
    await before.onboard(Provider.GOOGLE, ANN, "ann-at-acme")
    await before.listen()
    url = f"{stage.sandbox_url}/customer/webhooks/acme"
    async with before.services.database.tenant(stage.context.tenant_id) as session:
        for statement in (
            "update calendar_users set about = null",
            "update connections set about = null, name = 'Ann'",
            "update calendars set about = null, name = account_id from connections",
            "update webhook_endpoints set about = null, url = :url, description = 'Our own'",
            "update tenants set names_in_clear = true",
        ):
            await session.execute(text(statement), {"url": url} if ":url" in statement else {})
    assert await told(stage) == CLEAR
    yield on(stage, Database(engine, ciphers, seal_names))
    await engine.dispose()


async def test_a_tenant_of_before_is_sealed_before_its_first_session(grown: Stage) -> None:
    (user_id,) = await grown.look("select id from calendar_users")

    (connection,) = await grown.connections(user_id)
    events = await grown.events()

    listed = await endpoints.list_endpoints(grown.services, grown.context, PageWish(limit=1))
    user = await users.read_user(grown.services, grown.context, user_id)
    assert (connection.account_id, connection.name) == (ANN, "Ann")
    assert [each.description for each in listed.results] == ["Our own"]
    assert user.customer_user_id == "ann-at-acme"
    assert [event.account_id for event in events] == [ANN]
    assert await told(grown) == set()
    assert await grown.look("select names_in_clear from tenants") == [False]


async def test_what_was_sealed_is_found_again_by_its_account_its_calendar_and_its_meeting(
    grown: Stage,
) -> None:
    (bot,) = await grown.bots()
    await grown.connect(Provider.GOOGLE, ANN, customer_user_id="ann-at-acme")
    await grown.onboard(Provider.OUTLOOK, BOB, "bob")
    (meeting,) = grown.world.state.meetings.values()
    start = grown.now + 3 * HOUR
    move(grown.world, meeting.id, start, start + HOUR)
    await grown.settle()

    assert await grown.look("select count(*) from calendar_users") == [2]
    assert await grown.look("select count(*) from connections") == [2]
    assert "bot.rescheduled" in [message.type for message in grown.received]
    (after,) = await grown.bots()
    assert (after.id, after.start, len(after.user_ids)) == (bot.id, start, 2)


async def test_who_is_killed_while_sealing_leaves_all_as_it_was(grown: Stage, stage: Stage) -> None:
    async def die(session: Any) -> None:
        await seal_names(session)
        raise Killed

    database: Any = grown.services.database
    mortal = Database(database._engine, database._ciphers, die)
    with pytest.raises(Killed):
        async with mortal.tenant(grown.context.tenant_id):
            pass
    left = await told(stage)

    await grown.events()

    assert left == CLEAR
    assert await told(grown) == set()
