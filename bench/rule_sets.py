"""What a PUT of a rule set costs for a person with 2,000 coming events, from request to answer.

Printed beside the least that any implementation must do in the same run: read the same rows and
open their seals. Run: ``.venv/bin/python -P bench/rule_sets.py``.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.house import Http, open_house, populate
from meetbot_calendar.calendars.model import (
    Attendee,
    EventContent,
    FetchedEvent,
    LinkField,
    Span,
    Window,
)
from meetbot_calendar.journeys import tenants
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.storage import events
from meetbot_calendar.web.app import create_app
from tenants.identity import TenantContext

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


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    begun = time.perf_counter()
    outcome = await work()
    return (time.perf_counter() - begun) * 1000, outcome


async def measure(services: Services, console: Console) -> None:
    made = await tenants.create_tenant(services, TenantWish(name="Bench"))
    context = TenantContext(tenant_id=made.tenant.id, actor="bench")
    now = services.clock.now()
    user_id = await populate(services, context, [event(n, now) for n in range(EVENTS)])
    app = create_app(services, is_operator=lambda _: False, probes={})
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {made.secret}"}
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
    async with open_house({}) as (services, _):
        await measure(services, Console())


if __name__ == "__main__":
    asyncio.run(main())
