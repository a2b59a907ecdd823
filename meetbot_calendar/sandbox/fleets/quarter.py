"""Where the fleets of other makes stand: each one's application is built when it is first asked."""

from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ASGIApp, Receive, Scope, Send

from meetbot_calendar.sandbox.fleet import control_router
from meetbot_calendar.sandbox.fleet_runner import FleetRunner
from meetbot_calendar.sandbox.fleets import attendee, meetingbaas, meetstream, recall, vexa
from meetbot_calendar.sandbox.injected import providing
from meetbot_calendar.sandbox.world import World

_ENDS = {end.MAKE.name: end for end in (recall, attendee, meetstream, meetingbaas, vexa)}
MAKES = {name: end.MAKE for name, end in _ENDS.items()}


class Quarter:
    """An ASGI application before another: it answers what is a fleet's, and passes on the rest.

    A fleet has ``/NAME/…``, and its control is at ``/sandbox/NAME/…``.
    """

    def __init__(self, world: World, rest: ASGIApp) -> None:
        self.world = world
        self.runners = {name: FleetRunner(world, make) for name, make in MAKES.items()}
        self._rest = rest
        self._built: dict[str, Litestar] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        name = _make_of(scope)
        app = self._app(name) if name in self.runners else self._rest
        await app(scope, receive, send)

    def _app(self, name: str) -> Litestar:
        if name not in self._built:
            runner = self.runners[name]
            self._built[name] = Litestar(
                route_handlers=[_ENDS[name].router(runner), control_router(runner)],
                state=State({"world": self.world}),
                dependencies=providing(),
                openapi_config=None,
                logging_config=None,
            )
        return self._built[name]


def _make_of(scope: Scope) -> str:
    parts = scope.get("path", "").removeprefix("/sandbox").split("/")
    return parts[1] if len(parts) > 1 else ""
