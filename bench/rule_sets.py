"""What a PUT of a rule set costs for a person with 2,000 coming events, from request to answer.

Printed beside the least that any implementation must do in the same run: read the same rows and
open their seals. Run: ``.venv/bin/python -P bench/rule_sets.py``.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from meetbot_calendar.calendars.model import (
    Account,
    Attendee,
    ChangePage,
    EventContent,
    FetchedEvent,
    LinkField,
    ListedCalendar,
    Provider,
    Span,
    Window,
)
from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.journeys import decide, rounds, tenants
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.settings import Settings
from meetbot_calendar.storage import calendar_lists, calendars, connections, events
from meetbot_calendar.storage.connections import NewConnection
from meetbot_calendar.storage.migrations import migrate
from meetbot_calendar.telemetry import configure_logging
from meetbot_calendar.web.app import create_app
from meetbot_calendar.wiring import open_services
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import users

EVENTS = 2000
RULES: list[dict[str, Any]] = [
    {
        "name": f"customer {number}",
        "action": "record",
        "when": {"in": [f"customer{number}.example", {"var": "domains"}]},
    }
    for number in range(20)
]


def event(number: int, now: datetime) -> FetchedEvent:
    start = (now + timedelta(hours=2, minutes=number * 15)).replace(microsecond=0)
    guest = f"guest@customer{number % 40}.example"
    return FetchedEvent(
        platform_id=f"event{number}",
        ical_uid=f"event{number}@google.com",
        span=Span(start=start, end=start + timedelta(minutes=15), zone="Europe/Berlin"),
        content=EventContent(
            title=f"Meeting {number}",
            description="Agenda, notes and the usual things. " * 20,
            attendees=(Attendee(email="ann@acme.example", is_self=True), Attendee(email=guest)),
        ),
        link_fields=(LinkField("conference", f"https://zoom.us/j/9{number:09}"),),
    )


async def populate(services: Services, context: TenantContext) -> CalendarUserId:
    now = services.clock.now()
    connection_id = connections.new_connection_id(now)
    async with services.database.tenant(context.tenant_id) as session:
        user, _ = await users.ensure(session, "ann", now)
        new = NewConnection(
            id=connection_id,
            user_id=user.id,
            provider=Provider.GOOGLE,
            account=Account(key="1", email="ann@acme.example"),
            scopes=(),
            client_id="bench",
            sealed_grant=b"",
        )
        await connections.save(session, new, now)
        connection = await connections.get(session, connection_id)
        assert connection is not None
        listed = ListedCalendar(
            platform_id="ann@acme.example", name="Ann", access_role="owner", is_primary=True
        )
        await calendar_lists.save_listed(session, connection, [listed], now)
        (calendar,) = await calendars.of_user(session, user.id)
        page = ChangePage(events=tuple(event(number, now) for number in range(EVENTS)), cursor="1")
        taken = rounds.Round(pages=(page,), full=True)
        window = Window(now - timedelta(days=1), now + timedelta(days=60))
        await rounds.write(session, calendar, taken, window, now)
    await decide.decide(services, context.tenant_id, user.id)
    return user.id


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    begun = time.perf_counter()
    outcome = await work()
    return (time.perf_counter() - begun) * 1000, outcome


async def measure(services: Services, console: Console) -> None:
    made = await tenants.create_tenant(services, TenantWish(name="Bench"))
    context = TenantContext(tenant_id=made.tenant.id, actor="bench")
    user_id = await populate(services, context)
    app = create_app(services, is_operator=lambda _: False, probes={})
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {made.secret}"}
    Http = httpx.AsyncClient  # noqa: TID251, N806 - the bench's own client
    async with Http(transport=transport, base_url="http://bench", headers=headers) as http:
        path = f"/v1/calendar/users/{user_id}/rules"

        async def put(default: str) -> dict[str, Any]:
            answer = await http.put(path, json={"default": default, "rules": RULES})
            found: dict[str, Any] = answer.raise_for_status().json()["effects"]
            return found

        async def least() -> None:
            now = services.clock.now()
            async with services.database.tenant(context.tenant_id) as session:
                window = Window(now, now + timedelta(days=60))
                assert len(await events.between(session, user_id, window, EVENTS)) == EVENTS

        floor, _ = await timed(least)
        table = Table("PUT of 20 rules, 2,000 coming events", "whole ms", "x the least", "effects")
        for default in ("skip", "skip", "record"):
            spent, effects = await timed(lambda default=default: put(default))  # type: ignore[misc]
            ratio = f"{spent / floor:.1f}"
            table.add_row(f"default {default}", f"{spent:.0f}", ratio, str(effects))
        table.add_row("the least: read and open the rows", f"{floor:.0f}", "1", "")
        console.print(table)


async def main() -> None:
    configure_logging("json", "error")
    with tempfile.TemporaryDirectory(prefix="meetbot-bench-") as folder:
        servers = EmbeddedServers(Path(folder) / "servers")
        state = servers.start()
        try:
            await asyncio.to_thread(migrate, state.owner_url, "meetbot")
            environ = {
                "MEETBOT_DATA_DIR": folder,
                "MEETBOT_DATABASE_URL": state.app_url,
                "MEETBOT_REDIS_URL": state.redis_url,
            }
            async with open_services(Settings.load(environ, Path(folder))) as services:
                await measure(services, Console())
        finally:
            servers.stop()


if __name__ == "__main__":
    asyncio.run(main())
