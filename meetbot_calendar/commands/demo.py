"""``up --demo``: the sandbox beside the product, a story told in it, and a screen to watch."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from meetbot_calendar.clock import SystemClock
from meetbot_calendar.commands.child import Child
from meetbot_calendar.commands.extras import Extras, tell
from meetbot_calendar.commands.port import own_url
from meetbot_calendar.commands.screen import Screen
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.sandbox.story import Http, HttpError, Story, StoryFailed, Teller
from meetbot_calendar.settings import Settings

_USUAL_PORT = 8010
_LOOK_EVERY = 1.0


class Demo(msgspec.Struct, kw_only=True):
    """What a demo keeps between its starts, in a file of its own (0600)."""

    google_secret: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    microsoft_secret: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    fleet_key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    callback_secret: str = msgspec.field(
        default_factory=lambda: "whsec_" + b64encode(secrets.token_bytes(24)).decode()
    )
    fleet: str = "meetbot"
    speed: float = 10.0
    origin: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    port: int = 0
    story: Story = msgspec.field(default_factory=Story)

    def __repr__(self) -> str:
        return "Demo(***)"


def demo_extras(
    settings: Settings, speed: float | None, fleet: str | None, begun: datetime
) -> Extras:
    """Set up the sandbox; it and the product get the same secrets and the same clock."""
    kept = settings.data_dir / "demo.json"
    demo = _read(kept, speed, begun)
    demo.fleet = fleet or demo.fleet
    demo.port = demo.port or free_port(_USUAL_PORT)
    _write(kept, demo)
    sandbox = f"http://127.0.0.1:{demo.port}"
    changes = sandbox_changes(sandbox, demo)
    logs = settings.data_dir / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    child = Child(
        name="sandbox",
        words=("sandbox", "--port", str(demo.port)),
        changes=changes,
        ready_url=sandbox,
        log=logs / "sandbox.log",
    )
    beside = partial(_show, demo=demo, kept=kept, sandbox=sandbox)
    return Extras(beside=beside, first=(child,), changes=changes, logs=logs)


def _read(kept: Path, speed: float | None, begun: datetime) -> Demo:
    """Read what was kept. Another speed begins its time where the old one stands."""
    if not kept.exists():
        return Demo(speed=speed or 10.0, origin=begun)
    demo = msgspec.json.decode(kept.read_bytes(), type=Demo)
    if speed is not None and speed != demo.speed:
        stands = SystemClock(speed=demo.speed, origin=demo.origin).now()
        demo.origin = begun - (stands - begun) / (speed - 1) if speed != 1 else begun
        demo.speed = speed
    return demo


def _write(kept: Path, demo: Demo) -> None:
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept.touch(mode=0o600)
    kept.write_bytes(msgspec.json.encode(demo))


def sandbox_changes(sandbox: str, demo: Demo) -> Mapping[str, str]:
    """Return the settings that point at a sandbox: the product knows no others for it."""
    return {
        "MEETBOT_GOOGLE_CLIENT_ID": "demo.apps.example",
        "MEETBOT_GOOGLE_CLIENT_SECRET": demo.google_secret,
        "MEETBOT_GOOGLE_AUTH_URL": f"{sandbox}/google/o/oauth2/v2/auth",
        "MEETBOT_GOOGLE_TOKEN_URL": f"{sandbox}/google/token",
        "MEETBOT_GOOGLE_REVOKE_URL": f"{sandbox}/google/revoke",
        "MEETBOT_GOOGLE_USERINFO_URL": f"{sandbox}/google/v1/userinfo",
        "MEETBOT_GOOGLE_API_URL": f"{sandbox}/google/calendar/v3",
        "MEETBOT_MICROSOFT_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
        "MEETBOT_MICROSOFT_CLIENT_SECRET": demo.microsoft_secret,
        "MEETBOT_MICROSOFT_AUTHORITY": f"{sandbox}/microsoft/common",
        "MEETBOT_GRAPH_URL": f"{sandbox}/microsoft/graph/v1.0",
        "MEETBOT_FLEET": demo.fleet,
        "MEETBOT_FLEET_URL": f"{sandbox}/{'fleet' if demo.fleet == 'meetbot' else demo.fleet}",
        "MEETBOT_FLEET_API_KEY": demo.fleet_key,
        "MEETBOT_FLEET_CALLBACK_SECRET": _in_form(demo),
        "MEETBOT_ALLOW_PRIVATE_WEBHOOKS": "1",
        "MEETBOT_CLOCK_SPEED": str(demo.speed),
        "MEETBOT_CLOCK_ORIGIN": demo.origin.isoformat(),
    }


def _in_form(demo: Demo) -> str:
    """Return the secret as its fleet writes it: Attendee's is plain base64."""
    secret = demo.callback_secret
    return secret.removeprefix("whsec_") if demo.fleet == "attendee" else secret


async def _show(
    stores: Settings, stop: asyncio.Event, *, demo: Demo, kept: Path, sandbox: str
) -> None:
    """Tell the story, then keep the screen up to date until asked to end."""
    clock = SystemClock(speed=demo.speed, origin=demo.origin)
    key = stores.operator_key.reveal() if stores.operator_key else ""
    async with Http(timeout=30.0) as http:
        teller = Teller(http, own_url(stores), sandbox)
        try:
            await teller.tell(demo.story, key, clock.now())
        except (StoryFailed, HttpError) as error:
            tell(f"the demo's story stopped: {error}")
        _write(kept, demo)
        screen = Screen(http, own_url(stores), sandbox, demo.story, clock)
        with screen.shown():
            while not stop.is_set():
                await screen.refresh()
                await _pause(stop)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_EVERY):
            await stop.wait()
    except TimeoutError:
        return
