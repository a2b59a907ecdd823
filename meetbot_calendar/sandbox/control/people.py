"""Control: people, their calendars, OAuth clients and grants."""

from typing import Any

import msgspec
from litestar import get, post
from litestar.params import FromQuery, JSONBody

from meetbot_calendar.sandbox.grants import Client
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.store import Account, Calendar, Provider, Role
from meetbot_calendar.sandbox.world import World

Body = dict[str, Any]


class Person(msgspec.Struct, forbid_unknown_fields=True):
    """One account to add."""

    provider: Provider
    email: str
    name: str = ""
    zone: str = "UTC"


class NewCalendar(msgspec.Struct, forbid_unknown_fields=True):
    """One calendar to add; ``generated`` ones (holidays) cannot be watched."""

    provider: Provider
    owner: str
    name: str
    id: str = ""
    zone: str = ""
    generated: bool = False


class Sharing(msgspec.Struct, forbid_unknown_fields=True):
    """Who shall see a calendar, and as what; ``role`` null takes it off their list."""

    calendar: str
    provider: Provider
    email: str
    role: Role | None = "reader"


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """One calendar by its id."""

    calendar: str


class Revocation(msgspec.Struct, forbid_unknown_fields=True):
    """Whose grants shall end; of one client or of all."""

    provider: Provider
    email: str
    client_id: str = ""


@post("/people")
async def add_person(data: JSONBody[Person], world: Here) -> Body:
    """Add an account with a primary calendar; one that is there stays as it is."""
    account = world.directory.add_account(data.provider, data.email, data.name, data.zone)
    return _account(world, account)


@get("/people")
async def list_people(world: Here) -> list[Body]:
    """List every account with its calendars and what it sees of them."""
    return [_account(world, account) for account in world.state.accounts.values()]


@post("/calendars")
async def add_calendar(data: JSONBody[NewCalendar], world: Here) -> Body:
    """Add a calendar to its owner's list."""
    calendar = world.directory.add_calendar(
        account_of(world, data.provider, data.owner),
        data.name,
        data.id,
        generated=data.generated,
        zone=data.zone,
    )
    return _calendar(calendar)


@get("/calendars")
async def list_calendars(world: Here) -> list[Body]:
    """List every calendar with its number of rows and changes."""
    return [_calendar(calendar) for calendar in world.state.calendars.values()]


@post("/calendars/share")
async def share_calendar(data: JSONBody[Sharing], world: Here) -> Body:
    """Show a calendar to somebody, change their role, or (role null) take it away."""
    calendar = calendar_of(world, data.calendar)
    account = account_of(world, data.provider, data.email)
    if data.role is None:
        world.directory.unshare(calendar, account)
    else:
        world.directory.share(calendar, account, data.role)
    return _account(world, account)


@post("/calendars/delete")
async def delete_calendar(data: JSONBody[Named], world: Here) -> Body:
    """Delete a calendar for everyone."""
    calendar = calendar_of(world, data.calendar)
    world.directory.remove_calendar(calendar)
    return _calendar(calendar)


@post("/calendars/forget")
async def forget_history(data: JSONBody[Named], world: Here) -> Body:
    """Make every sync token or delta link of a calendar worthless: the next use is a 410."""
    calendar = calendar_of(world, data.calendar)
    calendar.epoch += 1
    return _calendar(calendar)


@get("/rows")
async def list_rows(world: Here, calendar: FromQuery[str]) -> list[Body]:
    """List a calendar's rows as stored: body, change number, tombstone or not."""
    rows = calendar_of(world, calendar).rows.values()
    return [
        {"id": r.id, "change": r.change, "removed": r.removed, "meeting": r.meeting, "body": r.body}
        for r in rows
    ]


@post("/clients")
async def register_client(data: JSONBody[Client], world: Here) -> Body:
    """Register an OAuth client, or replace the one of the same id."""
    world.grants.register(data)
    return {"id": data.id, "provider": data.provider, "redirect_uris": data.redirect_uris}


@get("/clients")
async def list_clients(world: Here) -> list[Body]:
    """List the registered OAuth clients, without their secrets."""
    known = world.state.grants.clients.values()
    return [{"id": c.id, "provider": c.provider, "redirect_uris": c.redirect_uris} for c in known]


@get("/grants")
async def list_grants(world: Here) -> list[Body]:
    """List who allowed what to whom, without tokens."""
    return [
        {
            "client_id": grant.client_id,
            "account": grant.account,
            "scopes": grant.scopes,
            "revoked": grant.revoked,
            "refresh_tokens": len(world.grants.refresh_tokens(grant)),
        }
        for grant in world.state.grants.grants.values()
    ]


@post("/grants/revoke")
async def revoke_grants(data: JSONBody[Revocation], world: Here) -> Body:
    """End a person's grants, as on their provider's account page."""
    account = account_of(world, data.provider, data.email)
    return {"revoked": world.grants.revoke_account(account.key, data.client_id)}


def account_of(world: World, provider: str, email: str) -> Account:
    """Return an account; LookupError when there is none."""
    found = world.directory.account(provider, email)
    if found is None:
        raise LookupError(f"there is no {provider} account {email}")
    return found


def calendar_of(world: World, calendar_id: str) -> Calendar:
    """Return a calendar; LookupError when there is none."""
    found = world.directory.calendar(calendar_id)
    if found is None:
        raise LookupError(f"there is no calendar {calendar_id}")
    return found


def _account(world: World, account: Account) -> Body:
    return {
        "provider": account.provider,
        "email": account.email,
        "name": account.name,
        "subject": account.subject,
        "tenant_id": account.tenant_id,
        "zone": account.zone,
        "calendars": [
            {"id": e.calendar, "role": e.role, "primary": e.primary}
            for e in world.directory.entries(account)
        ],
    }


def _calendar(calendar: Calendar) -> Body:
    return {
        "id": calendar.id,
        "provider": calendar.provider,
        "owner": calendar.owner,
        "name": calendar.name,
        "zone": calendar.zone,
        "generated": calendar.generated,
        "removed": calendar.removed,
        "change": calendar.change,
        "rows": len(calendar.rows),
    }
