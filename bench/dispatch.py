"""How late bots are that leave at one instant: 1, 100, 1,000 and 5,000 of them.

Lateness is taken at the far end, from the instant at which the bots were to leave to that at which
an order is whole there. Beside it, in the same run, two bare loops that POST as many such bodies at
an instant and do nothing else: one on asyncio's streams, one with httpx. The far end, PostgreSQL
and the worker share the machine's cores.
Run: ``.venv/bin/python -P bench/dispatch.py [NUMBER…]``.
"""

import asyncio
import sys
from base64 import b64encode
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.house import Http, arrivals, far_end, open_house, percentiles, populate, until_up
from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.calendars.model import (
    EventContent,
    FetchedEvent,
    LinkField,
    Span,
)
from meetbot_calendar.journeys import policy, tenants
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.worker.departures import Departures
from tenants.identity import TenantContext

NUMBERS = (1, 100, 1000, 5000)
LEAD = 2.0
SETTLE = timedelta(seconds=8)
SECRET = "whsec_" + b64encode(b"bench" * 5).decode()


def meeting(number: int, start: datetime) -> FetchedEvent:
    return FetchedEvent(
        platform_id=f"event{number}",
        ical_uid=f"event{number}@google.com",
        span=Span(start=start, end=start + timedelta(minutes=30), zone="Europe/Berlin"),
        content=EventContent(title=f"Meeting {number}"),
        link_fields=(LinkField("conference", f"https://zoom.us/j/9{number:09}"),),
    )


async def ours(services: Services, http: Http, url: str, many: int, among: int) -> list[float]:
    """Plan so many bots for one instant, of so many tenants, and let a worker send them."""
    start = services.clock.now().replace(microsecond=0) + timedelta(seconds=18 + many / 60)
    for which in range(among):
        made = await tenants.create_tenant(services, TenantWish(name=f"Bench {which}"))
        context = TenantContext(tenant_id=made.tenant.id, actor="bench")
        await policy.change_own(
            services, context, {"default_rules": {"default": "record", "rules": []}}
        )
        share = range(which, many, among)
        await populate(services, context, [meeting(number, start) for number in share])
    instant = start - timedelta(seconds=LEAD)
    assert services.clock.now() < instant - timedelta(seconds=11), "planning took too long"
    stop = asyncio.Event()
    working = asyncio.create_task(Departures(services).run(stop))
    await services.clock.sleep_until(instant + SETTLE)
    stop.set()
    await working
    return late(await arrivals(http, url), instant)


def late(arrived: list[dict[str, object]], instant: datetime) -> list[float]:
    return [(float(str(each["at"])) - instant.timestamp()) * 1000 for each in arrived]


def bodies(many: int, instant: datetime) -> list[bytes]:
    order = Order(
        key="bot_0",
        bot_id="bot_01kb3h2c5w6x7y8z9a0b1c2d3e",
        tenant_id="ten_01kb3h2c5w6x7y8z9a0b1c2d3e",
        meeting_url="https://zoom.us/j/9000000000",
        platform="zoom",
        join_at=instant,
        bot_config={},
        metadata={"event_id": "evt_01kb3h2c5w6x7y8z9a0b1c2d3e", "title": "Meeting 1"},
        callback_url="http://127.0.0.1:8000/v1/bots/bot_01kb3h2c5w6x7y8z9a0b1c2d3e/status",
    )
    return [msgspec.json.encode(order) for _ in range(many)]


async def bare(services: Services, http: Http, url: str, many: int) -> list[float]:
    """Open a connection and post, for all at one instant, on asyncio's streams."""
    instant = services.clock.now() + timedelta(seconds=2)
    port = int(url.rpartition(":")[2])

    async def post(body: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /bots HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await reader.readuntil(b"}")
        writer.close()

    return await at_once(services, http, url, instant, [post(b) for b in bodies(many, instant)])


async def with_httpx(services: Services, http: Http, url: str, many: int) -> list[float]:
    instant = services.clock.now() + timedelta(seconds=2)
    posts = [http.post(f"{url}/bots", content=body) for body in bodies(many, instant)]
    return await at_once(services, http, url, instant, posts)


async def at_once(
    services: Services, http: Http, url: str, instant: datetime, posts: list
) -> list[float]:  # type: ignore[type-arg]
    await services.clock.sleep_until(instant)
    await asyncio.gather(*posts)
    return late(await arrivals(http, url), instant)


async def measure(services: Services, http: Http, url: str, numbers: list[int]) -> Table:
    table = Table("ms late at the far end", "arrived", "p50", "p99", "worst", "p99 ratio")
    for many in numbers:
        rivals = {"bare loop, streams": bare, "bare loop, httpx": with_httpx}
        found = {name: await rival(services, http, url, many) for name, rival in rivals.items()}
        mine = {"ours": await ours(services, http, url, many, 1)}
        if many >= 100:
            mine["ours, of 50 tenants"] = await ours(services, http, url, many, 50)
        floor = float(percentiles(found["bare loop, streams"])[1])
        for name, missed in (mine | found).items():
            ratio = float(percentiles(missed)[1]) / max(floor, 1.0)
            row = (*percentiles(missed), f"{ratio:.2f}")
            table.add_row(f"{many:,} at once, {name}", f"{len(missed):,}", *row)
    return table


async def main(numbers: list[int]) -> None:
    with far_end() as url:
        environ = {
            "MEETBOT_FLEET_URL": url,
            "MEETBOT_FLEET_API_KEY": "bench",
            "MEETBOT_FLEET_CALLBACK_SECRET": SECRET,
            "MEETBOT_JOIN_LEAD": str(LEAD),
        }
        async with open_house(environ) as (services, _), Http(timeout=60) as http:
            await until_up(http, f"{url}/arrivals")
            Console(width=110).print(await measure(services, http, url, numbers))


if __name__ == "__main__":
    uvloop.run(main([int(each) for each in sys.argv[1:]] or list(NUMBERS)))
