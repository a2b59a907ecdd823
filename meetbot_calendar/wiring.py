"""Builds every service once, in order, and closes them in reverse; api and worker share it."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from meetbot_calendar import telemetry
from meetbot_calendar.bots.fleet import Fleet
from meetbot_calendar.calendars.model import OAuthApp, Provider
from meetbot_calendar.calendars.provider import CalendarProvider
from meetbot_calendar.clock import Clock, SystemClock
from meetbot_calendar.gateways.endpoints import open_endpoints
from meetbot_calendar.gateways.fleets.choice import address_of, open_fleet
from meetbot_calendar.gateways.fleets.line import Account
from meetbot_calendar.gateways.google import oauth as google_oauth
from meetbot_calendar.gateways.google.client import GoogleProvider
from meetbot_calendar.gateways.google.oauth import GoogleEndpoints
from meetbot_calendar.gateways.lanes import Lanes
from meetbot_calendar.gateways.limits import open_limits
from meetbot_calendar.gateways.microsoft import oauth as microsoft_oauth
from meetbot_calendar.gateways.microsoft.client import MicrosoftProvider
from meetbot_calendar.gateways.transport import Transport, open_transport
from meetbot_calendar.gateways.wakeups import (
    QUEUE,
    deserialize,
    open_wakeups,
    redis_settings,
    serialize,
)
from meetbot_calendar.journeys.services import House, Jobs, Services
from meetbot_calendar.settings import Secret, Settings
from meetbot_calendar.storage.sealing import seal_names
from tenants.identity import TenantId
from tenants.limits import Rate
from tenants.secrets.ciphers import TenantCipher
from tenants.secrets.key_provider import PURPOSES, KeyProvider, KeyPurpose
from tenants.secrets.keyring import Keyring
from tenants.secrets.local import LocalKeys
from tenants.secrets.vault import VaultKeys, VaultLogin
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine

log = structlog.get_logger("keys")

API_OPENS: tuple[KeyPurpose, ...] = ("content",)  # people's grants are the worker's to open
_CONNECTIONS = 12
_TO_A_PROVIDER = 50  # connections
_TEND_EVERY = 5.0  # real seconds


class ContentCiphers:
    """The keyring, as sessions ask for it."""

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        self._keyring = keyring
        self._clock = clock

    async def content(self, tenant_id: TenantId) -> TenantCipher:
        """Return the tenant's cipher for content."""
        return await self._keyring.cipher(tenant_id, "content", self._clock.now())


@asynccontextmanager
async def open_services(
    settings: Settings, opens: Collection[KeyPurpose] = PURPOSES
) -> AsyncIterator[Services]:
    """Open everything a journey may touch. Redis need not be there; the rest is met when used.

    ``opens`` is what this process may open of what is sealed: the API opens no grant.
    """
    clock = SystemClock(speed=settings.clock_speed, origin=settings.clock_origin)
    async with AsyncExitStack() as stack:
        engine = open_engine(required(settings.database_url), pool_size=_CONNECTIONS)
        stack.push_async_callback(engine.dispose)
        keyring = Keyring(
            _key_provider(settings), DataKeys(engine), opens=opens, told=_tell_of_keys
        )
        stack.push_async_callback(keyring.close)
        await stack.enter_async_context(_kept_briefly(keyring, clock))
        lanes = Lanes(address_of(settings.fleet, settings.fleet_url))
        transport = await stack.enter_async_context(
            open_transport(lanes=[lanes, *_lanes_to_providers(settings)])
        )
        poster = await stack.enter_async_context(
            open_endpoints(allow_private=settings.allow_private_webhooks)
        )
        wakeups = await stack.enter_async_context(
            open_wakeups(
                required(settings.redis_url), lambda kind: telemetry.WAKEUPS_LOST.labels(kind).inc()
            )
        )
        limits = await stack.enter_async_context(open_limits(required(settings.redis_url)))
        yield Services(
            clock=clock,
            database=Database(engine, ContentCiphers(keyring, clock), seal_names),
            keyring=keyring,
            providers=_providers(settings, transport),
            operator_apps=_operator_apps(settings),
            fleet=_fleet(settings, transport),
            warm=lanes.warm,
            poster=poster,
            wakeups=wakeups,
            house=_house(settings, clock),
            limits=limits,
        )


def _lanes_to_providers(settings: Settings) -> tuple[Lanes, ...]:
    """Return connections to the two APIs that calendars are read from."""
    urls = (settings.google_api_url, settings.graph_url)
    return tuple(Lanes(url, most=_TO_A_PROVIDER) for url in urls)


@asynccontextmanager
async def _kept_briefly(keyring: Keyring, clock: Clock) -> AsyncIterator[None]:
    """Let go of keys when their time is over, also where nobody asks for any."""

    async def tend() -> None:
        while True:
            telemetry.KEYS_HELD.set(keyring.expire(clock.now()))
            await clock.sleep_until(clock.now() + clock.patience(_TEND_EVERY))

    tending = asyncio.create_task(tend())
    try:
        yield
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)


def _tell_of_keys(trouble: Exception) -> None:
    log.warning("no keys can be had; work that needs one waits", detail=str(trouble))


def required(setting: Secret | None) -> str:
    """Return an address that whoever starts us has settled."""
    if setting is None:
        raise ValueError("the stores are opened before the services")
    return setting.reveal()


def _key_provider(settings: Settings) -> KeyProvider:
    if settings.key_provider == "local":
        return LocalKeys(Path(settings.data_dir) / "keys")
    return vault_keys(settings)


def vault_keys(settings: Settings) -> VaultKeys:
    """Return the way to Vault that is set."""
    login = VaultLogin(
        token=_reveal(settings.vault_token),
        role_id=settings.vault_role_id,
        secret_id=_reveal(settings.vault_secret_id),
    )
    return VaultKeys(
        settings.vault_addr or "",
        login,
        namespace=settings.vault_namespace,
        mount=settings.vault_mount,
        told=lambda operation, outcome, seconds: telemetry.KEY_SERVICE.labels(
            operation, outcome
        ).observe(seconds),
    )


@asynccontextmanager
async def open_helpers(settings: Settings) -> AsyncIterator[dict[Provider, CalendarProvider]]:
    """Open the providers for consents that ask for what MeetStream's guides say, and no more."""
    async with open_transport() as transport:
        yield {
            Provider.GOOGLE: GoogleProvider(
                transport, _google(settings), scopes=google_oauth.HELPER_SCOPES
            ),
            Provider.OUTLOOK: MicrosoftProvider(
                transport,
                authority=settings.microsoft_authority,
                graph_url=settings.graph_url,
                scopes=microsoft_oauth.REQUIRED,
            ),
        }


def _google(settings: Settings) -> GoogleEndpoints:
    return GoogleEndpoints(
        auth_url=settings.google_auth_url,
        token_url=settings.google_token_url,
        revoke_url=settings.google_revoke_url,
        userinfo_url=settings.google_userinfo_url,
        api_url=settings.google_api_url,
    )


def _providers(settings: Settings, transport: Transport) -> dict[Provider, CalendarProvider]:
    return {
        Provider.GOOGLE: GoogleProvider(transport, _google(settings)),
        Provider.OUTLOOK: MicrosoftProvider(
            transport, authority=settings.microsoft_authority, graph_url=settings.graph_url
        ),
    }


def _operator_apps(settings: Settings) -> dict[Provider, OAuthApp]:
    given = {
        Provider.GOOGLE: (settings.google_client_id, settings.google_client_secret),
        Provider.OUTLOOK: (settings.microsoft_client_id, settings.microsoft_client_secret),
    }
    return {
        provider: OAuthApp(
            provider=provider, client_id=client_id, client_secret=client_secret.reveal()
        )
        for provider, (client_id, client_secret) in given.items()
        if client_id is not None and client_secret is not None
    }


def _fleet(settings: Settings, transport: Transport) -> Fleet:
    account = Account(
        url=settings.fleet_url or "",
        api_key=_reveal(settings.fleet_api_key) or "",
        callback_secret=_reveal(settings.fleet_callback_secret) or "",
        reports_url=f"{settings.public_url}/v1/fleets/{settings.fleet}/reports",
    )
    return open_fleet(settings.fleet, transport, account)


def _reveal(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _house(settings: Settings, clock: Clock) -> House:
    requests = Rate(name="tenant", quota=10 * settings.rate_limit, window=clock.patience(10))
    wrong_keys = Rate(name="wrong-keys", quota=settings.wrong_key_limit, window=clock.patience(600))
    google = Rate(name="google", quota=settings.google_quota, window=clock.patience(60))
    return House(
        public_url=settings.public_url,
        join_lead=timedelta(seconds=settings.join_lead),
        poll_interval=timedelta(seconds=settings.poll_interval),
        past=timedelta(days=settings.sync_past_days),
        future=timedelta(days=settings.sync_future_days),
        allow_private_webhooks=settings.allow_private_webhooks,
        region=settings.region,
        retention=timedelta(days=settings.retention_days),
        requests=requests if settings.rate_limit else None,
        wrong_keys=wrong_keys if settings.wrong_key_limit else None,
        google_requests=google if settings.google_quota else None,
        trusted_proxies=settings.trusted_proxies,
    )


def worker_jobs(settings: Settings) -> Jobs:
    """Return how the worker listens to rings: where Redis is, and how jobs are written."""
    return Jobs(
        redis=redis_settings(required(settings.redis_url)),
        queue=QUEUE,
        serialize=serialize,
        deserialize=deserialize,
    )
