"""The HTTP door with the whole sandbox outside: people with accounts, meetings, a fleet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from meetbot_calendar.journeys import keys
from meetbot_calendar.journeys.keys import KeyWish
from tests.journeys.stage import Stage
from tests.web.house import Door, app_of, client_of


class Staged(msgspec.Struct, kw_only=True):
    """A stage, and a door that a key of its tenant opens."""

    stage: Stage
    door: Door

    def with_key(self, key: str) -> Door:
        return Door(self.door.client, key)


@asynccontextmanager
async def staged_of(stage: Stage) -> AsyncIterator[Staged]:
    """Open the door of a stage."""
    made = await keys.create_key(stage.services, stage.context, KeyWish(name="tests"))
    async with client_of(app_of(stage.services)) as client:
        yield Staged(stage=stage, door=Door(client, made.secret))
