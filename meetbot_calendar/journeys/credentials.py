"""Connect an account with the credentials of a consent that was held elsewhere."""

import asyncio
from collections.abc import Sequence

import msgspec

from meetbot_calendar.calendars.model import (
    Calendar,
    Connection,
    Grant,
    ListedCalendar,
    OAuthApp,
    Provider,
)
from meetbot_calendar.calendars.provider import ConsentReturn
from meetbot_calendar.errors import (
    AccessExpired,
    GiveUp,
    InstallationFault,
    ReconnectNeeded,
    Refused,
)
from meetbot_calendar.journeys import watching
from meetbot_calendar.journeys.enrol import Enrolment, enrol
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.watching import Watched
from meetbot_calendar.storage import calendars, connections
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import users

_OURS = 120.0  # seconds for which the worker leaves the watches of a new account to us
_BEGIN = 30.0  # seconds after which we begin no more of them
_AT_ONCE = 4
_NAMES = {Provider.GOOGLE: "Google", Provider.OUTLOOK: "Microsoft"}


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth client and a refresh token that was given to it."""

    app: OAuthApp
    refresh_token: str

    def __repr__(self) -> str:
        return f"Credentials({self.app}, ***)"


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """The connection that credentials made; ``watched`` tells of the calendars that are synced."""

    connection: Connection
    calendars: tuple[Calendar, ...]
    watched: tuple[Watched, ...]


async def adopt(
    services: Services,
    context: TenantContext,
    customer_user_id: str,
    given: Credentials,
    *,
    replace: bool,
) -> Adopted:
    """Connect an account for a person of the tenant's, who is created where new.

    The credentials are tried first: raises ``Refused`` with what the provider said, and nothing is
    stored. Raises ``Conflict`` where the account is connected already and not to be replaced.
    """
    back, listed = await _tried(services, given)
    user_id = await _person(services, context, customer_user_id)
    begun = services.clock.now()
    until = begun + services.clock.patience(_OURS)
    new = Enrolment(given.app, back, listed, replace=replace, watched_until=until)
    account = (user_id, given.app.provider, back.account.email)
    async with services.database.tenant(context.tenant_id) as session:
        before = await connections.of_account(session, *account)
    connection = await enrol(services, context, user_id, new)
    async with services.database.tenant(context.tenant_id) as session:
        found = await calendars.of_connection(session, connection.id)
    ordered = tuple(sorted(found, key=lambda each: (not each.is_primary, each.id)))
    synced = [calendar for calendar in ordered if calendar.selected]
    keep = before is not None and before.client_id == connection.client_id
    watched = await _watched(services, synced, back.grant, keep=keep)
    return Adopted(connection=connection, calendars=ordered, watched=watched)


async def _tried(
    services: Services, given: Credentials
) -> tuple[ConsentReturn, tuple[ListedCalendar, ...]]:
    app = given.app
    provider = services.providers[app.provider]
    try:
        back = await provider.adopt(app, given.refresh_token, services.clock.now())
        listed = await provider.calendars(back.grant)
    except (AccessExpired, GiveUp, InstallationFault, ReconnectNeeded) as refusal:
        raise Refused(
            f"{_NAMES[app.provider]} does not take these credentials: {refusal.detail}",
            code="invalid_credentials",
        ) from refusal
    grant = msgspec.structs.replace(back.grant, client_secret=app.client_secret)
    return msgspec.structs.replace(back, grant=grant), listed


async def _person(
    services: Services, context: TenantContext, customer_user_id: str
) -> CalendarUserId:
    async with services.database.tenant(context.tenant_id) as session:
        user, _ = await users.ensure(session, customer_user_id, services.clock.now())
    return user.id


async def _watched(
    services: Services, synced: Sequence[Calendar], grant: Grant, *, keep: bool
) -> tuple[Watched, ...]:
    """Watch an account's calendars, a few at a time; what takes too long is left to the worker."""
    deadline = services.clock.now() + services.clock.patience(_BEGIN)
    done: list[Watched] = []
    for first in range(0, len(synced), _AT_ONCE):
        few = synced[first : first + _AT_ONCE]
        if services.clock.now() >= deadline:
            done += [_left(calendar) for calendar in few]
        else:
            work = (watching.watch_with(services, calendar, grant, keep=keep) for calendar in few)
            done += await asyncio.gather(*work)
    return tuple(done)


def _left(calendar: Calendar) -> Watched:
    detail = "The provider takes long: it is polled, and will be watched in some minutes."
    return Watched(calendar=calendar, outcome="lost", error=detail)
