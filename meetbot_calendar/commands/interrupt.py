"""Runs a command until it is done or a signal asks it to end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import uvloop

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_until_signal(work: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run ``work`` on uvloop; the event that it is given is set when a signal asks to end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_watched(work))


async def _watched(work: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wish in _SIGNALS:
        loop.add_signal_handler(wish, stop.set)
    return await work(stop)
