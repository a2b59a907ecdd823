"""``tenants create NAME``: make a tenant, and show its first API key, once."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace

from meetbot_calendar.commands.migrate import migrate
from meetbot_calendar.commands.stores import open_stores
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.errors import Invalid
from meetbot_calendar.journeys import tenants
from meetbot_calendar.journeys.tenants import Created, TenantWish
from meetbot_calendar.settings import Settings
from meetbot_calendar.wiring import open_services

_LONGEST_NAME = 200
_MOST_DAYS = 3650


def arguments(parser: ArgumentParser) -> None:
    """Declare what to do, and the tenant to make."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create")
    create = verbs.add_parser("create", help="make a tenant with its first API key")
    create.add_argument("name", metavar="NAME", help="what the tenant is called")
    create.add_argument("--region", choices=["eu", "us"], help="where its data lie")
    create.add_argument(
        "--retention-days", type=int, metavar="N", help="how long its data are kept; else for good"
    )


def main(settings: Settings, given: Namespace) -> int:
    """Make the tenant, and show its key."""
    wish = _wish(given)
    with open_stores(settings) as stores:
        migrate(stores)
        created = asyncio.run(_create(stores, wish))
    sys.stdout.write(
        f"tenant   {created.tenant.id}  {created.tenant.name}\n"
        f"api key  {created.secret}\n"
        "         This key is shown here alone: keep it now.\n"
    )
    return 0


def _wish(given: Namespace) -> TenantWish:
    name, days = str(given.name).strip(), given.retention_days
    if not 0 < len(name) <= _LONGEST_NAME or "\x00" in name:
        raise CannotStart("the tenant has no usable name", f"give 1 to {_LONGEST_NAME} letters")
    if days is not None and not 0 < days <= _MOST_DAYS:
        raise CannotStart("that retention cannot be", f"give 1 to {_MOST_DAYS} days")
    return TenantWish(name=name, region=given.region, retention_days=days)


async def _create(stores: Settings, wish: TenantWish) -> Created:
    async with open_services(stores) as services:
        try:
            return await tenants.create_tenant(services, wish)
        except Invalid as error:
            cause = f"the tenant cannot be made: {error.faults[0].detail}"
            raise CannotStart(cause, "choose another region, or none") from error
