"""The ground of the benchmarks: the product in this process, servers and far ends in others."""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from meetbot_calendar.calendars.model import CalendarId, Provider
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.journeys import connect, grants, tenants
from meetbot_calendar.journeys.connect import ConnectWish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.settings import Settings, child_environment
from meetbot_calendar.storage import calendars
from meetbot_calendar.storage.migrations import migrate
from meetbot_calendar.telemetry import configure_logging
from meetbot_calendar.wiring import open_services
from tenants.identity import CalendarUserId, TenantContext

ANN, BOB = "ann@acme.example", "bob@acme.example"
Http = httpx.AsyncClient  # noqa: TID251 - the bare loop's own


def environment(sandbox: str, folder: str) -> dict[str, str]:
    return {
        "MEETBOT_DATA_DIR": folder,
        "MEETBOT_GOOGLE_CLIENT_ID": "bench-google",
        "MEETBOT_GOOGLE_CLIENT_SECRET": "bench-secret",
        "MEETBOT_GOOGLE_AUTH_URL": f"{sandbox}/google/o/oauth2/v2/auth",
        "MEETBOT_GOOGLE_TOKEN_URL": f"{sandbox}/google/token",
        "MEETBOT_GOOGLE_REVOKE_URL": f"{sandbox}/google/revoke",
        "MEETBOT_GOOGLE_USERINFO_URL": f"{sandbox}/google/v1/userinfo",
        "MEETBOT_GOOGLE_API_URL": f"{sandbox}/google/calendar/v3",
        "MEETBOT_MICROSOFT_CLIENT_ID": "bench-outlook",
        "MEETBOT_MICROSOFT_CLIENT_SECRET": "bench-secret",
        "MEETBOT_MICROSOFT_AUTHORITY": f"{sandbox}/microsoft/common",
        "MEETBOT_GRAPH_URL": f"{sandbox}/microsoft/graph/v1.0",
        "MEETBOT_FLEET_URL": f"{sandbox}/fleet",
        "MEETBOT_FLEET_API_KEY": secrets.token_urlsafe(16),
        "MEETBOT_FLEET_CALLBACK_SECRET": "whsec_" + b64encode(secrets.token_bytes(24)).decode(),
        "MEETBOT_LOG_LEVEL": "error",
    }


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

    async def hold(self, title: str, start: datetime, link: str, organizer: str = ANN) -> None:
        end = start + timedelta(minutes=30)
        facts = {"start": start.isoformat(), "end": end.isoformat(), "link": link}
        await self.play("/sandbox/meetings", {"organizer": organizer, "title": title} | facts)


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
    configure_logging("json", "error")
    with tempfile.TemporaryDirectory(prefix="meetbot-bench-") as folder:
        servers = EmbeddedServers(Path(folder) / "servers")
        state = servers.start()
        await asyncio.to_thread(migrate, state.owner_url, "meetbot")
        port = free_port(8050)
        sandbox = f"http://127.0.0.1:{port}"
        stores = {"MEETBOT_DATABASE_URL": state.app_url, "MEETBOT_REDIS_URL": state.redis_url}
        environ = environment(sandbox, folder) | stores
        far = subprocess.Popen(  # noqa: ASYNC220 - our own sandbox, started once
            [sys.executable, "-m", "meetbot_calendar", "sandbox", "--port", str(port)],
            env=child_environment(environ),
            stderr=subprocess.DEVNULL,
        )
        try:
            async with AsyncExitStack() as stack:
                http = await stack.enter_async_context(Http(timeout=30))
                settings = Settings.load(environ, Path(folder))
                services = await stack.enter_async_context(open_services(settings))
                await until_up(http, sandbox)
                bench = Bench(services, http, sandbox, state.app_url)
                await bench.begin()
                yield bench
        finally:
            far.kill()
            servers.stop()


async def until_up(http: Http, sandbox: str) -> None:
    while True:
        try:
            await http.get(f"{sandbox}/sandbox")
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
        else:
            return
