"""Graph's ``/me`` and ``/me/calendars``: whose mailbox it is, and which calendars it shows."""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.microsoft.access import Admitted, Caller
from meetbot_calendar.sandbox.microsoft.answers import answer
from meetbot_calendar.sandbox.microsoft.failures import item_not_found
from meetbot_calendar.sandbox.microsoft.paging import page, query_of
from meetbot_calendar.sandbox.store import Account, Calendar, Entry
from meetbot_calendar.sandbox.world import World

_WRITERS = ("owner", "writer", "writerWithoutPrivateAccess")


@get("/me", target="microsoft.me", mailbox=False)
async def read_me(caller: Admitted) -> Response[bytes]:
    """Return the signed-in person; ``mail`` may be null, notably for personal accounts."""
    account = caller.account
    given, _, surname = account.name.partition(" ")
    return answer(
        caller,
        {
            "@odata.context": f"{caller.root}/$metadata#users/$entity",
            "businessPhones": [],
            "displayName": account.name,
            "givenName": given,
            "jobTitle": None,
            "mail": account.detail.get("mail", account.email),
            "mobilePhone": None,
            "officeLocation": None,
            "preferredLanguage": None,
            "surname": surname or None,
            "userPrincipalName": account.detail.get("upn", account.email),
            "id": account.subject,
        },
    )


@get("/me/calendars", target="microsoft.calendars")
async def list_calendars(
    world: Here, caller: Admitted, request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Return the calendars of the mailbox, shared-in ones included, page by page."""
    rows = []
    for entry in world.directory.entries(caller.account):
        calendar = world.directory.calendar(entry.calendar)
        if calendar and entry.role != "none":
            rows.append(_calendar(world, calendar, entry))
    return answer(caller, page(caller, "/me/calendars", query_of(request), rows))


@get("/me/calendar", target="microsoft.calendars")
async def read_default_calendar(world: Here, caller: Admitted) -> Response[bytes]:
    """Return the default calendar."""
    return _one(world, caller, world.directory.primary(caller.account).id)


@get("/me/calendars/{calendar_id:str}", target="microsoft.calendars")
async def read_calendar(
    world: Here, caller: Admitted, calendar_id: FromPath[str]
) -> Response[bytes]:
    """Return one calendar of the mailbox."""
    return _one(world, caller, calendar_id)


def _one(world: World, caller: Caller, calendar_id: str) -> Response[bytes]:
    calendar = world.directory.calendar(calendar_id)
    entry = world.directory.entry(caller.account, calendar_id)
    if calendar is None or entry is None or entry.role == "none":
        raise item_not_found()
    user = f"users('{caller.account.subject}')"
    context = {"@odata.context": f"{caller.root}/$metadata#{user}/calendars/$entity"}
    return answer(caller, context | _calendar(world, calendar, entry))


def _calendar(world: World, calendar: Calendar, entry: Entry) -> dict[str, Any]:
    owner = world.directory.account("outlook", calendar.owner)
    writes = entry.role in _WRITERS
    own = f"outlook:{calendar.owner}" == entry.account
    teams = own and not calendar.generated
    return {
        "id": calendar.id,
        "name": entry.summary_override or calendar.name,
        "color": "auto",
        "hexColor": "",
        "changeKey": f"{calendar.serial:04d}{entry.change:04d}",
        "isDefaultCalendar": entry.primary,
        "isRemovable": not entry.primary,
        "isTallyingResponses": entry.primary,
        "canShare": own and writes,
        "canViewPrivateItems": entry.role in ("owner", "writer"),
        "canEdit": writes,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"] if teams else [],
        "defaultOnlineMeetingProvider": "teamsForBusiness" if teams else "unknown",
        "owner": _owner(calendar, owner),
    }


def _owner(calendar: Calendar, owner: Account | None) -> dict[str, Any]:
    return {"name": owner.name if owner else calendar.owner, "address": calendar.owner}
