"""Asks Graph: at most four requests at once to a mailbox, and the bearer to no other host."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from meetbot_calendar.calendars.model import Grant
from meetbot_calendar.errors import TryLater
from meetbot_calendar.gateways.microsoft.faults import About, api_fault
from meetbot_calendar.gateways.rounds import Limits
from meetbot_calendar.gateways.transport import Answer, Transport
from meetbot_calendar.gateways.untrusted import Json, children, text

AT_ONCE = 4  # Outlook's limit for one app and mailbox (providers.md 8)
_LARGEST_PAGE = 64 * 1024 * 1024  # bytes
_TIMEOUT = 40.0  # seconds; creating a subscription waits for two handshakes of ten


class Graph:
    """Microsoft Graph at ``url``. What a request prefers is said in every one of them."""

    def __init__(self, transport: Transport, url: str, *, page_size: int, limits: Limits) -> None:
        self._transport = transport
        self.url = url.rstrip("/")
        self._limits = limits
        self._prefer = (
            f'outlook.timezone="UTC", odata.maxpagesize={page_size}, IdType="ImmutableId"'
        )
        self._doors: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def mailbox(self, grant: Grant, account_id: str | None = None) -> "Mailbox":
        """Return the way to a mailbox; all that name the same account share its door."""
        key = grant.account_key or account_id or grant.access_token
        door = self._doors.get(key)
        if door is None:
            door = self._doors[key] = asyncio.Semaphore(AT_ONCE)
        return Mailbox(self, grant.access_token, door)

    def owns(self, link: str) -> bool:
        """Say whether a link leads to this Graph: only there may a bearer token go."""
        ours, theirs = urlsplit(self.url), urlsplit(link)
        return (theirs.scheme, theirs.netloc.lower()) == (ours.scheme, ours.netloc.lower())

    async def send(
        self, method: str, url: str, token: str, params: Mapping[str, str] | None, json: object
    ) -> Answer:
        """Send one request with what all of them carry."""
        return await self._transport.request(
            method,
            url,
            headers={"authorization": f"Bearer {token}", "prefer": self._prefer},
            params=params,
            json=json,
            timeout=_TIMEOUT,
            max_bytes=_LARGEST_PAGE,
        )

    @property
    def limits(self) -> Limits:
        """Return how long a round may be."""
        return self._limits


class Mailbox:
    """One account's Graph."""

    def __init__(self, graph: Graph, token: str, door: asyncio.Semaphore) -> None:
        self._graph = graph
        self._token = token
        self._door = door

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
    ) -> Answer:
        """Send one request; ``path`` is a link that Graph owns, or lies beneath its address."""
        url = path if self._graph.owns(path) else f"{self._graph.url}{path}"
        async with self._door:
            return await self._graph.send(method, url, self._token, params, json)

    async def read(self, path: str, about: About, params: Mapping[str, str] | None = None) -> Json:
        """Return what a GET answers, or raise what its refusal stands for."""
        answer = await self.request("GET", path, params=params)
        if not answer.is_success:
            raise api_fault(answer, about)
        return answer.read(dict[str, Any])

    async def rows(
        self, path: str, about: About, params: Mapping[str, str] | None = None
    ) -> Sequence[Json]:
        """Return all rows of a listing."""
        rows, _ = await self.walk(path, about, params)
        return rows

    async def walk(
        self, path: str, about: About, params: Mapping[str, str] | None = None
    ) -> tuple[list[Json], str | None]:
        """Return all rows of a listing, and the delta link at its end where it has one."""
        turns = self._graph.limits.start()
        rows: list[Json] = []
        link: str | None = path
        end: str | None = None
        while link is not None:
            turns.turn(link)
            body = await self.read(link, about, params)
            params = None  # a next link carries its own
            page = children(body, "value")
            rows += page
            turns.told(f"{text(row, 'id')} {text(row, '@odata.etag')}" for row in page)
            link, end = text(body, "@odata.nextLink"), text(body, "@odata.deltaLink")
            if link is not None and not self.owns(link):
                raise TryLater("Graph's link leads elsewhere", code="foreign_link")
        return rows, end

    def owns(self, link: str) -> bool:
        """Say whether a link leads to Graph."""
        return self._graph.owns(link)
