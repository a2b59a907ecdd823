"""Carries notifications to the product: posts in the background, retries what providers retry."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta

import httpx
import structlog

from meetbot_calendar.sandbox.clock import WorldClock

_log = structlog.get_logger(__name__)
_ANSWER_WITHIN = 10.0
_LOOK_AGAIN = 0.01


class Courier:
    """The sandbox's only sender. ``transport`` lets a test reach a product in its own process."""

    def __init__(
        self, clock: WorldClock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.clock = clock
        self._transport = transport
        self._client: httpx.AsyncClient | None = None  # noqa: TID251 - the far end
        self._errands: set[asyncio.Task[None]] = set()

    def send(self, errand: Coroutine[object, object, None]) -> None:
        """Run an errand beside everything else."""
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def settle(self) -> None:
        """Wait until no errand is under way but those that wait for the clock: for tests."""
        while under_way := self._errands - self.clock.asleep:
            await asyncio.wait(under_way, timeout=_LOOK_AGAIN, return_when=asyncio.ALL_COMPLETED)

    async def post(
        self,
        url: str,
        headers: dict[str, str],
        content: bytes = b"",
        within: float = _ANSWER_WITHIN,
    ) -> httpx.Response | None:
        """Post once; None when nobody answered within the given (real) seconds."""
        try:
            return await self._http().post(url, headers=headers, content=content, timeout=within)
        except httpx.HTTPError as error:
            _log.info("sandbox.notice_unanswered", error=type(error).__name__)
            return None

    async def wait(self, seconds: float) -> None:
        """Wait this long by the world's clock, which a test may push."""
        await self.clock.sleep_until(self.clock.now() + timedelta(seconds=seconds))

    async def close(self) -> None:
        """Drop what is under way and close the connection pool."""
        errands: Sequence[asyncio.Task[None]] = list(self._errands)
        for task in errands:
            task.cancel()
        await asyncio.gather(*errands, return_exceptions=True)
        if self._client:
            await self._client.aclose()
            self._client = None

    def _http(self) -> httpx.AsyncClient:  # noqa: TID251 - the far end
        if self._client is None:
            self._client = httpx.AsyncClient(  # noqa: TID251 - the far end
                transport=self._transport, follow_redirects=False
            )
        return self._client
