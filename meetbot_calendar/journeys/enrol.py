"""Store a connection with its calendars, tell the tenant, and start the first sync."""

from datetime import datetime

import msgspec

from meetbot_calendar.calendars.model import (
    CalendarId,
    Connection,
    ConnectionId,
    ListedCalendar,
    OAuthApp,
)
from meetbot_calendar.calendars.provider import ConsentReturn
from meetbot_calendar.deliveries import payloads
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import Conflict, LimitReached, Missing
from meetbot_calendar.journeys import grants
from meetbot_calendar.journeys.ringing import (
    ring_calendars,
    ring_decide,
    ring_deliveries,
    ring_syncs,
)
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendar_lists, calendars, connections, event_marks, messages
from meetbot_calendar.storage.connections import NewConnection
from tenants.identity import CalendarUserId, TenantContext
from tenants.storage import audit, users
from tenants.storage.session import TenantSession

_MOST_CONNECTIONS = 200


class Enrolment(msgspec.Struct, frozen=True):
    """What a provider said of an account, by which OAuth client, and what calendars it has.

    ``replace`` renews an account that is connected already; else that is a ``Conflict``.
    ``watched_until`` says that the caller watches the calendars itself, and until when the worker
    leaves that to it.
    """

    app: OAuthApp
    back: ConsentReturn
    listed: tuple[ListedCalendar, ...]
    replace: bool = True
    watched_until: datetime | None = None


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    connection: Connection
    due: tuple[CalendarId, ...]
    told: tuple[EndpointId, ...]


async def enrol(
    services: Services, context: TenantContext, user_id: CalendarUserId, new: Enrolment
) -> Connection:
    """Store an account. One that was connected before is renewed: it keeps its events and bots.

    Raises ``LimitReached``, and ``Conflict`` where it stands already and is not to be replaced.
    """
    written = None
    while written is None:
        now = services.clock.now()
        connection_id = await _id_of(services, context, user_id, new, now)
        sealer = await grants.sealer(services, context.tenant_id)
        sealed = grants.sealed(sealer, connection_id, new.back.grant)
        row = _row(connection_id, user_id, new, sealed)
        async with services.database.tenant(context.tenant_id) as session:
            written = await _write(session, context, row, new, now)
    await ring_deliveries(services, context.tenant_id, written.told)
    ring = ring_calendars if new.watched_until is None else ring_syncs
    await ring(services, context.tenant_id, written.due)
    await ring_decide(services, context.tenant_id, user_id)
    return written.connection


async def _id_of(
    services: Services,
    context: TenantContext,
    user_id: CalendarUserId,
    new: Enrolment,
    now: datetime,
) -> ConnectionId:
    """Return the id that the account has had, or its first one: its grant is sealed to it."""
    account_id = new.back.account.email
    async with services.database.tenant(context.tenant_id) as session:
        known = await connections.find_account(session, user_id, new.app.provider, account_id)
    return known or connections.new_connection_id(now)


def _row(
    connection_id: ConnectionId, user_id: CalendarUserId, new: Enrolment, sealed: bytes
) -> NewConnection:
    return NewConnection(
        id=connection_id,
        user_id=user_id,
        provider=new.app.provider,
        account=new.back.account,
        scopes=new.back.grant.scopes,
        client_id=new.app.client_id,
        sealed_grant=sealed,
    )


async def _write(
    session: TenantSession,
    context: TenantContext,
    row: NewConnection,
    new: Enrolment,
    now: datetime,
) -> _Written | None:
    """Write everything at once; None where somebody else enrolled the account meanwhile."""
    if await users.get(session, row.user_id, lock=True) is None:
        raise Missing("this calendar user was erased meanwhile")
    account_id = row.account.email
    known = await connections.find_account(session, row.user_id, row.provider, account_id)
    if known not in (None, row.id):
        return None
    stood = await _check(session, row, replace=new.replace)
    await connections.save(session, row, now)
    connection = await present(session, row.id)
    await calendar_lists.save_listed(session, connection, new.listed, now)
    due = await calendars.ring_connection(
        session, row.id, now, push_due_at=new.watched_until or now
    )
    await event_marks.mark_connection(session, row.id, now)
    action = "connection.renewed" if stood else "connection.made"
    await audit.write(session, now, by=context, action=action, target=row.id)
    return _Written(connection=connection, due=due, told=await _tell(session, connection, now))


async def _check(session: TenantSession, row: NewConnection, *, replace: bool) -> bool:
    """Say whether the account is connected already. Raises where it may not be stored."""
    standing = {connection.id for connection in await connections.of_user(session, row.user_id)}
    account_id = row.account.email
    if row.id in standing and not replace:
        raise Conflict(
            f"The {row.provider} account {account_id} is connected already: send"
            ' "replace": true to renew its credentials.',
            code="already_connected",
            provider=row.provider.value,
            account_id=account_id,
        )
    if row.id not in standing and len(standing) >= _MOST_CONNECTIONS:
        raise LimitReached(
            f"Maximum of {_MOST_CONNECTIONS} {row.provider} calendar connections per user reached"
            " (Google and Outlook count together): disconnect one first",
            code="too_many_connections",
        )
    return row.id in standing


async def _tell(
    session: TenantSession, connection: Connection, now: datetime
) -> tuple[EndpointId, ...]:
    customer_user_id = await users.customer_id(session, connection.user_id)
    body = payloads.calendar_payload("calendar.connected", connection, customer_user_id, now)
    return await messages.write(
        session, now, [messages.Draft(type="calendar.connected", body=body)]
    )


async def present(session: TenantSession, connection_id: ConnectionId) -> Connection:
    """Return a connection that was not removed. Raises ``Missing``."""
    connection = await connections.get(session, connection_id)
    if connection is None:
        raise Missing("there is no such connection")
    return connection
