"""The demo's screen: what the product's own API says, redrawn every second."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from meetbot_calendar.clock import Clock
from meetbot_calendar.sandbox.story import Http, HttpError, Story

Json = dict[str, Any]
_ROWS = 7


class Screen:
    """Asks the API and draws; without a terminal it prints a line for each thing that happens."""

    def __init__(self, http: Http, product: str, sandbox: str, story: Story, clock: Clock) -> None:
        self._http = http
        self._product = product
        self._sandbox = sandbox
        self._story = story
        self._clock = clock
        self._console = Console(stderr=False)
        self._live = Live(console=self._console, auto_refresh=False, screen=False)
        self._said: set[str] = set()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the screen for as long as the block lasts."""
        self._console.print(self._directions())
        if not self._console.is_terminal:
            yield
            return
        with self._live:
            yield

    async def refresh(self) -> None:
        """Ask again and draw; a product that cannot be asked just now is said to be away."""
        try:
            seen = await self._look()
        except (HttpError, ValueError, KeyError) as error:
            seen = None
            if self._console.is_terminal:
                self._live.update(Panel(f"the API cannot be asked: {type(error).__name__}"))
        if seen is None:
            return
        if self._console.is_terminal:
            self._live.update(self._drawn(seen), refresh=True)
        else:
            self._say_news(seen)

    async def _look(self) -> dict[str, list[Json]]:
        seen: dict[str, list[Json]] = {"connections": [], "events": []}
        for user_id in self._story.user_ids.values():
            base = f"/v1/calendar/users/{user_id}"
            seen["connections"] += await self._get(f"{base}/connections")
            seen["events"] += await self._get(f"{base}/events?limit=50")
        seen["bots"] = await self._get("/v1/bots?limit=100")
        seen["deliveries"] = await self._get("/v1/webhook-deliveries?limit=20")
        received = await self._http.get(f"{self._sandbox}/customer/received")
        seen["received"] = received.json()["messages"]
        return seen

    async def _get(self, path: str) -> list[Json]:
        key = {"Authorization": f"Bearer {self._story.api_key}"}
        answer = await self._http.get(f"{self._product}{path}", headers=key)
        answer.raise_for_status()
        found: list[Json] = answer.json()["results"]
        return found

    def _drawn(self, seen: dict[str, list[Json]]) -> RenderableType:
        now = self._clock.now()
        return Group(
            _connections(seen["connections"]),
            _bots(seen["bots"], now),
            _decisions(seen["events"], now),
            _deliveries(seen["deliveries"], seen["received"]),
            f"[dim]the demo's clock: {now:%a %H:%M:%S} UTC; Ctrl-C ends everything[/dim]",
        )

    def _say_news(self, seen: dict[str, list[Json]]) -> None:
        for bot in reversed(seen["bots"]):
            title = bot.get("title") or bot["meeting_url"]
            self._say(f"bot {bot['id']} {bot['status']}: {title} (joins {bot['join_at']})")
        for message in seen["received"]:
            what = "verified" if message["verified"] else "NOT VERIFIED"
            body = message.get("body") or {}
            about = body.get("data", {}) if isinstance(body, dict) else {}
            title = (about.get("event") or {}).get("title", "")
            self._say(f"webhook {message.get('type')} {what} {title} [{message['number']}]")

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._console.print(line, highlight=False, soft_wrap=True)

    def _directions(self) -> RenderableType:
        key = self._story.api_key
        ann = next(iter(self._story.user_ids.values()), "mcu_…")
        api = f"{self._product}/v1"
        curl = f'curl -s -H "Authorization: Bearer {key}"'
        return Panel(
            f"API documents   {self._product}/schema\n"
            f"consent page    {self._story.link_for_cleo or '(see above)'}\n"
            f"                (click it: Cleo is not connected yet)\n"
            f"try             {curl} {api}/calendar/users/{ann}/events\n"
            f"                {curl} {api}/bots\n"
            f"                {curl} {api}/webhook-messages",
            title="Meetbot Calendar demo",
        )


def _connections(rows: list[Json]) -> Table:
    table = Table("provider", "account", "status", "last sync", title="Connections", expand=True)
    for row in rows[:_ROWS]:
        synced = str(row.get("last_sync_at") or "not yet")
        table.add_row(row["provider"], row["account_id"], row["status"], synced)
    return table


def _bots(rows: list[Json], now: datetime) -> Table:
    table = Table("bot", "meeting", "status", "leaves in", "why", title="Bots", expand=True)
    soonest = sorted(rows, key=lambda row: str(row["join_at"]))[:_ROWS]
    for row in soonest:
        wait = datetime.fromisoformat(row["join_at"]) - now
        waiting = row["status"] == "scheduled" and wait > timedelta(0)
        left = str(timedelta(seconds=round(wait.total_seconds()))) if waiting else ""
        why = row.get("rule") or row["reason"]
        table.add_row(row["id"][:12], row["meeting_url"][:40], row["status"], left, why)
    return table


def _decisions(rows: list[Json], now: datetime) -> Table:
    table = Table("starts", "meeting", "decision", "because", title="Decisions", expand=True)
    coming = [r for r in rows if r.get("decision") and datetime.fromisoformat(r["end_time"]) > now]
    for row in sorted(coming, key=lambda r: str(r["start_time"]))[:_ROWS]:
        decision = row["decision"]
        because = decision["detail"]
        table.add_row(row["start_time"], row["title"], decision["action"], because)
    return table


def _deliveries(rows: list[Json], received: list[Json]) -> Table:
    verified = sum(bool(message["verified"]) for message in received)
    title = f"Webhooks: {verified} of {len(received)} received ones verified"
    table = Table("message", "status", "attempts", "at", title=title, expand=True)
    for row in rows[:_ROWS]:
        table.add_row(
            row.get("type") or row.get("event"),
            row["status"],
            str(row.get("attempts_made", "")),
            row["created_at"],
        )
    return table
