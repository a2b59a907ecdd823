"""``api``: answer HTTP requests."""

import asyncio
from argparse import ArgumentParser, Namespace

from meetbot_calendar.commands.interrupt import run_until_signal
from meetbot_calendar.commands.operator_key import with_operator_key
from meetbot_calendar.commands.port import require_free_port
from meetbot_calendar.commands.serve import serve
from meetbot_calendar.commands.stores import open_stores
from meetbot_calendar.probes import probes_of
from meetbot_calendar.settings import Settings
from meetbot_calendar.web.app import create_app
from meetbot_calendar.wiring import API_OPENS, open_services, required
from tenants.api_keys import same_key


def arguments(parser: ArgumentParser) -> None:
    """Declare none."""
    _ = parser


def main(settings: Settings, given: Namespace) -> int:
    """Serve the API in the foreground."""
    _ = given
    require_free_port(settings)
    with open_stores(with_operator_key(settings)) as stores:
        return run_until_signal(lambda stop: _serve(stores, stop))


async def _serve(stores: Settings, stop: asyncio.Event) -> int:
    operator_key = required(stores.operator_key)
    async with open_services(stores, opens=API_OPENS) as services:
        app = create_app(
            services,
            is_operator=lambda key: same_key(key, operator_key),
            probes=probes_of(services),
        )
        await serve(app, stores.host, stores.port, stop)
    return 0
