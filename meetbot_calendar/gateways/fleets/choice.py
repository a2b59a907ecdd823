"""The fleets that there are: where each is, how it is opened, and how its key is tried."""

from collections.abc import Callable
from typing import Any

import msgspec

from meetbot_calendar.bots.fleet import Fleet
from meetbot_calendar.gateways.fleets.attendee import AttendeeFleet
from meetbot_calendar.gateways.fleets.line import Account, root_of
from meetbot_calendar.gateways.fleets.meetbot import MeetbotFleet
from meetbot_calendar.gateways.fleets.meetingbaas import MeetingbaasFleet
from meetbot_calendar.gateways.fleets.meetstream import MeetstreamFleet
from meetbot_calendar.gateways.fleets.recall import RecallFleet
from meetbot_calendar.gateways.fleets.unset import UnsetFleet
from meetbot_calendar.gateways.fleets.vexa import VexaFleet
from meetbot_calendar.gateways.transport import Transport


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """One fleet of another make.

    ``ping`` is a path under ``version`` that costs nothing and wants our key, which goes into
    ``header`` after ``scheme``; ``advice`` is on address and key, ``reports`` on what the operator
    does so that reports come.
    """

    opened: Callable[[Transport, Account], Any]
    url: str
    version: str
    ping: str
    header: str = "Authorization"
    scheme: str = "Token "
    advice: str = ""
    reports: str


VENDORS = {
    "recall": Vendor(
        opened=RecallFleet,
        url="https://us-east-1.recall.ai",
        version="/api/v1",
        ping="/bot/?page=1",
        advice=(
            "a key belongs to one region: set MEETBOT_FLEET_URL to https://us-west-2.recall.ai"
            " (pay as you go), https://us-east-1.recall.ai (monthly),"
            " https://eu-central-1.recall.ai or https://ap-northeast-1.recall.ai"
        ),
        reports="add it in Recall's dashboard under Webhooks, for every bot event",
    ),
    "attendee": Vendor(
        opened=AttendeeFleet,
        url="https://app.attendee.dev",
        version="/api/v1",
        ping="/bots?deduplication_key=doctor",
        advice="for an Attendee of your own, MEETBOT_FLEET_URL is where it is",
        reports="nothing: it goes with every bot, if it is https; else a webhook of the project",
    ),
    "meetstream": Vendor(
        opened=MeetstreamFleet,
        url="https://api.meetstream.ai",
        version="/api/v1",
        ping="/bots",
        reports="add it as a webhook endpoint of the workspace, for every bot event",
    ),
    "meetingbaas": Vendor(
        opened=MeetingbaasFleet,
        url="https://api.meetingbaas.com",
        version="/v2",
        ping="/bots?limit=1",
        header="x-meeting-baas-api-key",
        scheme="",
        advice="the key needs full access: one for sending alone can neither look nor recall",
        reports="add it as a webhook endpoint of the account, for every bot event",
    ),
    "vexa": Vendor(
        opened=VexaFleet,
        url="https://api.cloud.vexa.ai",
        version="",
        ping="/bots/status",
        header="X-API-Key",
        scheme="",
        advice="for a Vexa of your own, MEETBOT_FLEET_URL is its gateway",
        reports=(
            "set it by PUT /user/webhook, with meeting.started, meeting.completed and bot.failed"
            " enabled: meeting.status_change does not say of which bot it is"
        ),
    ),
}


def ping_of(name: str, url: str) -> tuple[str, str, str]:
    """Return what to ask of a fleet to try our key: an address, a header, and its scheme."""
    vendor = VENDORS.get(name)
    if vendor is None:
        return f"{url.rstrip('/')}/bots/doctor", "Authorization", "Bearer "
    return root_of(url, vendor.version) + vendor.ping, vendor.header, vendor.scheme


def address_of(name: str, given: str | None) -> str:
    """Return where a fleet is: as given, else its vendor's own address; empty for none."""
    vendor = VENDORS.get(name)
    return given or (vendor.url if vendor else "")


def open_fleet(name: str, transport: Transport, account: Account) -> Fleet:
    """Return the fleet of this name; one that says what is missing where it has no address."""
    vendor = VENDORS.get(name)
    url = address_of(name, account.url)
    if not url:
        return UnsetFleet(name)
    if vendor is None:
        return MeetbotFleet(
            transport, url=url, api_key=account.api_key, callback_secret=account.callback_secret
        )
    fleet: Fleet = vendor.opened(transport, msgspec.structs.replace(account, url=url))
    return fleet
