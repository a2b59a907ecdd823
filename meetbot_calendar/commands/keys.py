"""``keys create`` makes an API key of a tenant; ``keys rotate`` gives tenants new data keys."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace

from meetbot_calendar.commands.migrate import migrate
from meetbot_calendar.commands.progress import telling
from meetbot_calendar.commands.stores import open_stores
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.errors import Invalid, Missing
from meetbot_calendar.journeys import keys, rotate, tenants
from meetbot_calendar.journeys.keys import FreshKey, KeyWish
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.settings import Settings
from meetbot_calendar.wiring import open_services
from tenants.identity import CalendarUserId, TenantContext, TenantId
from tenants.secrets.key_provider import KeyServiceDown, KeyServiceRefused


def arguments(parser: ArgumentParser) -> None:
    """Declare what to do, and for whom."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|rotate")
    create = verbs.add_parser("create", help="make an API key, shown once")
    create.add_argument("--tenant", required=True, metavar="ID", help="ten_…: whose key it is")
    create.add_argument("--user", metavar="ID", help="mcu_…: see this calendar user alone")
    create.add_argument("--name", default="made on the command line", help="what it is called")
    rotate = verbs.add_parser("rotate", help="rotate the tenants' keys; all stays readable")
    rotate.add_argument("--tenant", metavar="ID", help="ten_…: of this tenant alone")


def main(settings: Settings, given: Namespace) -> int:
    """Do what was asked."""
    with open_stores(settings) as stores:
        migrate(stores)
        return asyncio.run(_act(stores, given))


async def _act(stores: Settings, given: Namespace) -> int:
    async with open_services(stores) as services:
        try:
            if given.verb == "rotate":
                return await _rotate(services, given.tenant)
            return _show(await _create(services, given))
        except Missing as error:
            raise CannotStart(error.detail, "check the id: tenants begin with ten_") from error
        except (KeyServiceDown, KeyServiceRefused) as error:
            raise CannotStart(
                f"the key service does not serve us: {error.detail}",
                "mend that, and give the same command again: it goes on where it stopped",
            ) from error
        except Invalid as error:
            raise CannotStart(error.faults[0].detail, "mend that, and ask again") from error


async def _create(services: Services, given: Namespace) -> FreshKey:
    tenant = await tenants.read_tenant(services, TenantId(given.tenant))
    context = TenantContext(tenant_id=tenant.id, actor="operator")
    user_id = None if given.user is None else CalendarUserId(given.user)
    return await keys.create_key(services, context, KeyWish(name=given.name, user_id=user_id))


def _show(fresh: FreshKey) -> int:
    sys.stdout.write(
        f"{fresh.key.id}\n{fresh.secret}\nThis key is shown here alone: keep it now.\n"
    )
    return 0


async def _rotate(services: Services, tenant_id: str | None) -> int:
    only = None if tenant_id is None else TenantId(tenant_id)
    if only is not None:
        await tenants.read_tenant(services, only)
    count = rewrapped = 0
    with telling("keys rotated") as tell:
        async for done in rotate.rotate_keys(services, only):
            count, rewrapped = done.place, rewrapped + done.rewrapped
            tell(done.place, done.of, f"{done.tenant_id} {done.purpose}")
    sys.stdout.write(f"{count} keys rotated, {rewrapped} data keys wrapped anew under them\n")
    return 0
