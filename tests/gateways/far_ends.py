"""The sandbox's providers behind a real socket, with people in it and a browser to consent with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from meetbot_calendar.calendars.model import ChangePage, Provider, Window
from meetbot_calendar.gateways.transport import Transport
from meetbot_calendar.sandbox.app import create_app
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.world import World
from tests.loopback import Heard, Script, answer, listening

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW + timedelta(days=28))
CALLBACK = "http://127.0.0.1:1/callback"
ANN = "ann@example.com"
BOB = "bob@client.test"
EVE = "eve@example.com"


class StillClock(msgspec.Struct, frozen=True):
    """Time that stands still until the world pushes it."""

    def now(self) -> datetime:
        return NOW

    async def sleep_until(self, instant: datetime) -> None:
        if instant > NOW:
            await asyncio.Event().wait()

    def patience(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds)


class Site(msgspec.Struct, kw_only=True):
    """Where the sandbox listens, the world behind it, and every request that came."""

    url: str
    world: World
    heard: list[Heard]

    def asked(self, part: str) -> list[Heard]:
        """Return the requests whose target holds ``part``."""
        return [each for each in self.heard if part in each.target]


@asynccontextmanager
async def standing(provider: Provider) -> AsyncIterator[Site]:
    """Let a sandbox listen, with Ann, Bob and Eve at one provider and a client registered."""
    world = World(StillClock())
    app = create_app(world)
    for email in (ANN, BOB, EVE):
        name = email.partition("@")[0].title()
        world.directory.add_account(str(provider), email, name, zone="Europe/Berlin")
    world.grants.register(
        Client(
            provider=str(provider),
            id=f"{provider}-1",
            secret="secret-1",
            redirect_uris=[CALLBACK],
        )
    )
    async with listening(through(app)) as end:
        yield Site(url=end.url, world=world, heard=end.heard)
    await world.courier.close()


async def allowed(
    transport: Transport, url: str, *, email: str = ANN, **form: str
) -> dict[str, str]:
    """Decide on the consent page at ``url``; return the query that comes back."""
    page = await transport.request("POST", url, form={"account": email, "decision": "allow"} | form)
    assert page.status in (302, 303), page.body
    return dict(parse_qsl(urlsplit(page.headers["location"]).query))


async def whole(pages: AsyncIterator[ChangePage]) -> ChangePage:
    """Gather a round into one page."""
    found = [page async for page in pages]
    assert all(page.cursor is None for page in found[:-1])
    return ChangePage(
        events=tuple(event for page in found for event in page.events),
        removed=tuple(gone for page in found for gone in page.removed),
        series=tuple(truth for page in found for truth in page.series),
        cursor=found[-1].cursor,
    )


def through(app: Any) -> Script:
    async def script(heard: Heard, writer: asyncio.StreamWriter) -> None:
        sent: list[dict[str, Any]] = []
        given = [{"type": "http.request", "body": heard.body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return given.pop() if given else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app(_scope(heard), receive, send)
        body = b"".join(each.get("body", b"") for each in sent[1:])
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        headers["content-length"] = str(len(body))
        writer.write(answer(body, sent[0]["status"], headers))

    return script


def _scope(heard: Heard) -> dict[str, Any]:
    path, _, query = heard.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": heard.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in heard.headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", int(heard.headers["host"].rpartition(":")[2])),
    }
