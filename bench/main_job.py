"""What the main job costs: processor time per incremental poll, for both providers.

Printed beside a bare loop, measured in the same run against the same servers, that does nothing but
the HTTP call and the update of one row. How late bots leave is ``dispatch.py``'s to say.
Run: ``.venv/bin/python -P bench/main_job.py``.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.ground import ANN, Bench, cost, open_bench, same_request
from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import sync
from meetbot_calendar.storage import calendars

POLLS = 200


async def polls(bench: Bench, provider: Provider, email: str, table: Table) -> None:
    user_id = await bench.connect(provider, email)
    for number in range(50):
        start = bench.services.clock.now() + timedelta(days=1, hours=number)
        await bench.hold(f"Meeting {number}", start, f"https://zoom.us/j/9000000{number:04}", email)
    async with bench.services.database.tenant(bench.context.tenant_id) as session:
        for listed in await calendars.of_user(session, user_id):
            await sync.sync(bench.services, bench.context.tenant_id, listed.id)
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


async def report(bench: Bench, console: Console) -> None:
    costs = Table("incremental poll, nothing new", "CPU ms", "wall ms", "CPU ratio")
    await polls(bench, Provider.GOOGLE, ANN, costs)
    await polls(bench, Provider.OUTLOOK, "cy@acme.example", costs)
    console.print(costs)


async def main() -> None:
    async with open_bench() as bench:
        await report(bench, Console())


if __name__ == "__main__":
    asyncio.run(main())
