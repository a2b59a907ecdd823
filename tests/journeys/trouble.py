"""Where trouble is ordered at either provider, and what happens while the product talks to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from meetbot_calendar.calendars.model import Provider
from tests.journeys.stage import Stage

TOKENS = {Provider.GOOGLE: "google.token", Provider.OUTLOOK: "microsoft.token"}
LISTS = {Provider.GOOGLE: "google.calendars", Provider.OUTLOOK: "microsoft.calendars"}
EVENTS = {Provider.GOOGLE: "google.events", Provider.OUTLOOK: "microsoft.delta"}
PUSHES = {Provider.GOOGLE: "google.push", Provider.OUTLOOK: "microsoft.push"}
WATCHES = {Provider.GOOGLE: "google.watch", Provider.OUTLOOK: "microsoft.subscriptions"}
STOPS = {Provider.GOOGLE: "google.stop", Provider.OUTLOOK: "microsoft.subscriptions"}
READS = {Provider.GOOGLE: "/events", Provider.OUTLOOK: "/calendarView/delta"}

Act = Callable[[], Awaitable[object]]


class Meanwhile:
    """A port of which one call is answered only after something else has happened, once."""

    def __init__(self, port: Any, call: str, act: Act) -> None:
        self._port = port
        self._call = call
        self._act: Act | None = act

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name != self._call:
            return found
        return self._read(found) if name == "changes" else self._do(found)

    def _do(self, call: Any) -> Any:
        async def done(*given: Any, **named: Any) -> Any:
            try:
                return await call(*given, **named)
            finally:
                await self._happen()

        return done

    def _read(self, call: Any) -> Any:
        async def pages(*given: Any, **named: Any) -> AsyncIterator[Any]:
            async for page in call(*given, **named):
                yield page
            await self._happen()

        return pages

    async def _happen(self) -> None:
        act, self._act = self._act, None
        if act is not None:
            await act()


def while_reading(stage: Stage, provider: Provider, act: Act, call: str = "changes") -> Stage:
    """Return the stage with services to which ``act`` happens during one call to the provider."""
    port: Any = Meanwhile(stage.services.providers[provider], call, act)
    providers = {**stage.services.providers, provider: port}
    services = msgspec.structs.replace(stage.services, providers=providers)
    return msgspec.structs.replace(stage, services=services)


def asked(stage: Stage, path: str) -> int:
    """Count the requests that the providers were asked so far."""
    return len(stage.world.journal.find(path))


def silence(stage: Stage) -> None:
    """Let every notice of either provider be lost, for good."""
    for target in PUSHES.values():
        stage.world.faults.add(target, "drop", times=-1)
