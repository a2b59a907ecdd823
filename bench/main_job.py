"""What the main job costs: processor time per incremental poll, and how late bots leave.

Both are printed beside a bare loop, measured in the same run against the same servers, that does
nothing but the HTTP call and the update of one row. Run: ``.venv/bin/python -P bench/main_job.py``.
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from psycopg_pool import AsyncConnectionPool
from rich.console import Console
from rich.table import Table

from meetbot_calendar.calendars.model import CalendarId, Provider
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.journeys import connect, grants, rule_sets, sync, tenants
from meetbot_calendar.journeys.connect import ConnectWish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.settings import Settings, child_environment
from meetbot_calendar.storage import calendars
from meetbot_calendar.storage.migrations import migrate
from meetbot_calendar.telemetry import configure_logging
from meetbot_calendar.wiring import open_services
from meetbot_calendar.worker.departures import Departures
from meetbot_calendar.worker.sweeper import Sweeper
from tenants.identity import CalendarUserId, TenantContext

ANN, BOB = "ann@acme.example", "bob@acme.example"
POLLS = 200
SPREAD, AT_ONCE = 150, 100
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


async def polls(bench: Bench, provider: Provider, email: str, table: Table) -> None:
    user_id = await bench.connect(provider, email)
    for number in range(50):
        start = bench.services.clock.now() + timedelta(days=1, hours=number)
        await bench.hold(f"Meeting {number}", start, f"https://zoom.us/j/9000000{number:04}", email)
    await sync.sync_user(bench.services, bench.context, user_id)
    async with bench.services.database.tenant(bench.context.tenant_id) as session:
        (calendar,) = await calendars.of_user(session, user_id)

    async def ours() -> None:
        await sync.sync(bench.services, bench.context.tenant_id, calendar.id)

    url, headers = await same_request(bench, calendar.id)
    async with await psycopg.AsyncConnection.connect(bench.app_url) as row:

        async def bare() -> None:
            answer = await bench.http.get(url, headers=headers)
            answer.raise_for_status().json()
            async with row.transaction():
                await row.execute(
                    "select set_config('role', 'meetbot_tenant', true),"
                    " set_config('app.scope', %s, true)",
                    [bench.context.tenant_id],
                )
                await row.execute(
                    "update calendars set last_attempt_at = last_attempt_at where id = %s",
                    [calendar.id],
                )

        mine, bare_loop = await cost(POLLS, ours), await cost(POLLS, bare)
    ratio = f"{mine[0] / bare_loop[0]:.1f} x"
    table.add_row(f"{provider} poll, ours", f"{mine[0]:.2f}", f"{mine[1]:.2f}", ratio)
    table.add_row(f"{provider} poll, bare loop", f"{bare_loop[0]:.2f}", f"{bare_loop[1]:.2f}", "1")


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


async def lateness(bench: Bench, table: Table) -> None:
    """Let bots leave spread out and all at one instant, and ask the fleet when they came."""
    user_id = await bench.connect(Provider.GOOGLE, BOB)
    await rule_sets.save_rules(
        bench.services, bench.context, user_id, {"default": "record", "rules": []}
    )
    first = bench.services.clock.now().replace(microsecond=0) + timedelta(seconds=90 + 25)
    for number in range(SPREAD):
        start = first + timedelta(seconds=number * 0.1)
        await bench.hold("Spread", start, f"https://zoom.us/j/8000000{number:04}", BOB)
    for number in range(AT_ONCE):
        start = first + timedelta(seconds=20)
        await bench.hold("At once", start, f"https://zoom.us/j/7000000{number:04}", BOB)
    sweeper, departures = Sweeper(bench.services), Departures(bench.services)
    stop = asyncio.Event()
    working = [asyncio.create_task(each.run(stop)) for each in (sweeper, departures)]
    bare = await bare_departures(bench, first - timedelta(seconds=90) + timedelta(seconds=30))
    await bench.services.clock.sleep_until(first - timedelta(seconds=90 - 45))
    stop.set()
    await asyncio.gather(*working)
    orders = (await bench.http.get(f"{bench.sandbox}/sandbox/fleet/bots")).json()["bots"]
    mine = [o for o in orders if not o["body"]["bot_id"].startswith("bare")]
    table.add_row(*_late("spread, ours", [o for o in mine if "/j/8" in o["body"]["meeting_url"]]))
    table.add_row(*_late("at once, ours", [o for o in mine if "/j/7" in o["body"]["meeting_url"]]))
    table.add_row(*_late("at once, bare loop", [o for o in orders if o["body"]["bot_id"] in bare]))


async def bare_departures(bench: Bench, at: datetime) -> set[str]:
    """Post the same orders at one instant, each with one update of a row, and nothing else."""
    names = {f"bare{number}" for number in range(AT_ONCE)}
    config = (await bench.http.get(f"{bench.sandbox}/sandbox/fleet/config")).json()
    pool = AsyncConnectionPool(bench.app_url, min_size=8, max_size=8, open=False)
    await pool.open(wait=True)

    async def leave(name: str) -> None:
        order = {
            "bot_id": name,
            "tenant_id": bench.context.tenant_id,
            "meeting_url": "https://zoom.us/j/6000000000",
            "platform": "zoom",
            "join_at": at.isoformat(),
            "callback_url": "http://127.0.0.1:9/none",
        }
        headers = {"Authorization": f"Bearer {config['api_key']}", "Idempotency-Key": name}
        await bench.http.post(f"{bench.sandbox}/fleet/bots", json=order, headers=headers)
        async with pool.connection() as row:
            await row.execute("select set_config('role', 'meetbot_tenant', true)")
            await row.execute("select set_config('app.scope', %s, true)", [order["tenant_id"]])
            await row.execute("update bots set due_at = due_at where id = %s", [name])

    await bench.services.clock.sleep_until(at)
    await asyncio.gather(*(leave(name) for name in names))
    await pool.close()
    return names


def _late(name: str, orders: list[dict[str, Any]]) -> tuple[str, str, str, str, str]:
    late = sorted(
        (
            datetime.fromisoformat(o["received_at"]) - datetime.fromisoformat(o["body"]["join_at"])
        ).total_seconds()
        * 1000
        for o in orders
    )
    p99 = late[int(len(late) * 0.99)]
    return name, str(len(late)), f"{median(late):.0f}", f"{p99:.0f}", f"{late[-1]:.0f}"


async def main() -> None:
    console = Console()
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
                await report(bench, console)
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


async def report(bench: Bench, console: Console) -> None:
    costs = Table("incremental poll, nothing new", "CPU ms", "wall ms", "CPU ratio")
    await polls(bench, Provider.GOOGLE, ANN, costs)
    await polls(bench, Provider.OUTLOOK, "cy@acme.example", costs)
    console.print(costs)
    late = Table("bots, ms after T-90 s at the fleet", "bots", "p50", "p99", "max")
    await lateness(bench, late)
    console.print(late)


if __name__ == "__main__":
    asyncio.run(main())
