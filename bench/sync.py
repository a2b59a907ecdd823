"""What syncing costs: polls, changes, first syncs, and how many connections two cores hold.

Each is printed beside a bare loop, measured in the same run against the same servers, that makes
the same HTTP calls and writes as many rows, and does nothing else. Processor time is ours alone;
PostgreSQL's is told beside it. Run: ``.venv/bin/python -P bench/sync.py``.
"""

import argparse
import asyncio
import resource
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.ground import ANN, Bench, cost, open_bench, same_request
from meetbot_calendar.calendars.model import Account, Calendar, ListedCalendar, Provider
from meetbot_calendar.journeys import grants, sync
from meetbot_calendar.storage import calendar_lists, calendars, connections
from meetbot_calendar.storage.connections import NewConnection
from meetbot_calendar.worker.sweeper import Sweeper
from tenants.identity import CalendarUserId, new_id
from tenants.storage import users

POLLS, CHANGES, EVENTS = 200, (1, 10, 40), 5000
HELD = 10_000
FOR = 40.0  # seconds during which the held connections are polled
PEOPLE = {Provider.GOOGLE: ANN, Provider.OUTLOOK: "cy@acme.example"}
SCOPE = "select set_config('role', 'meetbot_tenant', true), set_config('app.scope', %s, true)"

Row = psycopg.AsyncConnection[Any]


class Person:
    """A connected account with one calendar, and what asking about it looks like."""

    def __init__(self, bench: Bench, provider: Provider, user_id: CalendarUserId) -> None:
        self.bench = bench
        self.provider = provider
        self.user_id = user_id

    async def calendar(self) -> Calendar:
        bench = self.bench
        async with bench.services.database.tenant(bench.context.tenant_id) as session:
            (found,) = await calendars.of_user(session, self.user_id)
        return found

    async def poll(self) -> None:
        calendar = await self.calendar()
        assert await sync.sync(self.bench.services, self.bench.context.tenant_id, calendar.id)

    async def list_again(self, calendar: Calendar) -> tuple[str, dict[str, str]]:
        """Return how the account's calendars are asked for, once in every poll."""
        _, headers = await same_request(self.bench, calendar.id)
        google = f"{self.bench.sandbox}/google/calendar/v3/users/me/calendarList?maxResults=250"
        graph = f"{self.bench.sandbox}/microsoft/graph/v1.0/me/calendars"
        return (google if self.provider is Provider.GOOGLE else graph), headers


async def polls(bench: Bench, person: Person, table: Table) -> None:
    """Measure polls that find nothing new; each also lists the account's calendars."""
    calendar = await person.calendar()

    async def ours() -> None:
        await make_due(bench, calendar)
        await sync.sync(bench.services, bench.context.tenant_id, calendar.id)

    async def setting_up() -> None:
        await make_due(bench, calendar)

    url, headers = await same_request(bench, calendar.id)
    listing, _ = await person.list_again(calendar)
    async with await psycopg.AsyncConnection.connect(bench.app_url) as row:

        async def bare() -> None:
            for each in (listing, url):
                answer = await bench.http.get(each, headers=headers)
                answer.raise_for_status().json()
            await write(bench, row, 1, "calendars", calendar.id)
            await write(bench, row, 1, "connections", calendar.connection_id)

        mine, aside = await cost(POLLS, ours), await cost(POLLS, setting_up)
        rival = await cost(POLLS, bare)
    add(table, f"{person.provider}: poll, nothing new", mine[0] - aside[0], rival[0])


async def make_due(bench: Bench, calendar: Calendar) -> None:
    """Let the account's list of calendars be due again, as it is in every turn."""
    async with bench.services.database.tenant(bench.context.tenant_id) as session:
        await session.execute(
            text("update connections set listed_at = null where id = :id"),
            {"id": calendar.connection_id},
        )


async def write(bench: Bench, row: Row, times: int, table: str, name: str) -> None:
    async with row.transaction():
        await row.execute(SCOPE, [bench.context.tenant_id])
        for _ in range(times):
            await row.execute(
                f"update {table} set updated_at = updated_at where id = %s",  # noqa: S608
                [name],
            )


async def changes(bench: Bench, person: Person, table: Table) -> None:
    """Measure polls that find changes: what each further event costs."""
    calendar = await person.calendar()
    meetings = (await bench.http.get(f"{bench.sandbox}/sandbox/meetings")).json()
    mine = [m["id"] for m in meetings if m["organizer"] == PEOPLE[person.provider]]
    for number in CHANGES:
        spent, bare_spent, rounds = 0.0, 0.0, max(4, 80 // number)
        for turn in range(rounds):
            url, headers = await same_request(bench, calendar.id)
            for meeting in mine[:number]:
                await bench.play(
                    f"/sandbox/meetings/{meeting}/edit", {"facts": {"title": f"T{turn}"}}
                )
            async with await psycopg.AsyncConnection.connect(bench.app_url) as row:
                before = time.process_time()
                answer = await bench.http.get(url, headers=headers)
                answer.raise_for_status().json()
                await write(bench, row, number, "calendars", calendar.id)
                bare_spent += time.process_time() - before
            before = time.process_time()
            synced = await sync.sync(bench.services, bench.context.tenant_id, calendar.id)
            spent += time.process_time() - before
            assert synced is not None
            assert synced.updated == number, synced
        each = 1000 / rounds / number
        add(
            table,
            f"{person.provider}: per event, {number} changed",
            spent * each,
            bare_spent * each,
        )


async def first_sync(bench: Bench, provider: Provider, events: int, table: Table) -> None:
    """Measure the first sync of a calendar with many events."""
    email = f"many@{provider}.example"
    await bench.play("/sandbox/people", {"provider": provider.value, "email": email})
    start = bench.services.clock.now() + timedelta(hours=1)
    await bench.hold_many(events, start, timedelta(minutes=7), email)
    user_id = await bench.connect(provider, email)
    person = Person(bench, provider, user_id)
    calendar = await person.calendar()
    before = time.process_time()
    await person.poll()
    mine = time.process_time() - before
    held = await count(bench, calendar)
    assert held == events, held
    before = time.process_time()
    await bare_listing(bench, person, calendar)
    add(table, f"{provider}: first sync of {events:,}, s", mine, time.process_time() - before)


async def count(bench: Bench, calendar: Calendar) -> int:
    async with bench.services.database.tenant(bench.context.tenant_id) as session:
        found = await session.execute(
            text("select count(*) from events where calendar_id = :id"), {"id": calendar.id}
        )
        return int(found.scalar_one())


async def bare_listing(bench: Bench, person: Person, calendar: Calendar) -> None:
    """Ask for the same pages, and write as many rows of the same size."""
    _, headers = await same_request(bench, calendar.id)
    assert calendar.window is None
    day = bench.services.clock.now()
    since, until = (f"{day + timedelta(days=n):%Y-%m-%dT%H:%M:%SZ}" for n in (-1, 29))
    google = person.provider is Provider.GOOGLE
    where = f"{bench.sandbox}/google/calendar/v3/calendars/{calendar.platform_id}/events"
    url: str | None = str(httpx.URL(where, params={
        "singleEvents": "true", "maxResults": "1000", "timeMin": since, "timeMax": until,
    }))  # fmt: skip
    if not google:
        view = f"{bench.sandbox}/microsoft/graph/v1.0/me/calendarView/delta"
        url = str(httpx.URL(view, params={"startDateTime": since, "endDateTime": until}))
    first, rows = url, []
    while url is not None:
        answer = (await bench.http.get(url, headers=headers)).raise_for_status().json()
        rows += answer.get("items", answer.get("value", []))
        token = answer.get("nextPageToken")
        url = answer.get("@odata.nextLink")
        if token:
            url = str(httpx.URL(str(first)).copy_merge_params({"pageToken": token}))
    async with (
        await psycopg.AsyncConnection.connect(bench.app_url) as row,
        row.transaction(),
        row.cursor() as cursor,
    ):
        await row.execute(SCOPE, [bench.context.tenant_id])
        await cursor.executemany(
            "insert into events (id, tenant_id, user_id, connection_id, calendar_id, platform_id,"
            " status, start_at, end_at, zone, meeting_keys, content, change_seq, decide_due_at,"
            " created_at, updated_at) values (%s, %s, %s, %s, %s, %s, 'confirmed', %s, %s, 'UTC',"
            " '{}', %s, 1, %s, %s, %s)",
            [
                (
                    new_id("evt", day), bench.context.tenant_id, calendar.user_id,
                    calendar.connection_id, calendar.id, f"bare{new_id('evt', day)}", day, day,
                    msgspec.json.encode(each), day, day, day,
                )
                for each in rows
            ],
        )  # fmt: skip
        await row.execute("delete from events where platform_id like 'bare%'")


async def hold(bench: Bench, of: Person, number: int) -> None:
    """Write rows for so many connections, each of a person of its own, all of one account."""
    services, tenant_id = bench.services, bench.context.tenant_id
    template = await of.calendar()
    grant = await grants.fresh(services, bench.context, template.connection_id)
    sealer = await grants.sealer(services, tenant_id)
    listed = ListedCalendar(
        platform_id=template.platform_id, name="Ann", access_role="owner", is_primary=True
    )
    async with services.database.tenant(tenant_id) as session:
        for each in range(number):
            now = services.clock.now()
            user, _ = await users.ensure(session, f"held-{each}", now)
            connection_id = connections.new_connection_id(now)
            await connections.save(
                session,
                NewConnection(
                    id=connection_id,
                    user_id=user.id,
                    provider=of.provider,
                    account=Account(key=f"held-{each}", email=PEOPLE[of.provider]),
                    scopes=(),
                    client_id="bench",
                    sealed_grant=grants.sealed(sealer, connection_id, grant),
                ),
                now,
            )
            connection = await connections.get(session, connection_id)
            assert connection is not None
            await calendar_lists.save_listed(session, connection, [listed], now)
    await at_rest(bench, template)


async def at_rest(bench: Bench, template: Calendar) -> None:
    """Let the held calendars stand where the template stands, due over the measured time."""
    statement = (
        "update calendars c set cursor = t.cursor, window_start = t.window_start,"
        " window_end = t.window_end, last_complete_sync_at = now(), push = 'active',"
        " push_due_at = null, is_urgent = false,"
        " due_at = cast(:begin as timestamptz) + random() * cast(:length as interval)"
        " from calendars t where t.id = :template and c.id <> t.id"
        " and c.connection_id in (select id from connections where account_key like 'held-%')"
    )
    async with bench.services.database.tenant(bench.context.tenant_id) as session:
        given = {
            "template": template.id,
            "begin": bench.services.clock.now(),
            "length": timedelta(seconds=FOR),
        }
        await session.execute(text(statement), given)
        await session.execute(
            text(
                "update connections c set listing_digest = t.listing_digest,"
                " listed_at = cast(:begin as timestamptz) - interval '5 minutes'"
                " from connections t where t.id = :template and c.id <> t.id"
            ),
            {"begin": given["begin"], "template": template.connection_id},
        )


async def held(bench: Bench, of: Person, number: int, table: Table) -> None:
    """Let the worker's own loop poll held connections in their turns."""
    before = memory()
    await hold(bench, of, number)
    template = await of.calendar()
    resting = memory()
    await at_rest(bench, template)
    stop = asyncio.Event()
    spent, postgres, begun = time.process_time(), postgres_seconds(), bench.services.clock.now()
    sweeper = asyncio.create_task(Sweeper(bench.services).run(stop))
    polled = 0
    deadline = time.perf_counter() + FOR + number / 20
    while polled < number * 0.999 and time.perf_counter() < deadline:
        await asyncio.sleep(1)
        polled = await done_since(bench, begun)
    took = (bench.services.clock.now() - begun).total_seconds()
    stop.set()
    await sweeper
    mine = (time.process_time() - spent) * 1000 / max(polled, 1)
    theirs = (postgres_seconds() - postgres) * 1000 / max(polled, 1)
    table.add_row("polled", f"{polled:,} of {number:,} in {took:.0f} s")
    table.add_row("processor ms a poll, sweeps and loop included", f"{mine:.2f}")
    table.add_row("PostgreSQL's processor ms a poll", f"{theirs:.2f}")
    table.add_row("connections on two cores, 300 s, ours alone", f"{2 * 300_000 / mine:,.0f}")
    table.add_row("the same, PostgreSQL on them too", f"{2 * 300_000 / (mine + theirs):,.0f}")
    table.add_row(
        "MB resident before, with rows at rest, after", f"{before}, {resting}, {memory()}"
    )


async def done_since(bench: Bench, begun: datetime) -> int:
    async with bench.services.database.tenant(bench.context.tenant_id) as session:
        found = await session.execute(
            text(
                "select count(*) from calendars where last_complete_sync_at > :at"
                " and error_code is null and connection_id in"
                " (select id from connections where account_key like 'held-%')"
            ),
            {"at": begun},
        )
        return int(found.scalar_one())


def memory() -> int:
    """Return the most that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def postgres_seconds() -> float:
    """Return the processor time of every PostgreSQL process that we started."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            name = (stat.parent / "comm").read_text().strip()
        except OSError:
            continue
        if name.startswith("postgres"):
            total += int(fields[11]) + int(fields[12])
    return total / 100


def add(table: Table, name: str, mine: float, rival: float) -> None:
    table.add_row(name, f"{mine:.2f}", f"{rival:.2f}", f"{mine / max(rival, 1e-9):.1f} x")


def asked() -> argparse.Namespace:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--connections", type=int, default=HELD, help="how many to hold")
    given.add_argument("--events", type=int, default=EVENTS, help="how many a first sync reads")
    return given.parse_args()


async def main() -> None:
    console, wish = Console(width=120), asked()
    costs = Table("processor ms", "ours", "bare loop", "ratio")
    rows = Table(f"{wish.connections:,} connections held", "")
    async with open_bench() as bench:
        people = []
        for provider, email in PEOPLE.items():
            user_id = await bench.connect(provider, email)
            people.append(Person(bench, provider, user_id))
            start = bench.services.clock.now() + timedelta(days=1)
            await bench.hold_many(50, start, timedelta(hours=1), email)
            await people[-1].poll()
            await polls(bench, people[-1], costs)
            await changes(bench, people[-1], costs)
            if wish.events:
                await first_sync(bench, provider, wish.events, costs)
        console.print(costs)
        if wish.connections:
            await held(bench, people[0], wish.connections, rows)
            console.print(rows)


if __name__ == "__main__":
    asyncio.run(main())
