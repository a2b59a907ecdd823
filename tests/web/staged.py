"""The HTTP door with the whole sandbox outside: people with accounts, meetings, a fleet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from httpx import Response

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import keys
from meetbot_calendar.journeys.keys import KeyWish
from meetbot_calendar.sandbox.meetings import Guest
from tests.gateways.far_ends import allowed
from tests.journeys.stage import ANN, BOB, Stage
from tests.web.house import Door, Json, app_of, client_of

RECORD_ALL: Json = {"default": "record", "rules": []}
SKIP_ALL: Json = {"default": "skip", "rules": []}
EMAILS = {Provider.GOOGLE: ANN, Provider.OUTLOOK: BOB}


class Staged(msgspec.Struct, kw_only=True):
    """A stage, and a door that a key of its tenant opens."""

    stage: Stage
    door: Door

    def with_key(self, key: str | None) -> Door:
        return Door(self.door.client, key)

    async def person_key(self, user_id: str) -> Door:
        """Make a key that is bound to one calendar user."""
        made = await self.door.post("/v1/api-keys", {"name": "phone", "user_id": user_id})
        return self.with_key(made.json()["key"])

    async def consent(self, provider: Provider, body: Json, **form: str) -> Response:
        """Walk through a consent as a browser does; returns what it is shown in the end."""
        link = (await self.door.post(f"/v1/calendar/connect/{provider}", body)).json()
        answer = await allowed(self.stage.transport, link["url"], email=EMAILS[provider], **form)
        return await self.returning(provider, answer)

    async def returning(self, provider: str, answer: dict[str, str]) -> Response:
        """Come back from the provider with an answer, and no key."""
        path = f"/v1/calendar/oauth/callback/{provider}?{urlencode(answer)}"
        return await self.with_key(None).get(path)

    async def meet(self, title: str, *, hours: float = 1, link: str = "", **facts: Any) -> None:
        """Put a meeting of half an hour into Ann's calendar."""
        start = self.stage.now + timedelta(hours=hours)
        guests = [Guest(email="dana@customer.example", response="accepted")]
        end = start + timedelta(minutes=30)
        self.stage.world.add_meeting(ANN, title, start, end, attendees=guests, link=link, **facts)

    async def ann(self) -> str:
        """Connect Ann's account, read it, and return her id."""
        connected = await self.stage.connect(Provider.GOOGLE, ANN)
        await self.stage.settle()
        return connected.user_id


@asynccontextmanager
async def staged_of(stage: Stage) -> AsyncIterator[Staged]:
    """Open the door of a stage."""
    made = await keys.create_key(stage.services, stage.context, KeyWish(name="tests"))
    async with client_of(app_of(stage.answered)) as client:
        yield Staged(stage=stage, door=Door(client, made.secret))
