"""What ``doctor`` asks of the fleet: whether our key opens it, and whether its reports can come."""

import http.client
from typing import Any
from urllib.parse import urlsplit

from meetbot_calendar.clock import Clock
from meetbot_calendar.commands.checks import Finding, ok
from meetbot_calendar.commands.checks_far import Answer, ask
from meetbot_calendar.errors import InstallationFault, Invalid, Tampered
from meetbot_calendar.gateways.fleets.choice import VENDORS, address_of, open_fleet, ping_of
from meetbot_calendar.gateways.fleets.line import Account
from meetbot_calendar.settings import Secret, Settings

_CLOSED = frozenset({401, 402, 403})
_UNKNOWN_BOT = frozenset({404, 405, 410, 501})
_NEARBY = frozenset({"127.0.0.1", "::1", "localhost"})
_NOBODY: Any = None  # reports are read, nobody is asked
_FORGED = {"webhook-id": "doctor", "webhook-timestamp": "0", "webhook-signature": "v1,doctor"}


def fleet(settings: Settings, clock: Clock) -> list[Finding]:
    """Try our key, then the secret of reports and the way that they come."""
    if not address_of(settings.fleet, settings.fleet_url):
        return [
            Finding(
                name="fleet",
                state="warning",
                detail="none is set: bots are planned and none leaves",
                remedy="set MEETBOT_FLEET_URL and MEETBOT_FLEET_API_KEY; docs/fleets.md names them",
            )
        ]
    return [_key(settings), _reports(settings, clock)]


def _key(settings: Settings) -> Finding:
    url = address_of(settings.fleet, settings.fleet_url)
    if settings.fleet_api_key is None:
        return _broken(
            f"{settings.fleet} without our key", _advised(settings, "set MEETBOT_FLEET_API_KEY")
        )
    ping, header, scheme = ping_of(settings.fleet, url)
    answer = ask(ping, "GET", {header: f"{scheme}{settings.fleet_api_key.reveal()}"})
    if not isinstance(answer, Answer):
        remedy = "see to the network and its firewall, or correct MEETBOT_FLEET_URL"
        return _broken(f"{url}: {answer}", remedy)
    return _judged(settings, url, answer.status)


def _judged(settings: Settings, url: str, status: int) -> Finding:
    if status in _CLOSED:
        return _broken(
            f"{url} refuses our key ({status})", _advised(settings, "correct MEETBOT_FLEET_API_KEY")
        )
    fine = {http.client.OK} if settings.fleet in VENDORS else {http.client.OK, *_UNKNOWN_BOT}
    if status in fine:
        return ok("fleet", f"{settings.fleet} at {url} takes our key")
    if status in {http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE}:
        remedy = "wait, then run it again"
        return _warning("fleet", f"{url} is too busy to say ({status})", remedy)
    remedy = _advised(settings, "correct MEETBOT_FLEET_URL")
    return _broken(f"{url} does not answer as {settings.fleet} does ({status})", remedy)


def _reports(settings: Settings, clock: Clock) -> Finding:
    """Show the fleet's client a forged report: it says whether it could tell."""
    vendor, name = VENDORS.get(settings.fleet), "fleet reports"
    account = Account(
        url=settings.fleet_url or "",
        api_key="",
        callback_secret=_shown(settings.fleet_callback_secret),
    )
    client = open_fleet(settings.fleet, _NOBODY, account)
    try:
        (client.read_notice if vendor else client.read_report)(_FORGED, b"{}", clock.now())
    except InstallationFault as fault:
        remedy = "set MEETBOT_FLEET_CALLBACK_SECRET to what the fleet signs its reports with"
        return Finding(name=name, state="broken", detail=fault.detail, remedy=remedy)
    except (Tampered, Invalid):
        pass  # as it should
    place = f"/v1/fleets/{settings.fleet}/reports" if vendor else "/v1/bots/{bot_id}/status"
    address = f"{settings.public_url}{place}"
    if urlsplit(settings.public_url).hostname in _NEARBY and vendor and not _is_near(settings):
        remedy = "set MEETBOT_PUBLIC_URL to an address that the fleet can reach"
        return _warning(name, f"{address} is of this machine alone", remedy)
    return ok(name, f"verified at {address}" + (f"; {vendor.reports}" if vendor else ""))


def _is_near(settings: Settings) -> bool:
    return urlsplit(address_of(settings.fleet, settings.fleet_url)).hostname in _NEARBY


def _advised(settings: Settings, remedy: str) -> str:
    vendor = VENDORS.get(settings.fleet)
    return f"{remedy}; {vendor.advice}" if vendor and vendor.advice else remedy


def _shown(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""


def _broken(detail: str, remedy: str) -> Finding:
    return Finding(name="fleet", state="broken", detail=detail, remedy=remedy)


def _warning(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name=name, state="warning", detail=detail, remedy=remedy)
