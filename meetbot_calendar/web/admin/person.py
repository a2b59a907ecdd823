"""``/admin/users/{id}``: one person; read their calendars again, reconnect them, try rules."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from meetbot_calendar.journeys import accounts, asked_sync, connect, decide, overview
from meetbot_calendar.journeys.connect import ConnectWish
from meetbot_calendar.web.admin.door import Visitor, form_of
from meetbot_calendar.web.admin.rendering import show
from meetbot_calendar.web.admin.visits import Guest
from meetbot_calendar.web.api.connect import ProviderName, provider_of
from meetbot_calendar.web.api.parts import Given
from rules.faults import RuleSetInvalid
from rules.parse import decode_rule_set
from tenants.identity import CalendarUserId

UserId = FromPath[CalendarUserId]


async def _show(
    services: Given,
    guest: Visitor,
    user_id: CalendarUserId,
    **values: Any,  # noqa: ANN401
) -> Response[str]:
    seen = await overview.portrait(services, guest.context, user_id)
    nothing = {"link": None, "synced": None, "tried": None, "faults": (), "draft": seen.rules}
    return show("person.html", guest=guest, seen=seen, **(nothing | values))


@get("/")
async def see_person(services: Given, guest: Guest, user_id: UserId) -> Response[str]:
    """Show one person."""
    return await _show(services, guest, user_id)


@post("/sync", status_code=200)
async def sync_person(
    services: Given, request: Request[Any, Any, Any], guest: Guest, user_id: UserId
) -> Response[str]:
    """Read a person's calendars again, and show what came of it."""
    await form_of(request, services, guest)
    synced = await asked_sync.sync_user(services, guest.context, user_id)
    await accounts.note(services, guest.context, "calendar_user.synced", user_id)
    return await _show(services, guest, user_id, synced=synced)


@post("/connect/{provider:str}", status_code=200)
async def make_link(
    services: Given,
    request: Request[Any, Any, Any],
    guest: Guest,
    user_id: UserId,
    provider: FromPath[ProviderName],
) -> Response[str]:
    """Make a consent link, to be sent to the person."""
    await form_of(request, services, guest)
    seen = await overview.portrait(services, guest.context, user_id)
    wish = ConnectWish(provider=provider_of(provider), customer_user_id=seen.user.customer_user_id)
    link = await connect.begin(services, guest.context, wish)
    return await _show(services, guest, user_id, link=link)


@post("/try", status_code=200)
async def try_rules(
    services: Given, request: Request[Any, Any, Any], guest: Guest, user_id: UserId
) -> Response[str]:
    """Try rules on the stored events; saves nothing."""
    text = (await form_of(request, services, guest)).get("rules", "")
    try:
        document = decode_rule_set(text.encode())
        tried = await decide.preview(services, guest.context, user_id, document)
    except RuleSetInvalid as wrong:
        return await _show(services, guest, user_id, faults=wrong.faults, draft=text)
    return await _show(services, guest, user_id, tried=tried, draft=text)


router = Router(
    "/users/{user_id:str}", route_handlers=[see_person, sync_person, make_link, try_rules]
)
