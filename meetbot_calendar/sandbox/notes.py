"""Keeps an end's own state inside the world's, typed, so that it outlives the process with it."""

from typing import TypeVar

import msgspec

from meetbot_calendar.sandbox.world import World

Note = TypeVar("Note", bound=msgspec.Struct)


def note(world: World, name: str, shape: type[Note]) -> Note:
    """Return the state kept under ``name``, made (or read back from plain JSON) on first use."""
    kept = world.state.notes.get(name)
    if isinstance(kept, shape):
        return kept
    found = msgspec.convert(kept or {}, shape)
    world.state.notes[name] = found
    return found
