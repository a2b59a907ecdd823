"""``worker``: do what is due."""

import asyncio
from argparse import ArgumentParser, Namespace

from meetbot_calendar.commands.interrupt import run_until_signal
from meetbot_calendar.commands.stores import open_stores
from meetbot_calendar.settings import Settings
from meetbot_calendar.wiring import open_services, worker_jobs
from meetbot_calendar.worker.main import work


def arguments(parser: ArgumentParser) -> None:
    """Declare none."""
    _ = parser


def main(settings: Settings, given: Namespace) -> int:
    """Work in the foreground."""
    _ = given
    with open_stores(settings) as stores:
        return run_until_signal(lambda stop: _work(stores, stop))


async def _work(stores: Settings, stop: asyncio.Event) -> int:
    async with open_services(stores) as services:
        await work(services, worker_jobs(stores), stop)
    return 0
