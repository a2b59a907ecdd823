"""The sandbox as a test holds it: a client, people who have consented, and ways to look at rows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import msgspec

from meetbot_calendar.sandbox.app import create_app
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.world import World

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLBACK = "http://127.0.0.1:1/callback?from=google"
READ = "https://www.googleapis.com/auth/calendar.readonly"
SCOPES = f"openid https://www.googleapis.com/auth/userinfo.email {READ}"
CLIENT = {"client_id": "client-1", "client_secret": "secret-1"}
API = "/google/calendar/v3"
ANN = "ann@example.com"
BOB = "bob@client.test"


class StillClock(msgspec.Struct, frozen=True):
    """Time that stands still until the world pushes it."""

    def now(self) -> datetime:
        return NOW

    async def sleep_until(self, instant: datetime) -> None:
        if instant > NOW:
            await asyncio.Event().wait()

    def patience(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)


class Site(msgspec.Struct, kw_only=True):
    """One world, its application's client, and the browser's and reader's parts in it."""

    world: World
    http: httpx.AsyncClient  # noqa: TID251 - the test's own end

    async def consent(self, form: dict[str, Any] | None = None, **changes: str) -> dict[str, str]:
        """Ask for consent and decide it; return what comes back to the client."""
        query = authorisation(**changes)
        answer = await self.http.post(
            f"/google/o/oauth2/v2/auth?{query}",
            data={"account": ANN, "decision": "allow"} if form is None else form,
        )
        assert answer.status_code == 302, answer.text
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in back.items()}

    async def token(self, **form: str) -> httpx.Response:
        return await self.http.post("/google/token", data=CLIENT | form)

    async def exchange(self, code: str, **form: str) -> httpx.Response:
        found = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return await self.token(**(found | form))

    async def connect(
        self, email: str = ANN, scope: str = SCOPES, **changes: str
    ) -> dict[str, Any]:
        """Consent and exchange; return the token answer."""
        back = await self.consent({"account": email}, scope=scope, **changes)
        body: dict[str, Any] = (await self.exchange(back["code"])).json()
        return body

    async def reader(self, email: str = ANN, scope: str = SCOPES) -> "Reader":
        tokens = await self.connect(email, scope)
        return Reader(site=self, token=tokens["access_token"])


class Reader(msgspec.Struct, kw_only=True):
    """Somebody's access token, and the Calendar API read with it."""

    site: Site
    token: str

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.site.http.get(API + path, params=params, headers=self.headers)

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.site.http.post(API + path, json=body, headers=self.headers)

    async def events(self, calendar: str = "primary", **params: Any) -> dict[str, Any]:
        answer = await self.get(f"/calendars/{quote(calendar, safe='')}/events", **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def refused(self, calendar: str = "primary", **params: Any) -> tuple[int, str]:
        """Return status and reason of a refusal."""
        answer = await self.get(f"/calendars/{quote(calendar, safe='')}/events", **params)
        return answer.status_code, answer.json()["error"]["errors"][0]["reason"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def authorisation(**changes: str) -> str:
    asked = {
        "client_id": "client-1",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": SCOPES,
        "state": "state-1",
        "access_type": "offline",
    }
    return urlencode({name: value for name, value in (asked | changes).items() if value})


def populate(world: World) -> None:
    """Add Ann and Bob, and the client that they may allow."""
    world.directory.add_account("google", ANN, "Ann", "Europe/Berlin")
    world.directory.add_account("google", BOB, "Bob", "America/New_York")
    client = Client(provider="google", id="client-1", secret="secret-1", redirect_uris=[CALLBACK])
    world.grants.register(client)


@asynccontextmanager
async def entering(
    world: World, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Site]:
    app = create_app(world)
    populate(world)
    near = transport or httpx.ASGITransport(app)
    async with httpx.AsyncClient(  # noqa: TID251 - the test's own end
        transport=near, base_url="http://127.0.0.1"
    ) as http:
        yield Site(world=world, http=http)
    await world.courier.close()


def berlin(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a naive time of November 2026, for meetings given in wall-clock time."""
    return datetime(2026, 11, day, hour, minute)  # noqa: DTZ001 - naive on purpose


def ids(body: dict[str, Any]) -> list[str]:
    return [item["id"] for item in body["items"]]
