"""What ``doctor`` looks at on other machines: Vault, providers, their clocks."""

import asyncio
import http.client
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import msgspec

from meetbot_calendar.clock import Clock
from meetbot_calendar.commands.checks import Finding, checked, ok
from meetbot_calendar.embedded.trouble import CannotStart
from meetbot_calendar.settings import Settings
from meetbot_calendar.wiring import vault_keys
from tenants.identity import TenantId
from tenants.secrets.key_provider import PURPOSES, KeyServiceDown, KeyServiceRefused, TenantKey

_TIMEOUT = 5.0
_TOLERATED = timedelta(seconds=30)
_SEALED, _STANDBY = 503, 429


class Answer(msgspec.Struct, frozen=True):
    """What an address said: its status, and its clock if it told."""

    status: int
    date: datetime | None


def far_ends(settings: Settings, clock: Clock) -> list[Finding]:
    """Ask all of them at once; one that is needed and silent is broken."""
    wanted = [
        ("Google", settings.google_token_url, settings.google_client_id is not None),
        ("Google Calendar", settings.google_api_url, settings.google_client_id is not None),
        ("Microsoft", settings.microsoft_authority, settings.microsoft_client_id is not None),
        ("Microsoft Graph", settings.graph_url, settings.microsoft_client_id is not None),
    ]
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        answers = list(pool.map(lambda one: ask(one[1]), wanted))
    named = zip(wanted, answers, strict=True)
    findings = [_reached(name, url, answer, needed=n) for (name, url, n), answer in named]
    return [*findings, clock_skew(answers, clock.now())]


def vault(settings: Settings) -> Finding:
    """Ask Vault whether it is open."""

    def look() -> str:
        address = settings.vault_addr or ""
        answer = ask(f"{address}/v1/sys/health")
        if isinstance(answer, str):
            cause = f"Vault at {address} does not answer: {answer}"
            raise CannotStart(cause, "start it, or correct VAULT_ADDR")
        if answer.status == _SEALED:
            raise CannotStart(f"Vault at {address} is sealed", "unseal it")
        if answer.status not in {http.client.OK, _STANDBY}:
            cause = f"Vault at {address} answers {answer.status}"
            raise CannotStart(cause, "see that it is initialised and active")
        return f"Vault at {address} is open, {asyncio.run(_let_in(settings))}"

    return checked("key provider", look)


async def _let_in(settings: Settings) -> str:
    """Log in, and say what the login may open. Raises ``CannotStart``."""
    keys = vault_keys(settings)
    nobody = TenantId("ten_doctor")
    try:
        await keys.health()
        may = [await keys.may_open(TenantKey(nobody, purpose)) for purpose in PURPOSES]
    except (KeyServiceDown, KeyServiceRefused) as trouble:
        remedy = "correct VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_TOKEN, or the policies"
        raise CannotStart(trouble.detail, remedy) from trouble
    finally:
        await keys.close()
    opens = [purpose for purpose, allowed in zip(PURPOSES, may, strict=True) if allowed]
    return f"lets us in, and this login may open: {', '.join(opens) or 'nothing'}"


def clock_skew(answers: list[Answer | str], now: datetime) -> Finding:
    """Compare our clock with theirs: tokens and signatures expire by it, and bots start by it."""
    dates = [a.date for a in answers if isinstance(a, Answer) and a.date]
    if not dates:
        return ok("clock", "nobody to compare it with")
    skew = min((abs(now - date) for date in dates), default=timedelta())
    if skew <= _TOLERATED:
        return ok("clock", f"within {_TOLERATED.seconds} s of the others'")
    detail = f"{skew.total_seconds():.0f} s away from everybody else's"
    return Finding(
        name="clock", state="broken", detail=detail, remedy="run: timedatectl set-ntp true"
    )


def _reached(name: str, url: str, answer: Answer | str, *, needed: bool) -> Finding:
    if isinstance(answer, Answer):
        return ok(name, f"{url} answers")
    return Finding(
        name=name,
        state="broken" if needed else "warning",
        detail=f"{url}: {answer}",
        remedy="see to the network and its firewall, or correct the address",
    )


def ask(url: str, method: str = "HEAD", headers: Mapping[str, str] | None = None) -> Answer | str:
    """Send a request; return the answer, or in words why there is none."""
    where = urlsplit(url)
    secure = where.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=_TIMEOUT)
    try:
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        told = response.getheader("Date")
        return Answer(response.status, parsedate_to_datetime(told) if told else None)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
