"""Ten minutes in which everything is killed, flushed and restarted; then an account.

Real processes: the API, three workers, PostgreSQL, Valkey and the sandbox, which plays providers,
the fleet and two customers. Meetings are held, moved and cancelled all the while; workers die by
``kill -9``, Valkey is flushed and restarted, PostgreSQL is restarted, the fleet and the customers
fail. Run: ``.venv/bin/python -P bench/soak.py [--minutes 10] [--seed N]``.
"""

import argparse
import asyncio
import random
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from redis.asyncio import Redis
from rich.console import Console

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.account import Held, Ledger, Spell, account
from bench.house import Http, at_sandbox, process, until_up
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.embedded.servers import EmbeddedServers
from meetbot_calendar.settings import child_environment
from meetbot_calendar.storage.migrations import migrate

WORKERS = 3
LEAD = 8.0
STAYS = 30.0
CUSTOMERS = ("acme", "other")
PEOPLE = (("google", "ann@acme.example"), ("outlook", "bob@acme.example"))
Json = dict[str, Any]


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a program of its own


class Workers:
    """Three of them; whoever dies is begun again by whoever killed it."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self._environ = child_environment(environ)
        self._log = log
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def begin(self, number: int) -> None:
        with (self._log / f"worker{number}.log").open("ab") as log:
            self._running[number] = subprocess.Popen(
                [sys.executable, "-P", "-m", "meetbot_calendar", "worker"],
                env=self._environ,
                stdout=log,
                stderr=log,
            )

    def kill(self, number: int) -> None:
        self._running[number].send_signal(signal.SIGKILL)
        self._running[number].wait()

    def end(self) -> None:
        for worker in self._running.values():
            worker.kill()
            worker.wait()


class Soak(msgspec.Struct, kw_only=True):
    """The world of one run, and what was done to it."""

    http: Http
    api: str
    sandbox: str
    chance: random.Random
    workers: Workers
    postgres: EmbeddedServers
    valkey: EmbeddedServers
    ledger: Ledger
    until: datetime
    key: str = ""

    async def play(self, path: str, body: Json) -> Json:
        answer = await self.http.post(f"{self.sandbox}{path}", json=body)
        return msgspec.convert(answer.raise_for_status().json(), Json)

    async def ask(self, method: str, path: str, body: Json | None = None, key: str = "") -> Json:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        answer = await self.http.request(method, f"{self.api}{path}", json=body, headers=headers)
        return msgspec.convert(answer.raise_for_status().json(), Json)

    @contextmanager
    def spell(self, what: str) -> Iterator[None]:
        """Note when something was away, or being killed."""
        begun = now()
        yield
        self.ledger.spells.append(Spell(what=what, begun=begun, ended=now()))


async def set_up(soak: Soak, operator: str) -> None:
    """Let a tenant register, its customers listen and its people connect."""
    made = await soak.ask("POST", "/v1/tenants", {"name": "Soak"}, operator)
    soak.key = made["api_key"]["key"]
    rules = {"default": "record", "rules": []}
    await soak.ask("PATCH", "/v1/tenant", {"default_rules": rules})
    for name in CUSTOMERS:
        url = f"{soak.sandbox}/customer/webhooks/{name}"
        endpoint = await soak.ask("POST", "/v1/webhook-endpoints", {"url": url, "events": ["*"]})
        await soak.play(f"/customer/webhooks/{name}/secret", {"secret": endpoint["secret"]})
    # A bot stays until its meeting can no longer be edited: whoever is to be called back is there.
    stays = {"join_delay_seconds": 1, "recording_seconds": STAYS}
    await soak.play("/sandbox/fleet/config", stays)
    for provider, email in PEOPLE:
        await soak.play("/sandbox/people", {"provider": provider, "email": email})
        wish = {"customer_user_id": email}
        link = await soak.ask("POST", f"/v1/calendar/connect/{provider}", wish)
        back = await soak.http.post(link["url"], data={"account": email, "decision": "allow"})
        (await soak.http.get(back.headers["location"])).raise_for_status()


async def hold(soak: Soak) -> None:
    """Hold meetings, often several at one instant; move and cancel some of them."""
    for number in range(sys.maxsize):
        if now() > soak.until:
            return
        start = now().replace(microsecond=0) + timedelta(seconds=soak.chance.randint(14, 40))
        if soak.chance.random() < 0.5:
            start = start.replace(second=start.second // 15 * 15) + timedelta(seconds=15)
        organizer = soak.chance.choice(PEOPLE)[1]
        end = start + timedelta(minutes=30)
        link = f"https://zoom.us/j/{9000000000 + number}"
        facts = {"organizer": organizer, "title": f"M{number}", "link": link}
        times = {"start": start.isoformat(), "end": end.isoformat()}
        found = await soak.play("/sandbox/meetings", facts | times)
        held = Held(id=found["id"], link=link, start=start, changed_at=now())
        soak.ledger.meetings.append(held)
        if soak.chance.random() < 0.3:
            await edit(soak, soak.chance.choice(soak.ledger.meetings[-25:]))
        await asyncio.sleep(soak.chance.uniform(0.2, 0.9))


async def edit(soak: Soak, held: Held) -> None:
    """Move or cancel a meeting that has not begun."""
    if held.cancelled or held.start < now() + timedelta(seconds=1):
        return
    held.changed_at = now()
    if soak.chance.random() < 0.4:
        held.cancelled = True
        await soak.play(f"/sandbox/meetings/{held.id}/cancel", {})
        return
    held.start = now().replace(microsecond=0) + timedelta(seconds=soak.chance.randint(12, 40))
    times = {"start": held.start.isoformat()}
    times |= {"end": (held.start + timedelta(minutes=30)).isoformat()}
    await soak.play(f"/sandbox/meetings/{held.id}/move", times)


async def kill_worker(soak: Soak) -> None:
    number = soak.chance.randrange(WORKERS)
    with soak.spell("worker killed"):
        soak.workers.kill(number)
        await asyncio.sleep(soak.chance.uniform(0, 2))
        soak.workers.begin(number)


async def flush(soak: Soak) -> None:
    async with Redis.from_url(soak.valkey.addresses.redis_url) as redis:
        await redis.flushall()
    soak.ledger.spells.append(Spell(what="Valkey flushed", begun=now(), ended=now()))


async def restart_valkey(soak: Soak) -> None:
    with soak.spell("Valkey restarted"):
        soak.valkey.stop()
        await asyncio.sleep(soak.chance.uniform(0, 3))
        soak.valkey.start()


async def restart_postgres(soak: Soak) -> None:
    with soak.spell("PostgreSQL restarted"):
        soak.postgres.stop()
        soak.postgres.start()


async def trouble_fleet(soak: Soak) -> None:
    kinds = {"503": {"retry_after": 2}, "429": {"retry_after": 1}, "lose_answer": {}}
    kind = soak.chance.choice([*kinds, "slow"])
    detail = {"seconds": 1.0} if kind == "slow" else kinds[kind]
    await fail(soak, "fleet.bots", kind, soak.chance.randint(1, 4), detail)


async def trouble_reports(soak: Soak) -> None:
    kind = soak.chance.choice(["repeat", "out_of_order", "forged", "contradict"])
    await fail(soak, "fleet.reports", kind, 2, {})


async def trouble_customer(soak: Soak) -> None:
    kind = soak.chance.choice(["500", "429", "slow", "redirect"])
    detail = {"seconds": 3.0} if kind == "slow" else {}
    await fail(soak, "customer.webhooks", kind, 1, detail)


async def fail(soak: Soak, target: str, kind: str, times: int, detail: Json) -> None:
    order = {"target": target, "kind": kind, "times": times, "detail": detail}
    await soak.play("/sandbox/faults", order)
    soak.ledger.spells.append(Spell(what=f"{target} {kind}", begun=now(), ended=now()))


TROUBLES: tuple[tuple[float, Callable[[Soak], Awaitable[None]]], ...] = (
    (9, kill_worker),
    (25, flush),
    (70, restart_valkey),
    (80, restart_postgres),
    (7, trouble_fleet),
    (5, trouble_reports),
    (6, trouble_customer),
)


async def make(soak: Soak, every: float, trouble: Callable[[Soak], Awaitable[None]]) -> None:
    """Make one kind of trouble, now and then, until it is time to account."""
    while now() < soak.until:
        await asyncio.sleep(soak.chance.uniform(0.5, 1.5) * every)
        await trouble(soak)


async def read_on(soak: Soak) -> None:
    """Collect what the customers are told, which keep no more than the last few thousand."""
    after = soak.ledger.read_to
    page = await soak.http.get(f"{soak.sandbox}/customer/received?after={after}")
    found = page.raise_for_status().json()
    soak.ledger.received += found["messages"]
    soak.ledger.read_to = found["last"]


async def reading(soak: Soak) -> None:
    while True:
        await read_on(soak)
        await asyncio.sleep(3)


async def run(soak: Soak, operator: str) -> None:
    await set_up(soak, operator)
    for number in range(WORKERS):
        soak.workers.begin(number)
    reader = asyncio.create_task(reading(soak))
    await asyncio.gather(hold(soak), *(make(soak, *each) for each in TROUBLES))
    await soak.http.delete(f"{soak.sandbox}/sandbox/faults")
    await quiet(soak)
    reader.cancel()
    await read_on(soak)


async def quiet(soak: Soak) -> None:
    """Wait until every meeting is over and nothing is on its way, or ten minutes have passed."""
    last = max(held.start for held in soak.ledger.meetings) + timedelta(seconds=10 + STAYS)
    await asyncio.sleep(max(0.0, (last - now()).total_seconds()))
    until = now() + timedelta(minutes=10)
    while now() < until:
        rows = await soak.ask("GET", "/v1/webhook-deliveries?status=pending&limit=1")
        more = await soak.ask("GET", "/v1/webhook-deliveries?status=delivering&limit=1")
        if not rows["results"] and not more["results"]:
            return
        await asyncio.sleep(3)


async def close_books(soak: Soak) -> None:
    """Read what the product and the fleet say of it all."""
    fleet = await soak.http.get(f"{soak.sandbox}/sandbox/fleet/bots")
    soak.ledger.fleet = fleet.raise_for_status().json()
    lists = {
        "messages": "/v1/webhook-messages?limit=100",
        "bots": "/v1/bots?limit=100",
        "pending": "/v1/webhook-deliveries?status=pending&limit=100",
    }
    for kind, path in lists.items():
        cursor = ""
        while cursor is not None:
            page = await soak.ask("GET", path + (f"&cursor={cursor}" if cursor else ""))
            soak.ledger.product.setdefault(kind, []).extend(page["results"])
            cursor = page["next"]


def settings(sandbox: str, port: int, operator: str, stores: dict[str, str]) -> dict[str, str]:
    return {
        **at_sandbox(sandbox),
        **stores,
        "MEETBOT_OPERATOR_KEY": operator,
        "MEETBOT_PORT": str(port),
        "MEETBOT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MEETBOT_ALLOW_PRIVATE_WEBHOOKS": "1",
        "MEETBOT_JOIN_LEAD": str(LEAD),
        "MEETBOT_POLL_INTERVAL": "5",
        "MEETBOT_LOG_LEVEL": "info",
    }


async def main(minutes: float, seed: int, folder: Path) -> None:
    operator = secrets.token_urlsafe(32)
    port, far = free_port(8050), free_port(8060)
    postgres = EmbeddedServers(folder / "postgres", valkey=False)
    valkey = EmbeddedServers(folder / "valkey", postgres=False)
    state = postgres.start()
    with ExitStack() as stack:
        stack.callback(postgres.stop)
        stores = {
            "MEETBOT_DATA_DIR": str(folder),
            "MEETBOT_DATABASE_URL": state.app_url,
            "MEETBOT_REDIS_URL": valkey.start().redis_url,
        }
        stack.callback(valkey.stop)
        await asyncio.to_thread(migrate, state.owner_url, "meetbot")
        environ = settings(f"http://127.0.0.1:{far}", port, operator, stores)
        stack.enter_context(process("sandbox", "--port", str(far), environ=environ))
        stack.enter_context(process("api", environ=environ))
        workers = Workers(environ, folder)
        stack.callback(workers.end)
        async with Http(timeout=60) as http:
            soak = Soak(
                http=http,
                api=f"http://127.0.0.1:{port}",
                sandbox=f"http://127.0.0.1:{far}",
                chance=random.Random(seed),  # noqa: S311 - to be repeated
                workers=workers,
                postgres=postgres,
                valkey=valkey,
                ledger=Ledger(),
                until=now() + timedelta(minutes=minutes),
            )
            await until_up(http, f"{soak.sandbox}/sandbox")
            await until_up(http, f"{soak.api}/health/live")
            await run(soak, operator)
            await close_books(soak)
    Console(width=110).print(account(soak.ledger))


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--minutes", type=float, default=10.0)
    asked.add_argument("--seed", type=int, default=secrets.randbelow(1000))
    asked.add_argument("--keep", help="a folder for the workers' logs and the servers' data")
    given = asked.parse_args()
    print(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="meetbot-soak-") as temporary:
        uvloop.run(main(given.minutes, given.seed, Path(given.keep or temporary)))
