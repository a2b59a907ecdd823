"""Which JSON from outside can be kept: not too deep, and with whole numbers that fit 64 bits."""

from collections.abc import Iterator

from meetbot_calendar.errors import Fault

DEEPEST = 160
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


def unfit(document: object) -> Iterator[Fault]:
    """Find what cannot be kept, each with its place."""
    waiting: list[tuple[object, str, int]] = [(document, "", 0)]
    while waiting:
        value, pointer, depth = waiting.pop()
        if isinstance(value, int) and not _LEAST <= value <= _MOST:
            yield Fault(pointer, "This whole number does not fit 64 bits.")
        elif depth > DEEPEST:
            yield Fault(pointer, f"It is nested more than {DEEPEST} deep.")
        elif isinstance(value, dict):
            waiting += [(v, pointer + step(k), depth + 1) for k, v in value.items()]
        elif isinstance(value, list):
            waiting += [(v, f"{pointer}/{place}", depth + 1) for place, v in enumerate(value)]


def step(name: str) -> str:
    """Write one step of a JSON pointer (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
