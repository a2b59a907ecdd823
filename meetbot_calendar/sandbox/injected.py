"""How a route handler receives the world that it serves."""

from litestar.datastructures import State
from litestar.di import NamedDependency, Provide

from meetbot_calendar.sandbox.world import World

Here = NamedDependency[World]
"""Annotate a handler's ``world`` argument with this."""


def providing() -> dict[str, Provide]:
    """Return the application's dependencies; the world lies in its state."""
    return {"world": Provide(_world_of, sync_to_thread=False)}


def _world_of(state: State) -> World:
    found: World = state.world
    return found
