"""Microsoft's end as a test holds it: Ann and Bob at Contoso, a client, Graph read with a token."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import msgspec

from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.meetings import Meeting
from meetbot_calendar.sandbox.store import Calendar
from meetbot_calendar.sandbox.world import World

ANN = "ann@contoso.test"
BOB = "bob@contoso.test"
CALLBACK = "http://127.0.0.1:1/callback?from=microsoft"
CLIENT = {"client_id": "app-1", "client_secret": "app-secret"}
SCOPES = "openid profile offline_access User.Read Calendars.Read"
AUTHORISE = "/microsoft/common/oauth2/v2.0/authorize"
TOKEN = "/microsoft/common/oauth2/v2.0/token"
GRAPH = "/microsoft/graph/v1.0"
WINDOW = {"startDateTime": "2026-11-20T00:00:00Z", "endDateTime": "2026-12-20T00:00:00Z"}
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=y"


class Tenant(msgspec.Struct, kw_only=True):
    """Contoso, with the parts of a browser and of an application's server."""

    world: World
    http: httpx.AsyncClient  # noqa: TID251 - the test's own end

    async def consent(self, form: dict[str, str] | None = None, **changes: str) -> dict[str, str]:
        """Ask for consent and decide it; return what comes back to the client."""
        decided = {"account": ANN, "decision": "accept"} if form is None else form
        answer = await self.http.post(f"{AUTHORISE}?{asking(**changes)}", data=decided)
        assert answer.status_code == 302, answer.text
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in back.items()}

    async def token(self, **form: str) -> httpx.Response:
        return await self.http.post(TOKEN, data=CLIENT | form)

    async def exchange(self, code: str, **form: str) -> httpx.Response:
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return await self.token(**(asked | form))

    async def refresh(self, refresh_token: str, **form: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **form)

    async def connect(self, email: str = ANN, **changes: str) -> dict[str, Any]:
        """Consent and exchange; return the token answer."""
        back = await self.consent({"account": email}, **changes)
        body: dict[str, Any] = (await self.exchange(back["code"])).json()
        return body

    async def reader(self, email: str = ANN, **changes: str) -> "Reader":
        tokens = await self.connect(email, **changes)
        return Reader(tenant=self, token=tokens["access_token"])

    def calendar(self, email: str = ANN) -> Calendar:
        """Return somebody's default calendar."""
        account = self.world.directory.account("outlook", email)
        assert account
        return self.world.directory.primary(account)

    def hold(self, title: str = "Review", day: int = 23, hour: int = 9, **facts: Any) -> Meeting:
        """Hold half an hour of Ann's, in Berlin, in November 2026."""
        start = datetime(2026, 11, day, hour)  # noqa: DTZ001 - wall-clock time
        end = datetime(2026, 11, day, hour, 30)  # noqa: DTZ001 - wall-clock time
        return self.world.add_meeting(ANN, title, start, end, "Europe/Berlin", **facts)


class Reader(msgspec.Struct, kw_only=True):
    """Somebody's access token, and Graph read with it."""

    tenant: Tenant
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, prefer: str = "", **params: Any) -> httpx.Response:
        headers = self.headers | ({"Prefer": prefer} if prefer else {})
        address = path if path.startswith("http") else GRAPH + path
        return await self.tenant.http.get(address, params=params or None, headers=headers)

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.tenant.http.post(GRAPH + path, json=body, headers=self.headers)

    async def patch(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.tenant.http.patch(GRAPH + path, json=body, headers=self.headers)

    async def delete(self, path: str) -> httpx.Response:
        return await self.tenant.http.delete(GRAPH + path, headers=self.headers)

    async def read(self, path: str, prefer: str = "", **params: Any) -> dict[str, Any]:
        answer = await self.get(path, prefer, **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def view(self, prefer: str = "", **params: Any) -> list[dict[str, Any]]:
        """Return the whole calendar view of the usual window."""
        asked = WINDOW | {"$top": "100"} | params
        rows: list[dict[str, Any]] = (await self.read("/me/calendarView", prefer, **asked))["value"]
        return rows

    async def round(
        self, link: str = "/me/calendarView/delta", prefer: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        """Follow a delta to its end; return every row, and the link for the next round."""
        body = await self.read(link, prefer, **({} if link.startswith("http") else WINDOW))
        rows = body["value"]
        while "@odata.nextLink" in body:
            body = await self.read(body["@odata.nextLink"], prefer)
            rows += body["value"]
        return rows, body["@odata.deltaLink"]


def asking(**changes: str) -> str:
    """Return the query of an authorisation call."""
    asked = {
        "client_id": "app-1",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": SCOPES,
        "state": "state-1",
    }
    return urlencode({name: value for name, value in (asked | changes).items() if value})


def settle_in(world: World) -> None:
    """Add Ann and Bob at Contoso, and the client that they may allow."""
    world.directory.add_account("outlook", ANN, "Ann Lee", "Europe/Berlin")
    world.directory.add_account("outlook", BOB, "Bob Ray", "America/New_York")
    world.grants.register(
        Client(provider="outlook", id="app-1", secret="app-secret", redirect_uris=[CALLBACK])
    )


def of_calendar(calendar_id: str, tail: str) -> str:
    """Return the path of one calendar's resource."""
    return f"/me/calendars/{quote(calendar_id, safe='')}/{tail}"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return an instant of November 2026, in UTC."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)
