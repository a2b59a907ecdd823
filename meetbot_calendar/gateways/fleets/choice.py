"""The fleets that there are: where each is, how it is opened, and how its key is tried."""

from collections.abc import Callable
from typing import Any

import msgspec

from meetbot_calendar.bots.fleet import Fleet
from meetbot_calendar.gateways.fleets.attendee import AttendeeFleet
from meetbot_calendar.gateways.fleets.line import Account
from meetbot_calendar.gateways.fleets.meetbot import MeetbotFleet
from meetbot_calendar.gateways.fleets.meetingbaas import MeetingbaasFleet
from meetbot_calendar.gateways.fleets.meetstream import MeetstreamFleet
from meetbot_calendar.gateways.fleets.recall import RecallFleet
from meetbot_calendar.gateways.fleets.unset import UnsetFleet
from meetbot_calendar.gateways.fleets.vexa import VexaFleet
from meetbot_calendar.gateways.transport import Transport


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """One fleet of another make.

    ``ping`` is a path that costs nothing and wants our key, which goes into ``header`` after
    ``scheme``; ``advice`` says what else its operator must know.
    """

    opened: Callable[[Transport, Account], Any]
    url: str
    ping: str
    header: str
    scheme: str = ""
    advice: str = ""


VENDORS = {
    "recall": Vendor(
        opened=RecallFleet,
        url="https://us-east-1.recall.ai",
        ping="/api/v1/bot/?page=1",
        header="Authorization",
        scheme="Token ",
        advice=(
            "keys belong to one region: MEETBOT_FLEET_URL is https://us-west-2.recall.ai"
            " (pay as you go), us-east-1 (monthly), eu-central-1 or ap-northeast-1"
        ),
    ),
    "attendee": Vendor(
        opened=AttendeeFleet,
        url="https://app.attendee.dev",
        ping="/api/v1/bots?deduplication_key=doctor",
        header="Authorization",
        scheme="Token ",
        advice="for an Attendee of your own, MEETBOT_FLEET_URL is where it is",
    ),
    "meetstream": Vendor(
        opened=MeetstreamFleet,
        url="https://api.meetstream.ai",
        ping="/api/v1/bots",
        header="Authorization",
        scheme="Token ",
        advice="reports come from a webhook endpoint of the workspace, not from a callback_url",
    ),
    "meetingbaas": Vendor(
        opened=MeetingbaasFleet,
        url="https://api.meetingbaas.com",
        ping="/v2/bots?limit=1",
        header="x-meeting-baas-api-key",
        advice="the key needs full access: one for sending alone can neither look nor recall",
    ),
    "vexa": Vendor(
        opened=VexaFleet,
        url="https://api.cloud.vexa.ai",
        ping="/bots/status",
        header="X-API-Key",
        advice="for a Vexa of your own, MEETBOT_FLEET_URL is its gateway",
    ),
}


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
