"""How many webhooks a second one worker delivers to one endpoint, and to ten.

Beside it, in the same run, a bare loop that signs the same number of such bodies and POSTs them,
eight at a time, on connections of their own, and writes nothing down. The far end is a program of
its own on the same cores. Run: ``.venv/bin/python -P bench/deliver.py [NUMBER]``.
"""

import asyncio
import secrets
import sys
import time
from base64 import b64encode
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.house import Http, arrivals, far_end, open_house, until_up
from meetbot_calendar.deliveries import signing
from meetbot_calendar.journeys import deliver, endpoints, tenants
from meetbot_calendar.journeys.endpoints import EndpointWish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.tenants import TenantWish
from meetbot_calendar.storage import messages
from tenants.identity import TenantContext

NUMBER = 2000
AT_ONCE = 8
BODY = b'{"type":"bot.dispatched","timestamp":"2026-11-21T03:00:00Z","data":' + b'"x"' * 250 + b"}"


async def ours(services: Services, url: str, many: int, among: int) -> float:
    """Write so many messages for so many tenants' endpoints, then time their delivery."""
    work = []
    for which in range(among):
        made = await tenants.create_tenant(services, TenantWish(name=f"Bench {which}"))
        context = TenantContext(tenant_id=made.tenant.id, actor="bench")
        wish = EndpointWish(url=f"{url}/hook/{which}", events=("*",))
        endpoint = await endpoints.create_endpoint(services, context, wish)
        drafts = [messages.Draft(type="bot.dispatched", body=BODY)] * (many // among)
        async with services.database.tenant(context.tenant_id) as session:
            await messages.write(session, services.clock.now(), drafts)
        work.append((context.tenant_id, endpoint.id))
    begun = time.perf_counter()
    sent = await asyncio.gather(*(deliver.deliver(services, *each) for each in work))
    spent = time.perf_counter() - begun
    assert sum(map(len, sent)) == many // among * among
    return sum(map(len, sent)) / spent


async def bare(services: Services, url: str, many: int) -> float:
    """Sign and post, eight at a time, through the very same poster."""
    secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
    places = asyncio.Semaphore(AT_ONCE)

    async def post(number: int) -> None:
        async with places:
            signed = signing.headers(f"msg_{number}", services.clock.now(), BODY, [secret])
            answered = await services.poster.post(f"{url}/hook", signed, BODY)
            assert answered.status_code == 200, answered.error

    begun = time.perf_counter()
    await asyncio.gather(*(post(number) for number in range(many)))
    return many / (time.perf_counter() - begun)


async def main(many: int) -> None:
    environ = {"MEETBOT_ALLOW_PRIVATE_WEBHOOKS": "1"}
    with far_end() as url:
        async with open_house(environ) as (services, _), Http(timeout=60) as http:
            await until_up(http, f"{url}/arrivals")
            floor = await bare(services, url, many)
            table = Table(f"{many:,} webhooks", "a second", "of the bare loop")
            for among in (1, 10):
                rate = await ours(services, url, many, among)
                name = "ours, one endpoint" if among == 1 else f"ours, {among} tenants' endpoints"
                table.add_row(name, f"{rate:.0f}", f"{rate / floor:.2f}")
            table.add_row("bare loop: sign and post", f"{floor:.0f}", "1")
            assert len({each["key"] for each in await arrivals(http, url)}) == 3 * many
            Console(width=100).print(table)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER))
