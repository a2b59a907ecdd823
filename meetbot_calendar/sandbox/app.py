"""The sandbox as one ASGI application: every far end over one world."""

from pathlib import Path

from litestar import Litestar, Router
from litestar.datastructures import State

from meetbot_calendar.sandbox import customer, customer_site, fleet
from meetbot_calendar.sandbox import samples as google
from meetbot_calendar.sandbox.control import end as control_end
from meetbot_calendar.sandbox.customer import CustomerServer
from meetbot_calendar.sandbox.door import Door
from meetbot_calendar.sandbox.fleet_runner import FleetRunner
from meetbot_calendar.sandbox.fleets.quarter import Quarter
from meetbot_calendar.sandbox.google import end as google_end
from meetbot_calendar.sandbox.injected import providing
from meetbot_calendar.sandbox.microsoft import end as microsoft_end
from meetbot_calendar.sandbox.microsoft import samples as outlook
from meetbot_calendar.sandbox.world import World


def create_app(world: World, keep_in: Path | None = None) -> Door:
    """Return the application; with ``keep_in`` the world outlives the process in that file.

    Meetings that were held before get their rows now. It expects one process and one event loop.
    Its start-up lets the fleets' bots live on.
    """
    _join(world)
    own = FleetRunner(world)
    app = Litestar(
        route_handlers=_ends(world, own),
        state=State({"world": world}),
        dependencies=providing(),
        openapi_config=None,
        logging_config=None,
    )
    quarter = Quarter(world, app)
    runners = [own, *quarter.runners.values()]

    async def wake() -> None:
        for runner in runners:
            runner.start()

    async def close() -> None:
        for runner in runners:
            await runner.stop()
        await world.courier.close()

    app.on_startup.append(wake)
    app.on_shutdown.append(close)
    return Door(quarter, world, keep_in)


def _join(world: World) -> None:
    google_end.join(world)
    microsoft_end.join(world)
    world.raw_writers |= {"google": google.insert_raw, "outlook": outlook.put_event}
    world.folder_loaders |= {"google": google.load_samples, "outlook": outlook.load_events}
    for meeting in world.state.meetings.values():
        world.write(meeting)


def _ends(world: World, runner: FleetRunner) -> list[Router]:
    return [
        google_end.router(),
        microsoft_end.router(),
        microsoft_end.control_router(),
        fleet.router(runner),
        fleet.control_router(runner),
        customer.router(CustomerServer(world)),
        customer_site.router(),
        control_end.router(),
    ]
