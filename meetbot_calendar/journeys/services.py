"""The frozen bundle that a journey is handed."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Literal, Protocol

import msgspec

from meetbot_calendar.bots.fleet import Fleet
from meetbot_calendar.calendars.model import OAuthApp, Provider
from meetbot_calendar.calendars.provider import CalendarProvider
from meetbot_calendar.clock import Clock
from meetbot_calendar.deliveries.poster import Poster
from meetbot_calendar.journeys.allowances import Allowances
from meetbot_calendar.journeys.limits import Limits, Unlimited
from meetbot_calendar.journeys.strangers import Strangers
from tenants.limits import Rate
from tenants.secrets.keyring import Keyring
from tenants.storage.session import Database

WakeUp = Literal["sync", "decide", "dispatch", "deliver", "watch", "close", "errand"]


class WakeUps(Protocol):
    """Rings the worker. A ring that is lost costs seconds, never work: the sweep finds the row."""

    async def ring(self, kind: WakeUp, tenant_id: str, row_id: str) -> None:
        """Ring for one row. Never raises."""
        ...

    async def probe(self) -> str | None:
        """Say what is wrong with the bell; None where nothing is."""
        ...


class Jobs(msgspec.Struct, frozen=True, kw_only=True):
    """How the worker hears rings. ``redis`` is opaque here: only arq knows what it is."""

    redis: Any
    queue: str
    serialize: Callable[[dict[str, Any]], bytes]
    deserialize: Callable[[bytes], dict[str, Any]]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator has settled for everybody."""

    public_url: str
    join_lead: timedelta
    poll_interval: timedelta
    past: timedelta
    future: timedelta
    allow_private_webhooks: bool = False
    region: str | None = None
    retention: timedelta = timedelta(days=365)
    requests: Rate | None = None
    wrong_keys: Rate | None = None
    google_requests: Rate | None = None
    trusted_proxies: tuple[str, ...] = ()


async def _none(many: int) -> None:
    """Open nothing."""
    _ = many


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a journey may touch; wiring builds it once.

    ``warm`` opens as many connections to the fleet as are needed at once, soon. It never raises.
    """

    clock: Clock
    database: Database
    keyring: Keyring
    providers: Mapping[Provider, CalendarProvider]
    operator_apps: Mapping[Provider, OAuthApp]
    fleet: Fleet
    warm: Callable[[int], Awaitable[None]] = _none
    poster: Poster
    wakeups: WakeUps
    house: House
    limits: Limits = Unlimited()
    strangers: Strangers = msgspec.field(default_factory=Strangers)
    allowances: Allowances = msgspec.field(default_factory=Allowances)
