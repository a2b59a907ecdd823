"""``/admin/login`` and ``/admin/logout``: a key comes in, a cookie goes out."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Redirect

from meetbot_calendar.journeys import admin
from meetbot_calendar.web.addresses import asked_from
from meetbot_calendar.web.admin.door import Visitor, cookie, form_of
from meetbot_calendar.web.admin.rendering import show
from meetbot_calendar.web.api.parts import Given

Guest = NamedDependency[SkipValidation[Visitor]]


@get("/login")
async def ask_for_key() -> Response[str]:
    """Ask for a key."""
    return show("login.html", refused=False)


@post("/login", status_code=303)
async def log_in(services: Given, request: Request[Any, Any, Any]) -> Response[Any]:
    """Take a key, and let its owner in."""
    form = await form_of(request, services, None)
    address = asked_from(request, services.house.trusted_proxies)
    token = await admin.enter(services, form.get("key", "").strip(), address)
    if token is None:
        return show("login.html", status=401, refused=True)
    return Redirect("/admin", status_code=303, cookies=[cookie(services, token)])


@post("/logout", status_code=303)
async def log_out(services: Given, request: Request[Any, Any, Any], guest: Guest) -> Response[Any]:
    """End the session, here and in the database."""
    await form_of(request, services, guest)
    await admin.leave(services, guest.context, guest.token)
    return Redirect("/admin/login", status_code=303, cookies=[cookie(services, "")])
