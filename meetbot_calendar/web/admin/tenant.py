"""``/admin``: the tenant at a glance, and its people."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from meetbot_calendar.deliveries.model import DeliveryId
from meetbot_calendar.journeys import accounts, deliver, overview, users
from meetbot_calendar.journeys.paging import PageWish
from meetbot_calendar.web.admin.door import form_of
from meetbot_calendar.web.admin.rendering import show
from meetbot_calendar.web.admin.visits import Guest
from meetbot_calendar.web.api.parts import Cursor, Given


@get("/")
async def see_tenant(services: Given, guest: Guest) -> Response[str]:
    """Show the tenant at a glance."""
    seen = await overview.picture(services, guest.context)
    return show("tenant.html", guest=guest, seen=seen)


@get("/users")
async def see_people(services: Given, guest: Guest, cursor: Cursor = None) -> Response[str]:
    """Show the tenant's people, newest first."""
    wish = PageWish(limit=50, cursor=cursor)
    listed = await users.list_users(services, guest.context, wish, None)
    return show("people.html", guest=guest, listed=listed)


@post("/deliveries/{delivery_id:str}/redeliver", status_code=303)
async def redeliver(
    services: Given,
    request: Request[Any, Any, Any],
    guest: Guest,
    delivery_id: FromPath[DeliveryId],
) -> Response[Any]:
    """Send a delivery again."""
    await form_of(request, services, guest)
    await deliver.redeliver(services, guest.context, delivery_id)
    await accounts.note(services, guest.context, "delivery.sent_again", delivery_id)
    return Redirect("/admin", status_code=303)
