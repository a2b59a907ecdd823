"""Two tenants who both have everything, on one stage: Acme, the victim, and Mallory, who attacks.

It is set once for all attacks. An attack may change what is Mallory's; that nothing of Acme's has
changed is looked at in the end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from httpx import AsyncClient, Response  # noqa: TID251 - to our own door

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import keys, once, policy, scheduling_series, steer, tenants
from meetbot_calendar.journeys.keys import KeyWish
from meetbot_calendar.journeys.once import Ticket
from meetbot_calendar.journeys.scheduling_series import Wish
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.storage import calendars
from meetbot_calendar.storage.tables import metadata
from tenants.identity import CalendarUserId, TenantContext, TenantId
from tests.journeys.stage import ANN, BOB, Stage, set_stage
from tests.web.house import OPERATOR_KEY, Door, app_of, client_of

HOUR = timedelta(hours=1)
EVE, MALLORY = "eve@mallory.example", "mallory@mallory.example"
SECRET_WORDS = "Merger with Initech"
TOO_MANY = 429

# What a tenant writes and providers tell, as it lies in columns that are not sealed.
_NAMES = ("account_id", "customer_user_id", "platform_id", "ical_uid", "series_id", "fleet_bot_id")
OF_TENANT = sorted(t.name for t in metadata.tables.values() if "tenant_id" in t.columns)


class Patient(Door):
    """Knocks again when told to wait: an attacker has time."""

    def __init__(
        self, client: AsyncClient, key: str | None, wait: Callable[[timedelta], object]
    ) -> None:
        super().__init__(client, key)
        self._wait = wait

    async def send(self, method: str, path: str, content: bytes, **headers: str) -> Response:
        answer = await super().send(method, path, content, **headers)
        if answer.status_code != TOO_MANY:
            return answer
        self._wait(timedelta(seconds=float(answer.headers["retry-after"])))
        return await super().send(method, path, content, **headers)


class Party(msgspec.Struct, kw_only=True):
    """A tenant, a person of it, and doors that their keys open."""

    tenant_id: TenantId
    user_id: CalendarUserId
    tenant: Patient
    person: Patient
    stage: Stage

    async def rows(self) -> dict[str, list[Any]]:
        """Return every row that the tenant can see, by table."""
        found = {}
        async with self.stage.services.database.tenant(self.tenant_id) as session:
            for table in metadata.tables.values():
                rows = (await session.execute(table.select())).all()
                found[table.name] = sorted((tuple(row) for row in rows), key=repr)
        return found

    async def names(self) -> list[str]:
        """Return a name of each kind by which something of the person's could be asked for."""
        found: dict[str, None] = {self.user_id: None}
        async with self.stage.services.database.tenant(self.tenant_id) as session:
            for table in metadata.tables.values():
                for column in [c for c in table.c if c.name == "id" or c.name in _NAMES]:
                    rows = table.select().with_only_columns(column).order_by(column)
                    row = (await session.execute(rows.limit(1))).one_or_none()
                    found |= {} if row is None or row[0] is None else {str(row[0]): None}
            known = await calendars.of_user(session, self.user_id)
        found |= {known[0].account_id: None, known[0].platform_id: None}
        return list(found)


class Scene(msgspec.Struct, kw_only=True):
    """Everybody, and the application that they knock at."""

    acme: Party
    mallory: Party
    zoe: Patient
    zoe_id: str
    client: AsyncClient

    @property
    def operator(self) -> Patient:
        return self.with_key(OPERATOR_KEY)

    @property
    def stranger(self) -> Patient:
        return self.with_key(None)

    def with_key(self, key: str | None) -> Patient:
        return Patient(self.client, key, self.acme.stage.world.clock.advance)


async def fill(stage: Stage, person: str, accounts: dict[Provider, str]) -> CalendarUserId:
    """Do everything once that leaves a row: twelve kinds of things, each with its secrets."""
    await stage.listen(name=person)
    first, *others = accounts.items()
    for email in accounts.values():
        stage.hold_meeting(email, SECRET_WORDS, timedelta(minutes=1))
        stage.hold_meeting(email, f"{SECRET_WORDS}, part two", HOUR)
        daily = {"recurrence": "RRULE:FREQ=DAILY;COUNT=2", "link": "https://zoom.us/j/5551112222"}
        stage.hold_meeting(email, f"{SECRET_WORDS}, daily", 2 * HOUR, **daily)
    user_id: CalendarUserId = await stage.onboard(*first, customer_user_id=person)
    (bot, *_) = [bot for bot in await stage.bots() if bot.status == "scheduled"]
    await steer.cancel_bot(stage.services, stage.context, bot.id)
    series = next(e for e in await stage.events() if e.series_id and e.user_id == user_id)
    wish = Wish(all_occurrences=True, follow=True)
    await scheduling_series.schedule(stage.services, stage.context, user_id, series.id, wish)
    for provider, email in others:
        await stage.connect(provider, email, customer_user_id=person)
    for provider in Provider:
        await policy.save_app(stage.services, stage.context, provider, "own", "secret")
        app = await policy.read_app(stage.services, stage.context, provider)
        await stage.consent_link(Provider(app.provider), person)
        await policy.remove_app(stage.services, stage.context, provider)
    await policy.save_app(stage.services, stage.context, first[0], "own", "secret")
    await once.begin(stage.services, Ticket(context=stage.context, key="k", fingerprint=b"f"))
    await stage.settle()
    return user_id


@asynccontextmanager
async def set_scene(database_url: str, folder: Path) -> AsyncIterator[Scene]:
    """Set the stage, let both live on it, and open the doors."""
    async with set_stage(database_url, folder) as stage:
        for provider, email in ((Provider.GOOGLE, EVE), (Provider.OUTLOOK, MALLORY)):
            stage.world.directory.add_account(provider.value, email, "Eve", zone="Europe/Berlin")
        made = await tenants.create_tenant(stage.services, TenantWish(name="Mallory Inc"))
        other = TenantContext(tenant_id=made.tenant.id, actor="test")
        theirs = msgspec.structs.replace(stage, context=other)
        ann = await fill(stage, "ann", {Provider.GOOGLE: ANN, Provider.OUTLOOK: BOB})
        eve = await fill(theirs, "eve", {Provider.OUTLOOK: MALLORY, Provider.GOOGLE: EVE})
        async with client_of(app_of(stage.answered)) as client:
            acme = await _party(stage, ann, client)
            zoe, zoe_id = await _colleague(acme)
            yield Scene(
                acme=acme,
                mallory=await _party(theirs, eve, client),
                zoe=zoe,
                zoe_id=zoe_id,
                client=client,
            )


async def _party(stage: Stage, user_id: CalendarUserId, client: AsyncClient) -> Party:
    doors = []
    for wish in (KeyWish(name="server"), KeyWish(name="phone", user_id=user_id)):
        made = await keys.create_key(stage.services, stage.context, wish)
        doors.append(Patient(client, made.secret, stage.world.clock.advance))
    return Party(
        tenant_id=stage.context.tenant_id,
        user_id=user_id,
        tenant=doors[0],
        person=doors[1],
        stage=stage,
    )


async def _colleague(acme: Party) -> tuple[Patient, str]:
    """Make another person of Acme's, with a key that opens that person's things alone."""
    body = {"customer_user_id": "zoe"}
    await acme.tenant.post("/v1/calendar/connect/google", body)
    users = (await acme.tenant.get("/v1/calendar/users?customer_user_id=zoe")).json()["results"]
    zoe = users[0]["id"]
    made = await acme.tenant.post("/v1/api-keys", {"name": "zoe's phone", "user_id": zoe})
    wait = acme.stage.world.clock.advance
    return Patient(acme.tenant.client, made.json()["key"], wait), zoe


async def together(*calls: Any) -> list[Any]:
    """Do several things at once."""
    return list(await asyncio.gather(*calls))
