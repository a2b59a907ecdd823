"""``up``: everything on one machine, kept running until asked to end."""

import asyncio
import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path

from meetbot_calendar.clock import SystemClock
from meetbot_calendar.commands.child import Child
from meetbot_calendar.commands.database import check_database
from meetbot_calendar.commands.demo import demo_extras
from meetbot_calendar.commands.extras import Extras, say_ready, tell
from meetbot_calendar.commands.interrupt import run_until_signal
from meetbot_calendar.commands.migrate import migrate
from meetbot_calendar.commands.operator_key import with_operator_key
from meetbot_calendar.commands.port import own_url, require_free_port
from meetbot_calendar.commands.redis_store import check_redis
from meetbot_calendar.commands.stores import own_servers, with_addresses
from meetbot_calendar.commands.supervise import Supervisor
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.settings import FLEETS, Secret, Settings

# Together with the kills that may follow, less than five seconds.
_CHILDREN_END_WITHIN, _SERVERS_END_WITHIN = 2.8, 1.0
_FASTEST = 30


def arguments(parser: ArgumentParser) -> None:
    """Declare the demo."""
    parser.add_argument(
        "--demo", action="store_true", help="with simulated providers, people and meetings"
    )
    parser.add_argument(
        "--speed", type=float, help="how fast the demo's clock runs, 1 to 30 (at first 10)"
    )
    parser.add_argument("--fleet", choices=FLEETS, help="whose bots the demo sends (at first ours)")


def main(settings: Settings, given: Namespace) -> int:
    """Run everything in the foreground."""
    require_free_port(settings)
    keyed = with_operator_key(settings)
    extras = _demo(keyed, given) if given.demo else Extras(beside=say_ready)
    return run_until_signal(lambda stop: up(keyed, extras, stop))


def _demo(settings: Settings, given: Namespace) -> Extras:
    if given.speed is not None and not 1 <= given.speed <= _FASTEST:
        raise CannotStart(f"--speed {given.speed:g} is not from 1 to 30", "choose one between")
    return demo_extras(settings, given.speed, given.fleet, SystemClock().now())


async def up(settings: Settings, extras: Extras, stop: asyncio.Event) -> int:
    """Start servers, migrate, start the children; keep all until ``stop`` is set; end all."""
    servers, children = Supervisor(tell), Supervisor(tell)
    own = own_servers(settings)
    try:
        own.prepare()
        stores = with_addresses(settings, own.addresses)
        ours = _api_and_worker(stores, extras)
        if await servers.start(own.parts, stop):
            await asyncio.to_thread(_check_and_migrate, stores)
            if await children.start(extras.first, stop) and await children.start(ours, stop):
                await asyncio.gather(
                    servers.keep(stop), children.keep(stop), extras.beside(stores, stop)
                )
    finally:
        await children.end(_CHILDREN_END_WITHIN)
        await servers.end(_SERVERS_END_WITHIN)
        own.release()
    return 0


def _check_and_migrate(stores: Settings) -> None:
    try:
        check_redis(_revealed(stores.redis_url))
    except CannotStart as trouble:
        # Redis only rings the bell: without it work is late, and no reason not to start.
        tell(f"warning: {trouble.cause}; {trouble.remedy}; until then bots may be late")
    check_database(_revealed(stores.database_url))
    migrate(stores)


def _api_and_worker(stores: Settings, extras: Extras) -> tuple[Child, Child]:
    changes = {
        "MEETBOT_DATABASE_URL": _revealed(stores.database_url),
        "MEETBOT_OWNER_DATABASE_URL": "",  # migrations alone need the owner
        "MEETBOT_REDIS_URL": _revealed(stores.redis_url),
        "MEETBOT_OPERATOR_KEY": "",  # the API alone needs the operator's key
        "PROMETHEUS_MULTIPROC_DIR": str(_emptied(stores.data_dir / "metrics")),
        **extras.changes,
    }
    ready = f"{own_url(stores)}/health/ready"
    return (
        Child(
            name="api",
            words=("api",),
            changes={**changes, "MEETBOT_OPERATOR_KEY": _revealed(stores.operator_key)},
            ready_url=ready,
            log=extras.log("api"),
        ),
        Child(name="worker", words=("worker",), changes=changes, log=extras.log("worker")),
    )


def _emptied(folder: Path) -> Path:
    """Make way for this run's counters, which api and worker keep together."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return folder


def _revealed(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""
