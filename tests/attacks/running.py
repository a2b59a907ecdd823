"""The product in real processes, its sandbox in ours, so that every secret of both is known."""

import asyncio
import secrets
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.clock import SystemClock
from meetbot_calendar.embedded.ports import free_port
from meetbot_calendar.embedded.state import ServerState, read_state
from meetbot_calendar.gateways.transport import Answer, Transport, open_transport
from meetbot_calendar.sandbox.app import create_app as create_sandbox
from meetbot_calendar.sandbox.fleet_bots import FleetState
from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.notes import note
from meetbot_calendar.sandbox.world import World
from meetbot_calendar.settings import child_environment
from tests.gateways.far_ends import through
from tests.journeys.surroundings import living, plainly
from tests.loopback import listening

SPEED = 30.0
READY = 60.0


def canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(12)}"


class Planted(msgspec.Struct, kw_only=True):
    """What the operator sets that nobody else may know."""

    google: str = msgspec.field(default_factory=lambda: canary("google"))
    microsoft: str = msgspec.field(default_factory=lambda: canary("microsoft"))
    operator: str = msgspec.field(default_factory=lambda: canary("operator"))
    vault_token: str = msgspec.field(default_factory=lambda: canary("vault"))
    vault_secret: str = msgspec.field(default_factory=lambda: canary("approle"))
    fleet_key: str = msgspec.field(default_factory=lambda: canary("fleet"))
    callback: str = msgspec.field(
        default_factory=lambda: "whsec_" + b64encode(secrets.token_bytes(30)).decode()
    )


class Running(msgspec.Struct, kw_only=True):
    """Where everything is, and everything that was answered but what is meant to be secret."""

    url: str
    sandbox_url: str
    world: World
    transport: Transport
    process: asyncio.subprocess.Process
    data_dir: Path
    planted: Planted
    log: Path
    answers: list[str] = []

    async def ask(
        self, method: str, path: str, key: str | None, json: object = None, **given: Any
    ) -> Answer:
        """Ask the product; what it answers is kept to be looked through."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        headers |= given.pop("headers", {})
        answer = await self.transport.request(
            method, f"{self.url}{path}", headers=headers, json=json, **given
        )
        self.answers.append(f"{method} {path.partition('?')[0]}\n{answer.headers}\n")
        self.answers.append(answer.body.decode("utf-8", "replace"))
        return answer

    async def told(self, method: str, path: str, key: str, json: object = None) -> Any:
        """Ask for something whose answer shows a secret, this once."""
        answer = await self.ask(method, path, key, json)
        del self.answers[-1]
        assert answer.is_success, answer.body
        return answer.json()

    async def heard(self, kind: str) -> None:
        """Wait until the customer was told so."""
        path = f"{self.sandbox_url}/customer/received?type={kind}&wait=30"
        answer = await self.transport.request("GET", path, timeout=40)
        assert answer.json()["messages"], f"nobody was told of {kind}"

    @property
    def stores(self) -> ServerState:
        found = read_state(self.data_dir)
        assert found is not None
        return found


@asynccontextmanager
async def running(folder: Path, level: str = "debug") -> AsyncIterator[Running]:
    """Run ``up`` against a sandbox, thirty times as fast as the clock."""
    planted = Planted()
    clock = SystemClock(speed=SPEED, origin=SystemClock().now())
    world = World(clock, transport=plainly())
    sandbox = create_sandbox(world)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "up.log"
    async with (
        living(sandbox),
        listening(through(sandbox)) as far,
        open_transport(plainly()) as transport,
    ):
        _admit(world, url, planted)
        environment = child_environment(
            {
                **_settings(far.url, planted),
                "MEETBOT_DATA_DIR": str(folder / "data"),
                "MEETBOT_PORT": str(port),
                "MEETBOT_PUBLIC_URL": url,
                "MEETBOT_CLOCK_SPEED": str(SPEED),
                "MEETBOT_CLOCK_ORIGIN": clock.origin.isoformat(),
                "MEETBOT_LOG_LEVEL": level,
            }
        )
        words = [sys.executable, "-P", "-m", "meetbot_calendar", "up"]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *words, cwd=folder, env=environment, stdout=output, stderr=asyncio.subprocess.STDOUT
            )
        try:
            await _ready(transport, url, process)
            yield Running(
                url=url,
                sandbox_url=far.url,
                world=world,
                transport=transport,
                process=process,
                data_dir=folder / "data",
                planted=planted,
                log=log,
            )
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _ready(transport: Transport, url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(READY):
        while True:
            assert process.returncode is None, "it ended before it was ready"
            try:
                answer = await transport.request("GET", f"{url}/health/ready")
            except Exception:  # noqa: BLE001 - nobody listens there yet, in whatever way
                await asyncio.sleep(0.1)
                continue
            if answer.is_success:
                return


def _admit(world: World, url: str, planted: Planted) -> None:
    apps = {Provider.GOOGLE: planted.google, Provider.OUTLOOK: planted.microsoft}
    for provider, secret in apps.items():
        back = f"{url}/v1/calendar/oauth/callback/{provider}"
        world.grants.register(
            Client(provider=provider.value, id=f"{provider}-1", secret=secret, redirect_uris=[back])
        )
    config = note(world, "fleet", FleetState).config
    config.api_key, config.callback_secret = planted.fleet_key, planted.callback


def _settings(sandbox: str, planted: Planted) -> dict[str, str]:
    return {
        "MEETBOT_OPERATOR_KEY": planted.operator,
        "MEETBOT_GOOGLE_CLIENT_ID": "google-1",
        "MEETBOT_GOOGLE_CLIENT_SECRET": planted.google,
        "MEETBOT_GOOGLE_AUTH_URL": f"{sandbox}/google/o/oauth2/v2/auth",
        "MEETBOT_GOOGLE_TOKEN_URL": f"{sandbox}/google/token",
        "MEETBOT_GOOGLE_REVOKE_URL": f"{sandbox}/google/revoke",
        "MEETBOT_GOOGLE_USERINFO_URL": f"{sandbox}/google/v1/userinfo",
        "MEETBOT_GOOGLE_API_URL": f"{sandbox}/google/calendar/v3",
        "MEETBOT_MICROSOFT_CLIENT_ID": "outlook-1",
        "MEETBOT_MICROSOFT_CLIENT_SECRET": planted.microsoft,
        "MEETBOT_MICROSOFT_AUTHORITY": f"{sandbox}/microsoft/common",
        "MEETBOT_GRAPH_URL": f"{sandbox}/microsoft/graph/v1.0",
        "MEETBOT_FLEET_URL": f"{sandbox}/fleet",
        "MEETBOT_FLEET_API_KEY": planted.fleet_key,
        "MEETBOT_FLEET_CALLBACK_SECRET": planted.callback,
        "MEETBOT_ALLOW_PRIVATE_WEBHOOKS": "1",
        "MEETBOT_POLL_INTERVAL": "30",
        "VAULT_TOKEN": planted.vault_token,
        "VAULT_SECRET_ID": planted.vault_secret,
    }


def family(pid: int) -> list[int]:
    """Return a process with all below it."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [pid, *(below for word in text.split() for below in family(int(word)))]


def said_of(pid: int, what: str) -> bytes:
    """Read ``cmdline`` or ``environ`` of a process; nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
