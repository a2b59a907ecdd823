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
        self._direct()
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
        for user in await self._get("/v1/calendar/users?limit=20"):
            base = f"/v1/calendar/users/{user['id']}"
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
            _connections(seen["connections"], now),
            _bots(seen["bots"], {row["id"]: row["title"] or "" for row in seen["events"]}, now),
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

    def _direct(self) -> None:
        """Say where things are, in lines that can be copied whole."""
        ann = next(iter(self._story.user_ids.values()), "mcu_…")
        api = f"{self._product}/v1"
        curl = f'curl -s -H "Authorization: Bearer {self._story.api_key}"'
        lines = (
            "[bold]Meetbot Calendar demo[/bold]: Ann (Google) and Bob (Outlook) are connected.",
            f"API documents: {self._product}/schema",
            f"Cleo is not yet: be Cleo, and click through: {self._sandbox}/customer/site",
            "Try:",
            f"  {curl} {api}/calendar/users/{ann}/events",
            f"  {curl} {api}/bots",
            f"  {curl} '{api}/webhook-messages?limit=5'",
            "",
        )
        for line in lines:
            self._console.print(line, highlight=False, soft_wrap=True)


def _connections(rows: list[Json], now: datetime) -> Table:
    table = Table("provider", "account", "status", "last sync", title="Connections", expand=True)
    for row in rows[:_ROWS]:
        synced = row.get("last_sync_at")
        ago = _span(now - datetime.fromisoformat(synced)) + " ago" if synced else "not yet"
        table.add_row(row["provider"], row["account_id"], row["status"], ago)
    return table


def _bots(rows: list[Json], titles: dict[str, str], now: datetime) -> Table:
    table = Table("bot", "meeting", "status", "leaves in", "why", title="Bots", expand=True)
    live = [row for row in rows if row["status"] not in ("completed", "cancelled")]
    done = [row for row in rows if row not in live]
    for row in (sorted(live, key=lambda row: str(row["join_at"])) + done)[:_ROWS]:
        wait = datetime.fromisoformat(row["join_at"]) - now
        left = _span(wait) if row["status"] == "scheduled" else ""
        meeting = next((titles[e] for e in row["event_ids"] if e in titles), row["meeting_url"])
        why = row.get("rule") or row["reason"]
        table.add_row(f"…{row['id'][-6:]}", meeting, row["status"], left, why)
    return table


def _span(length: timedelta) -> str:
    return str(timedelta(seconds=max(0, round(length.total_seconds()))))


def _decisions(rows: list[Json], now: datetime) -> Table:
    table = Table("starts", "meeting", "seen by", "decision", "because", title="Decisions")
    coming = [r for r in rows if r.get("decision") and datetime.fromisoformat(r["end_time"]) > now]
    for row in sorted(coming, key=lambda r: str(r["start_time"]))[:_ROWS]:
        decision = row["decision"]
        because = decision["detail"]
        starts = str(row["start_time"])[11:16]
        table.add_row(starts, row["title"], row["provider"], decision["action"], because)
    return table


def _deliveries(rows: list[Json], received: list[Json]) -> Table:
    verified = sum(bool(message["verified"]) for message in received)
    title = f"Webhooks: {verified} of {len(received)} received ones verified"
    table = Table("message", "status", "at", title=title, expand=True)
    for row in rows[:_ROWS]:
        table.add_row(
            row.get("type") or row.get("event"),
            row["status"],
            row["created_at"][:19].replace("T", " "),
        )
    return table
