"""What several benchmarks stand on: servers of their own, the services, a person with meetings."""

import asyncio
import secrets
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from meetbot_calendar.calendars.model import (
    Account,
    ChangePage,
    FetchedEvent,
    ListedCalendar,
    Provider,
    Window,
)
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.embedded.state import ServerState
from meetbot_calendar.journeys import decide, rounds
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.settings import Settings, child_environment
from meetbot_calendar.storage import calendar_lists, calendars, connections
from meetbot_calendar.storage.connections import NewConnection
from meetbot_calendar.storage.migrations import migrate
from meetbot_calendar.telemetry import configure_logging
from meetbot_calendar.wiring import open_services
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import users

Http = httpx.AsyncClient  # noqa: TID251 - the benches' own


@asynccontextmanager
async def open_house(environ: Mapping[str, str]) -> AsyncIterator[tuple[Services, ServerState]]:
    """Start servers and open the services, with these settings besides."""
    configure_logging("json", "error")
    with tempfile.TemporaryDirectory(prefix="meetbot-bench-") as folder:
        servers = EmbeddedServers(Path(folder) / "servers")
        state = servers.start()
        try:
            await asyncio.to_thread(migrate, state.owner_url, "meetbot")
            own = {
                "MEETBOT_DATA_DIR": folder,
                "MEETBOT_DATABASE_URL": state.app_url,
                "MEETBOT_REDIS_URL": state.redis_url,
            }
            async with open_services(Settings.load(own | environ, Path(folder))) as services:
                yield services, state
        finally:
            servers.stop()


def at_sandbox(sandbox: str) -> dict[str, str]:
    """Return settings under which the sandbox at an address is everybody else."""
    return {
        "MEETBOT_GOOGLE_QUOTA": "0",  # polls come faster here than a project may make
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


@contextmanager
def process(*words: str, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our own commands until the block ends."""
    begun = subprocess.Popen(
        [sys.executable, "-P", "-m", "meetbot_calendar", *words],
        env=child_environment(dict(environ)),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield begun
    finally:
        begun.kill()
        begun.wait()


@contextmanager
def far_end() -> Iterator[str]:
    """Let ``receiver.py`` listen in a process of its own; returns its address."""
    port = free_port(8070)
    program = str(Path(__file__).with_name("receiver.py"))
    process = subprocess.Popen([sys.executable, "-P", program, str(port)])
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def until_up(http: Http, url: str) -> None:
    while True:
        try:
            await http.get(url)
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
        else:
            return


async def arrivals(http: Http, url: str) -> list[dict[str, Any]]:
    """Return what arrived at the far end since it was last asked: its key, and when."""
    found: list[dict[str, Any]] = (await http.get(f"{url}/arrivals")).raise_for_status().json()
    return found


async def populate(
    services: Services, context: TenantContext, events: Sequence[FetchedEvent], name: str = "ann"
) -> CalendarUserId:
    """Give a person a calendar with these events, and decide them."""
    now = services.clock.now()
    email = f"{name}@acme.example"
    connection_id = connections.new_connection_id(now)
    async with services.database.tenant(context.tenant_id) as session:
        user, _ = await users.ensure(session, name, now)
        new = NewConnection(
            id=connection_id,
            user_id=user.id,
            provider=Provider.GOOGLE,
            account=Account(key=name, email=email),
            scopes=(),
            client_id="bench",
            sealed_grant=b"",
        )
        await connections.save(session, new, now)
        connection = await connections.get(session, connection_id)
        assert connection is not None
        listed = ListedCalendar(platform_id=email, name=name, access_role="owner", is_primary=True)
        await calendar_lists.save_listed(session, connection, [listed], now)
        (calendar,) = await calendars.of_user(session, user.id)
        page = ChangePage(events=tuple(events), cursor="1")
        taken = rounds.Round(pages=(page,), full=True)
        window = Window(now - timedelta(days=1), now + timedelta(days=60))
        await rounds.write(session, calendar, taken, window, now)
    await decide.decide(services, context.tenant_id, user.id)
    return user.id


def percentiles(late: Sequence[float]) -> list[str]:
    """Return the median, the 99th hundredth and the worst, whole milliseconds."""
    if not late:
        return ["-", "-", "-"]
    ranked = sorted(late)
    return [f"{ranked[int(len(ranked) * part)]:.0f}" for part in (0.5, 0.99)] + [
        f"{ranked[-1]:.0f}"
    ]
