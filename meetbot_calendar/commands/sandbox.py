"""``sandbox``: Google, Microsoft, fleets and customer, simulated on one port of this machine."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import cast

from litestar.types import ASGIApp

from meetbot_calendar.clock import SystemClock
from meetbot_calendar.commands.extras import tell
from meetbot_calendar.commands.interrupt import run_until_signal
from meetbot_calendar.commands.serve import serve
from meetbot_calendar.embedded.ports import holder, is_free
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.sandbox.app import create_app
from meetbot_calendar.sandbox.fleet_runner import NATIVE, state_of
from meetbot_calendar.sandbox.fleets.quarter import MAKES
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.world import World, load_world
from meetbot_calendar.settings import Secret, Settings

HOST = "127.0.0.1"
USUAL_PORT = 8010


def arguments(parser: ArgumentParser) -> None:
    """Declare the port."""
    parser.add_argument("--port", type=int, default=USUAL_PORT, help="where to listen (8010)")


def main(settings: Settings, given: Namespace) -> int:
    """Serve the sandbox in the foreground."""
    if not is_free(HOST, given.port):
        cause = f"port {given.port} on {HOST} is taken by {holder(given.port)}"
        raise CannotStart(cause, "choose another one with --port")
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = settings.data_dir / "sandbox.json"
    world = load_world(kept, SystemClock(speed=settings.clock_speed, origin=settings.clock_origin))
    admit(world, settings)
    tell(f"the sandbox is at http://{HOST}:{given.port}; its world is kept in {kept}")
    app = create_app(world, kept)

    async def run(stop: asyncio.Event) -> int:
        await serve(cast(ASGIApp, app), HOST, given.port, stop)  # a Door is one, loosely typed
        return 0

    return run_until_signal(run)


def admit(world: World, settings: Settings) -> None:
    """Register the product at each far end, as its operator would have done in their consoles."""
    back = f"{settings.public_url}/v1/calendar/oauth/callback"
    apps = (
        ("google", settings.google_client_id, settings.google_client_secret),
        ("outlook", settings.microsoft_client_id, settings.microsoft_client_secret),
    )
    for provider, client_id, secret in apps:
        if client_id and secret:
            world.grants.register(
                Client(
                    provider="google" if provider == "google" else "outlook",
                    id=client_id,
                    secret=secret.reveal(),
                    redirect_uris=[f"{back}/{provider}"],
                )
            )
    for name, make in (("meetbot", NATIVE), *MAKES.items()):
        config = state_of(world, make).config
        config.webhook_url = f"{settings.public_url}/v1/fleets/{name}/reports"
        if name == settings.fleet:
            config.api_key = _or(settings.fleet_api_key, config.api_key)
            config.callback_secret = _or(settings.fleet_callback_secret, config.callback_secret)


def _or(given: Secret | None, usual: str) -> str:
    return given.reveal() if given else usual
