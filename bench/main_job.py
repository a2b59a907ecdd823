"""What the main job costs: processor time per incremental poll, and how late bots leave.

Both are printed beside a bare loop, measured in the same run against the same servers, that does
nothing but the HTTP call and the update of one row. Run: ``.venv/bin/python -P bench/main_job.py``.
"""

import asyncio
import sys
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.ground import ANN, BOB, Bench, cost, open_bench, same_request
from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import rule_sets, sync
from meetbot_calendar.storage import calendars
from meetbot_calendar.worker.departures import Departures
from meetbot_calendar.worker.sweeper import Sweeper

POLLS = 200
SPREAD, AT_ONCE = 150, 100


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


async def report(bench: Bench, console: Console) -> None:
    costs = Table("incremental poll, nothing new", "CPU ms", "wall ms", "CPU ratio")
    await polls(bench, Provider.GOOGLE, ANN, costs)
    await polls(bench, Provider.OUTLOOK, "cy@acme.example", costs)
    console.print(costs)
    late = Table("bots, ms after T-90 s at the fleet", "bots", "p50", "p99", "max")
    await lateness(bench, late)
    console.print(late)


async def main() -> None:
    async with open_bench() as bench:
        await report(bench, Console())


if __name__ == "__main__":
    asyncio.run(main())
