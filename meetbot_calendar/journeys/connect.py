"""Connect an account by consent: begin it, and finish it."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from meetbot_calendar.calendars.model import Connection, OAuthApp, Provider
from meetbot_calendar.calendars.provider import ConsentReturn
from meetbot_calendar.errors import Fault, Invalid, MeetbotError, Missing
from meetbot_calendar.journeys import enrol, grants
from meetbot_calendar.journeys.enrol import Enrolment
from meetbot_calendar.journeys.ringing import ring_decide
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.users import refuse_own_facts
from meetbot_calendar.storage import consents, event_marks
from meetbot_calendar.storage.consents import PendingConsent
from tenants.identity import CalendarUserId, TenantContext, TenantId
from tenants.storage import audit, directory, users


class ConnectWish(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to connect what, and where to go afterwards."""

    provider: Provider
    customer_user_id: str
    redirect_url: str | None = None
    login_hint: str | None = None
    attributes: dict[str, Any] | None = None


class ConsentLink(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's consent page, good once and for ten minutes."""

    url: str
    expires_at: datetime


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a consent ended. ``redirect_to`` already carries the outcome; None: show a page."""

    provider: Provider
    tenant_name: str
    user_id: CalendarUserId
    customer_user_id: str
    redirect_to: str | None = None
    account_id: str | None = None
    error_code: str | None = None
    error_detail: str | None = None


async def begin(services: Services, context: TenantContext, wish: ConnectWish) -> ConsentLink:
    """Make a consent link for a calendar user, who is created where new."""
    now = services.clock.now()
    async with services.database.tenant(context.tenant_id) as session:
        tenant = await directory.get(session)
        _check_redirect(wish.redirect_url, tenant.policy.redirect_urls)
        app = await grants.choose_app(services, session, wish.provider)
    state = secrets.token_urlsafe(32)
    consent = await services.providers[wish.provider].consent(
        app,
        redirect_uri=callback_url(services, wish.provider),
        state=state,
        login_hint=wish.login_hint,
    )
    async with services.database.tenant(context.tenant_id) as session:
        user, _ = await users.ensure(session, wish.customer_user_id, now)
        refuse_own_facts(context, user, wish.attributes)
        is_told_more = wish.attributes not in (None, user.attributes)
        if wish.attributes is not None and is_told_more:
            content = users.UserContent(attributes=wish.attributes, bot_config=user.bot_config)
            await users.save_content(session, user.id, content, now)
            await event_marks.mark_user(session, user.id, now)  # rules may read them
        pending = PendingConsent(
            user_id=user.id,
            customer_user_id=user.customer_user_id,
            provider=wish.provider,
            memory=consent.memory,
            client_id=app.client_id,
            redirect_url=wish.redirect_url,
        )
        expires_at = await consents.remember(session, hash_of(state), pending, now=now)
        told = {"provider": wish.provider.value, "changes_attributes": is_told_more}
        action = "calendar.connect_begun"
        await audit.write(session, now, by=context, action=action, target=user.id, details=told)
    if is_told_more:
        await ring_decide(services, context.tenant_id, user.id)
    return ConsentLink(url=consent.url, expires_at=expires_at)


def _check_redirect(redirect_url: str | None, allowed: tuple[str, ...]) -> None:
    if redirect_url is None or redirect_url in allowed:
        return
    raise Invalid(
        "redirect_url is not in the tenant's allow-list: add it to redirect_urls with"
        " PATCH /v1/tenant first (exact match)",
        (Fault("/redirect_url", "not in the tenant's redirect_urls"),),
        code="redirect_not_allowed",
    )


def callback_url(services: Services, provider: Provider) -> str:
    """Return the address that the provider sends the person back to."""
    return f"{services.house.public_url}/v1/calendar/oauth/callback/{provider}"


def hash_of(state: str) -> bytes:
    """Return what is stored in place of a one-time secret of 256 random bits."""
    return hashlib.sha256(state.encode()).digest()


async def finish(services: Services, provider: Provider, answer: Mapping[str, str]) -> Finished:
    """Take what the provider sent back. Raises ``Missing`` where the state is not ours, or used.

    A refused or failed consent is an answer as well, told to ``redirect_url``; nothing is stored.
    """
    tenant_id, pending = await _claim(services, provider, answer.get("state", ""))
    context = TenantContext(tenant_id=tenant_id, actor=f"consent:{pending.user_id}")
    async with services.database.tenant(tenant_id) as session:
        tenant = await directory.get(session)
    finished = Finished(
        provider=provider,
        tenant_name=tenant.name,
        user_id=pending.user_id,
        customer_user_id=pending.customer_user_id,
    )
    try:
        connection = await _establish(services, context, pending, answer)
    except MeetbotError as error:
        finished = msgspec.structs.replace(
            finished, error_code=error.code, error_detail=error.detail
        )
    else:
        finished = msgspec.structs.replace(finished, account_id=connection.account_id)
    if pending.redirect_url not in tenant.policy.redirect_urls:  # it may have left the list since
        return finished
    return msgspec.structs.replace(finished, redirect_to=_redirect(pending, finished))


async def _claim(
    services: Services, provider: Provider, state: str
) -> tuple[TenantId, PendingConsent]:
    state_hash = hash_of(state)
    async with services.database.gate(state_hash) as gate:
        tenant_id = await consents.tenant_of(gate)
    pending = None
    if tenant_id is not None:
        await grants.sealer(services, tenant_id)  # none to be had: the link stays good
        async with services.database.tenant(tenant_id) as session:
            pending = await consents.claim(session, state_hash, services.clock.now())
    if tenant_id is None or pending is None or pending.provider is not provider:
        raise Missing(
            "this consent link was used already, has lapsed, or was never ours: ask for a new one",
            code="unknown_state",
        )
    return tenant_id, pending


async def _establish(
    services: Services, context: TenantContext, pending: PendingConsent, answer: Mapping[str, str]
) -> Connection:
    app = await grants.app_of(services, context, pending.provider, pending.client_id)
    back = await _exchange(services, app, pending, answer)
    listed = await services.providers[pending.provider].calendars(back.grant)
    return await enrol.enrol(services, context, pending.user_id, Enrolment(app, back, listed))


async def _exchange(
    services: Services, app: OAuthApp, pending: PendingConsent, answer: Mapping[str, str]
) -> ConsentReturn:
    return await services.providers[pending.provider].exchange(
        app,
        redirect_uri=callback_url(services, pending.provider),
        memory=pending.memory,
        answer=answer,
        now=services.clock.now(),
    )


def _redirect(pending: PendingConsent, finished: Finished) -> str | None:
    """Append the outcome to the tenant's address, keeping the query it has."""
    if pending.redirect_url is None:
        return None
    outcome = {"status": "success", "meetbot_calendar_user_id": str(finished.user_id)}
    if finished.error_code is not None:
        outcome = {"status": "error", "error": finished.error_code}
    outcome["customer_user_id"] = finished.customer_user_id
    parts = urlsplit(pending.redirect_url)
    query = "&".join(filter(None, [parts.query, urlencode(outcome)]))
    return urlunsplit(parts._replace(query=query))
