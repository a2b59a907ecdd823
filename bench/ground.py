"""The ground of the benchmarks: the product in this process, servers and far ends in others."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx

from bench.house import Http, at_sandbox, open_house, process, until_up
from meetbot_calendar.calendars.model import CalendarId, Provider
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.journeys import connect, grants, tenants
from meetbot_calendar.journeys.connect import ConnectWish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.storage import calendars
from tenants.identity import CalendarUserId, TenantContext

ANN, BOB = "ann@acme.example", "bob@acme.example"
_AT_A_TIME = 250  # meetings in one request


class Bench:
    """The product in this process, the far ends in another."""

    def __init__(self, services: Services, http: Http, sandbox: str, app_url: str) -> None:
        self.services = services
        self.http = http
        self.sandbox = sandbox
        self.app_url = app_url
        self.context = TenantContext(tenant_id="", actor="bench")  # type: ignore[arg-type]

    async def begin(self) -> None:
        made = await tenants.create_tenant(self.services, TenantWish(name="Bench"))
        self.context = TenantContext(tenant_id=made.tenant.id, actor="bench")

    async def play(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.post(f"{self.sandbox}{path}", json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def connect(self, provider: Provider, email: str) -> CalendarUserId:
        await self.play("/sandbox/people", {"provider": provider.value, "email": email})
        wish = ConnectWish(provider=provider, customer_user_id=email)
        link = await connect.begin(self.services, self.context, wish)
        form = {"account": email, "decision": "allow"}
        back = await self.http.post(link.url, data=form)
        assert back.is_redirect, back.text
        answer = dict(httpx.URL(back.headers["location"]).params)
        finished = await connect.finish(self.services, provider, answer)
        assert finished.error_code is None, finished.error_detail
        return finished.user_id

    async def hold_many(self, number: int, start: datetime, apart: timedelta, of: str) -> None:
        """Hold so many meetings of one organiser, one after the other."""
        meetings = [_meeting(each, start + each * apart, of) for each in range(number)]
        for some in range(0, number, _AT_A_TIME):
            batch = meetings[some : some + _AT_A_TIME]
            answer = await self.http.post(f"{self.sandbox}/sandbox/meetings/several", json=batch)
            answer.raise_for_status()


def _meeting(number: int, start: datetime, organizer: str) -> dict[str, str]:
    end, link = start + timedelta(minutes=30), f"https://zoom.us/j/9{number:010}"
    times = {"start": start.isoformat(), "end": end.isoformat()}
    return {"organizer": organizer, "title": f"M{number}", "link": link} | times


async def cost(times: int, once: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Return milliseconds of processor and of wall clock per run."""
    await once()
    processor, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        await once()
    spent = time.process_time() - processor, time.perf_counter() - wall
    return spent[0] * 1000 / times, spent[1] * 1000 / times


async def same_request(bench: Bench, calendar_id: CalendarId) -> tuple[str, dict[str, str]]:
    """Return what an incremental poll asks, so that the bare loop asks the same."""
    async with bench.services.database.tenant(bench.context.tenant_id) as session:
        calendar = await calendars.get(session, calendar_id)
    assert calendar is not None
    assert calendar.cursor is not None
    grant = await grants.fresh(bench.services, bench.context, calendar.connection_id)
    headers = {"Authorization": f"Bearer {grant.access_token}"}
    if calendar.provider is Provider.OUTLOOK:
        prefer = 'outlook.timezone="UTC", odata.maxpagesize=100, IdType="ImmutableId"'
        return calendar.cursor, headers | {"Prefer": prefer}
    where = f"{bench.sandbox}/google/calendar/v3/calendars/{quote(calendar.platform_id)}/events"
    query = {"syncToken": calendar.cursor, "singleEvents": "true", "maxResults": "1000"}
    return str(httpx.URL(where, params=query)), headers


@asynccontextmanager
async def open_bench() -> AsyncIterator[Bench]:
    """Start servers and sandbox, open the services, and end all of it."""
    port = free_port(8050)
    sandbox = f"http://127.0.0.1:{port}"
    environ = at_sandbox(sandbox)
    async with open_house(environ) as (services, state), Http(timeout=30) as http:
        with (  # a world of its own, or the next run begins where this one ends
            TemporaryDirectory(prefix="meetbot-bench-") as folder,
            process("sandbox", "--port", str(port), environ=environ | {"MEETBOT_DATA_DIR": folder}),
        ):
            await until_up(http, f"{sandbox}/sandbox")
            bench = Bench(services, http, sandbox, state.app_url)
            await bench.begin()
            yield bench
