"""A connection's grant: sealed, opened, and kept fresh by one refresher at a time."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from meetbot_calendar.calendars.model import Connection, ConnectionId, Grant, OAuthApp, Provider
from meetbot_calendar.deliveries import payloads
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.errors import (
    AccessExpired,
    InstallationFault,
    MeetbotError,
    Missing,
    ReconnectNeeded,
)
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import calendars, connections, messages, sealed_grants
from meetbot_calendar.storage.sealed_grants import GrantRow
from tenants.identity import TenantContext, TenantId
from tenants.secrets.ciphers import TenantCipher, TenantSealer
from tenants.storage import oauth_apps, users
from tenants.storage.session import TenantSession

T = TypeVar("T")

_MARGIN = timedelta(minutes=2)
_REFRESH_PATIENCE = 30.0  # seconds a refresher may take before another steps in
_LOOK_AGAIN = 0.2
_PASSING_KEYS_STAY = timedelta(hours=1)  # much longer than a process seals with one


async def sealer(services: Services, tenant_id: TenantId) -> TenantSealer:
    """Return what seals a tenant's grants: at hand before a provider is asked for one."""
    return await services.keyring.sealer(tenant_id, "grant", services.clock.now())


def sealed(sealer: TenantSealer, connection_id: ConnectionId, grant: Grant) -> bytes:
    """Seal a grant to its tenant and connection."""
    return sealer.seal(connection_id, msgspec.msgpack.encode(grant))


async def unseal(services: Services, row: GrantRow) -> Grant:
    """Open a grant: the worker's to do, no other process can."""
    return _opened(await _opener(services, row), row)


async def _opener(services: Services, row: GrantRow) -> TenantCipher:
    now = services.clock.now()
    return await services.keyring.opener(row.connection.tenant_id, "grant", row.sealed, now)


def _opened(cipher: TenantCipher, row: GrantRow) -> Grant:
    return msgspec.msgpack.decode(cipher.open(row.connection.id, row.sealed), type=Grant)


async def _cipher_for(
    services: Services, context: TenantContext, connection_id: ConnectionId
) -> TenantCipher:
    """Return the cipher that opens a connection's grant, with no transaction open meanwhile."""
    async with services.database.tenant(context.tenant_id) as session:
        row = await sealed_grants.peek_grant(session, connection_id)
    if row is None:
        raise Missing("there is no such connection")
    return await _opener(services, row)


def at_hand(
    services: Services, tenant_id: TenantId, connection_id: ConnectionId, sealed: bytes
) -> Grant | None:
    """Return a grant that needs no refreshing, if its key is at hand; else None."""
    now = services.clock.now()
    cipher = services.keyring.held(tenant_id, "grant", now)
    if cipher is None or not cipher.knows(sealed):
        return None
    grant = msgspec.msgpack.decode(cipher.open(connection_id, sealed), type=Grant)
    return grant if grant.expires_at > now + _MARGIN else None


async def fresh(
    services: Services,
    context: TenantContext,
    connection_id: ConnectionId,
    *,
    refused: Grant | None = None,
) -> Grant:
    """Return a grant whose access token is good for some minutes.

    ``refused`` is a grant whose access token the provider would not take: that one is refreshed
    whatever its expiry says. Of several callers, in whatever process, one refreshes and the others
    wait for it, so that a rotating refresh token is never spent twice. Raises ``ReconnectNeeded``
    (after telling the tenant, once), ``InstallationFault``, ``TryLater``, ``Missing``.
    """
    while True:
        now = services.clock.now()
        cipher = await _cipher_for(services, context, connection_id)
        async with services.database.tenant(context.tenant_id) as session:
            row = await sealed_grants.read_grant(session, connection_id)
            if row is None:
                raise Missing("there is no such connection")
            if not cipher.knows(row.sealed):
                continue  # replaced since we looked, under another data key
            if row.connection.status == "needs_reauth":
                raise ReconnectNeeded(row.connection.error_detail or "the person must reconnect")
            grant = _opened(cipher, row)
            spent = refused is not None and grant.access_token == refused.access_token
            if not spent and grant.expires_at > now + _MARGIN:
                return grant
            busy = row.refreshing_until is not None and row.refreshing_until > now
            if not busy:
                until = now + services.clock.patience(_REFRESH_PATIENCE)
                await sealed_grants.lease_refresh(session, connection_id, until)
        if not busy:
            return await _refresh(services, context, row, grant, cipher)
        await services.clock.sleep_until(now + services.clock.patience(_LOOK_AGAIN))


async def spend(
    services: Services,
    context: TenantContext,
    connection_id: ConnectionId,
    use: Callable[[Grant], Awaitable[T]],
) -> T:
    """Use a fresh grant; where its access token is refused all the same, once more with a newer."""
    grant = await fresh(services, context, connection_id)
    try:
        return await use(grant)
    except AccessExpired:
        return await use(await fresh(services, context, connection_id, refused=grant))


async def _refresh(
    services: Services,
    context: TenantContext,
    row: GrantRow,
    grant: Grant,
    cipher: TenantCipher,
) -> Grant:
    """Refresh, and store what came back: no key is asked for in between, so none can be missing."""
    connection = row.connection
    try:
        renewed = await _renewed(services, context, connection, grant)
    except ReconnectNeeded as refusal:
        if not await needs_reauth(services, context, connection.id, refusal, refused=grant):
            return await fresh(services, context, connection.id)  # renewed while we asked
        raise
    except MeetbotError:
        async with services.database.tenant(context.tenant_id) as session:
            await sealed_grants.end_refresh(session, connection.id)
        raise
    anew = sealed(cipher, connection.id, renewed)
    now = services.clock.now()
    async with services.database.bare(context.tenant_id) as bare:
        await sealed_grants.replace_grant(bare, row, anew, now)
        await sealed_grants.forget_unused_keys(bare, now - _PASSING_KEYS_STAY)
    return renewed


async def _renewed(
    services: Services, context: TenantContext, connection: Connection, grant: Grant
) -> Grant:
    """Refresh a grant. Where its own OAuth client is refused, only new credentials mend it."""
    app = await app_for(services, context, connection, grant)
    try:
        renewed = await services.providers[connection.provider].refresh(
            app, grant, services.clock.now()
        )
    except InstallationFault as fault:
        if grant.client_secret is None:
            raise
        raise ReconnectNeeded(fault.detail) from fault
    return msgspec.structs.replace(renewed, client_secret=grant.client_secret)


async def app_for(
    services: Services, context: TenantContext, connection: Connection, grant: Grant
) -> OAuthApp:
    """Return the OAuth client that a grant was given to: the one it came with, or one of ours."""
    if grant.client_secret is None:
        return await app_of(services, context, connection.provider, connection.client_id)
    return OAuthApp(
        provider=connection.provider,
        client_id=connection.client_id,
        client_secret=grant.client_secret,
    )


async def needs_reauth(
    services: Services,
    context: TenantContext,
    connection_id: ConnectionId,
    refusal: ReconnectNeeded,
    *,
    refused: Grant,
) -> bool:
    """Stop polling a connection and tell the tenant, once.

    False where the grant that was ``refused`` is no longer the connection's: somebody has renewed
    it since, and nothing is changed.
    """
    now = services.clock.now()
    try:
        cipher = await _cipher_for(services, context, connection_id)
    except Missing:
        return False
    async with services.database.tenant(context.tenant_id) as session:
        row = await sealed_grants.read_grant(session, connection_id)
        if row is None or not cipher.knows(row.sealed):
            return False
        if _opened(cipher, row).access_token != refused.access_token:
            return False
        await sealed_grants.end_refresh(session, connection_id)
        written = await _mark(session, connection_id, refusal, now)
    await ring_deliveries(services, context.tenant_id, written)
    return True


async def _mark(
    session: TenantSession, connection_id: ConnectionId, refusal: ReconnectNeeded, now: datetime
) -> tuple[EndpointId, ...]:
    changed = await connections.mark(
        session, connection_id, "needs_reauth", now, code=refusal.code, detail=refusal.detail
    )
    connection = await connections.get(session, connection_id) if changed else None
    if connection is None:
        return ()
    await calendars.rest(session, connection_id, refusal.code, refusal.detail)
    customer_user_id = await users.customer_id(session, connection.user_id)
    body = payloads.calendar_payload("calendar.needs_reauth", connection, customer_user_id, now)
    draft = messages.Draft(type="calendar.needs_reauth", body=body)
    return await messages.write(session, now, [draft])


async def app_of(
    services: Services, context: TenantContext, provider: Provider, client_id: str | None = None
) -> OAuthApp:
    """Return the OAuth client to use: the tenant's own before the operator's.

    A grant belongs to the client it was given to (``client_id``), so an app that was replaced
    since cannot refresh it.
    """
    async with services.database.tenant(context.tenant_id) as session:
        found = await choose_app(services, session, provider)
    if client_id is not None and found.client_id != client_id:
        operators = services.operator_apps.get(provider)
        if operators is not None and operators.client_id == client_id:
            return operators
        raise InstallationFault(
            f"the {provider} client {client_id} that this grant belongs to is no longer set:"
            " restore it, or have the person connect again"
        )
    return found


async def choose_app(services: Services, session: TenantSession, provider: Provider) -> OAuthApp:
    """Return the client that a new consent is asked for."""
    own = await oauth_apps.get(session, provider)
    if own is not None:
        return OAuthApp(provider=provider, client_id=own.client_id, client_secret=own.client_secret)
    if provider not in services.operator_apps:
        name = "GOOGLE" if provider is Provider.GOOGLE else "MICROSOFT"
        raise InstallationFault(
            f"no {provider} OAuth client is set: PUT /v1/oauth-apps/{provider}, or set"
            f" MEETBOT_{name}_CLIENT_ID and MEETBOT_{name}_CLIENT_SECRET",
            code="no_oauth_app",
        )
    return services.operator_apps[provider]
