"""One fleet's client and its simulated far end, and an address that hears its reports."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
from standardwebhooks import Webhook

from meetbot_calendar.bots.fleet import Fleet, Notice, Order
from meetbot_calendar.gateways.fleets.choice import open_fleet
from meetbot_calendar.gateways.fleets.line import Account
from meetbot_calendar.gateways.transport import Transport, open_transport
from meetbot_calendar.sandbox.app import create_app
from meetbot_calendar.sandbox.fleet_bots import Bot, FleetConfig, FleetState
from meetbot_calendar.sandbox.fleets.quarter import MAKES, Quarter
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.world import World
from tests.gateways.far_ends import NOW, Site, StillClock, through
from tests.journeys.surroundings import plainly
from tests.loopback import FarEnd, Heard, listening, says

VENDORS = ["recall", "attendee", "meetstream", "meetingbaas", "vexa"]
FLEETS = ["meetbot", *VENDORS]
MEET = "https://meet.google.com/abc-defg-hij"
KEY = "hush-key"
ORDER = Order(
    key="bot_1",
    bot_id="bot_1",
    tenant_id="ten_1",
    meeting_url=MEET,
    platform="google_meet",
    join_at=NOW - timedelta(minutes=3),
    bot_config={"bot_name": "Notes"},
    metadata={"event_id": "evt_1"},
    callback_url="http://127.0.0.1:1/v1/bots/bot_1/status",
)


class Stand(msgspec.Struct, kw_only=True):
    """Everything around one fleet; ``us`` is where its reports arrive."""

    name: str
    fleet: Fleet
    site: Site
    transport: Transport
    us: FarEnd

    @property
    def end(self) -> str:
        """Return what the world calls this fleet."""
        return "fleet" if self.name == "meetbot" else self.name

    @property
    def state(self) -> FleetState:
        return note(self.site.world, self.end, FleetState)

    @property
    def made(self) -> list[Bot]:
        """Return every bot that the fleet has made."""
        return list(self.state.bots.values())

    @property
    def now(self) -> datetime:
        return self.site.world.clock.now()

    def order(self, **changes: Any) -> Order:
        given = {"callback_url": f"{self.us.url}/v1/bots/bot_1/status"} | changes
        return msgspec.structs.replace(ORDER, **given)

    def trouble(self, kind: str, what: str = "bots", **detail: Any) -> None:
        """Order trouble by the name that fleets of other makes know it by."""
        ours = {"full": "507", "throttled": "429"} if self.name == "meetbot" else {}
        self.site.world.faults.add(f"{self.end}.{what}", ours.get(kind, kind), **detail)

    async def pass_time(self, seconds: float) -> None:
        """Let the fleet's bots live on, and their reports arrive."""
        self.site.world.clock.advance(timedelta(seconds=seconds))
        url = f"{self.site.url}/sandbox/{self.end}/run"
        assert (await self.transport.request("POST", url)).status == 200

    def read(self, heard: Heard, now: datetime | None = None) -> Notice | None:
        """Read what was posted to us, at whichever door this fleet posts to."""
        now = now or self.now
        if self.name == "meetbot":
            report = self.fleet.read_report(heard.headers, heard.body, now)
            return Notice(fleet_bot_id=self.made[0].id, bot_id="bot_1", report=report)
        return self.fleet.read_notice(heard.headers, heard.body, now)


@asynccontextmanager
async def stand_of(name: str) -> AsyncIterator[Stand]:
    """Let one fleet's far end stand, and its client speak to it."""
    world = World(StillClock(), transport=plainly())
    async with (
        listening(through(_far_end(name, world))) as far,
        listening(says(b"", 204)) as us,
        open_transport(plainly()) as transport,
    ):
        site = Site(url=far.url, world=world, heard=far.heard)
        secret = MAKES[name].secret if name in MAKES else FleetConfig().callback_secret
        config = FleetConfig(api_key=KEY, callback_secret=secret, webhook_url=f"{us.url}/reports")
        end = "fleet" if name == "meetbot" else name
        note(site.world, end, FleetState).config = config
        account = Account(url=f"{site.url}/{end}", api_key=KEY, callback_secret=secret)
        fleet = open_fleet(name, transport, account)
        yield Stand(name=name, fleet=fleet, site=site, transport=transport, us=us)
    await world.courier.close()


def _far_end(name: str, world: World) -> Any:
    return Quarter(world, _nobody) if name in MAKES else create_app(world)


async def _nobody(*_: object) -> None:
    """Answer nothing: nobody else lives there."""


def posted(name: str, said: Any, now: datetime, secret: str | None = None) -> Heard:
    """Return what this fleet would post: anything at all, signed as it signs."""
    secret = secret or MAKES[name].secret
    body = json.dumps(said).encode()
    headers = _signatures(name, said, body, secret, now)
    return Heard(method="POST", target="/", headers=headers, body=body)


def _signatures(name: str, said: Any, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    seconds = str(int(now.timestamp()))
    if name == "attendee":
        canonical = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest = hmac.digest(base64.b64decode(secret), canonical.encode(), "sha256")
        return {"x-webhook-signature": base64.b64encode(digest).decode()}
    if name == "meetstream":
        digest_text = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        sent = {"x-meetstream-timestamp": now.isoformat()}
        return sent | {"x-meetstream-signature": f"sha256={digest_text}"}
    if name == "vexa":
        signed = f"{seconds}.".encode() + body
        digest_text = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return {"x-webhook-timestamp": seconds, "x-webhook-signature": f"sha256={digest_text}"}
    prefix = "svix" if name == "meetingbaas" else "webhook"
    signature = Webhook(secret).sign("msg_1", now, body.decode())
    given = {"id": "msg_1", "timestamp": seconds, "signature": signature}
    return {f"{prefix}-{key}": value for key, value in given.items()}
