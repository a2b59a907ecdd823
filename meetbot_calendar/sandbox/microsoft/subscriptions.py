"""Graph subscriptions (providers 7.1, 7.2): what may be watched, how long, and the handshake."""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlsplit

import msgspec

from meetbot_calendar.sandbox.courier import Courier
from meetbot_calendar.sandbox.microsoft import zones
from meetbot_calendar.sandbox.microsoft.access import Caller, sight
from meetbot_calendar.sandbox.microsoft.failures import (
    GraphRefusal,
    access_denied,
    item_not_found,
    request_guid,
)
from meetbot_calendar.sandbox.store import Calendar, Watch
from meetbot_calendar.sandbox.world import World

LONGEST = timedelta(minutes=10_080)
SHORTEST = timedelta(minutes=45)
HANDSHAKE_SECONDS = 10.0
_MOST_PER_MAILBOX = 1000
_MOST_STATE = 128
_KINDS = frozenset(("created", "updated", "deleted"))
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_UNANSWERED = (
    "Subscription validation request failed. Notification endpoint must respond with "
    "200 OK to validation request."
)


class Asked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of POST /subscriptions."""

    change_type: str
    notification_url: str
    resource: str
    expiration_date_time: str
    client_state: str = ""
    lifecycle_notification_url: str | None = None
    latest_supported_tls_version: str = "v1_2"
    include_resource_data: bool | None = None


async def subscribe(world: World, courier: Courier, caller: Caller, asked: Asked) -> Watch:
    """Make a subscription, once both of its addresses have answered the handshake."""
    calendar = _watched(world, caller, asked.resource)
    kinds = _kinds(asked.change_type)
    expires_at = expiry(world.clock.now(), asked.expiration_date_time)
    if len(asked.client_state) > _MOST_STATE:
        raise invalid("clientState must not exceed 128 characters.")
    _refuse_duplicate(world, caller, calendar, kinds)
    for url in (asked.notification_url, asked.lifecycle_notification_url):
        if url is not None:
            await shake_hands(courier, url)
    watch = Watch(
        id=request_guid(),
        provider="outlook",
        account=caller.account.key,
        client_id=caller.client_id,
        calendar=calendar.id,
        address=asked.notification_url,
        secret=asked.client_state,
        expires_at=expires_at,
        detail={
            "resource": asked.resource,
            "kinds": sorted(kinds),
            "change_type": asked.change_type,
            "lifecycle_url": asked.lifecycle_notification_url,
            "tls": asked.latest_supported_tls_version,
            "immutable_ids": caller.prefers.immutable_ids,
        },
    )
    world.state.watches[watch.id] = watch
    return watch


async def shake_hands(courier: Courier, url: str) -> None:
    """Send the validation token to an address; refuse it unless the token comes back in time."""
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise invalid("The notification URL must be an absolute https address.")
    noise = base64.b64encode(secrets.token_bytes(12)).decode()
    token = (
        "Validation: Testing client application reachability for subscription Request-Id: "
        f"{request_guid()} +{noise}"
    )
    joined = "&" if address.query else "?"
    answer = await courier.post(
        f"{url}{joined}validationToken={quote_plus(token).replace('%3A', '%3a')}",
        {"Content-Type": "text/plain; charset=utf-8"},
        within=HANDSHAKE_SECONDS,
    )
    plain = answer is not None and answer.headers.get("content-type", "").startswith("text/plain")
    if answer is None or answer.status_code != 200 or not plain or answer.text != token:  # noqa: PLR2004 - OK, and nothing else
        raise GraphRefusal(400, "ValidationError", _UNANSWERED)


def mine(world: World, caller: Caller) -> list[Watch]:
    """Return this app's and person's live subscriptions."""
    now = world.clock.now()
    found = world.state.watches.values()
    own = (w for w in found if (w.account, w.client_id) == (caller.account.key, caller.client_id))
    return [w for w in own if w.provider == "outlook" and w.expires_at and w.expires_at > now]


def one(world: World, caller: Caller, watch_id: str) -> Watch:
    """Return one live subscription; 404 for a lapsed one, and for another's."""
    found = next((w for w in mine(world, caller) if w.id == watch_id), None)
    if found is None:
        raise item_not_found()
    return found


def expiry(now: datetime, text: str) -> datetime:
    """Return when a subscription ends: refused beyond the limit, raised to 45 minutes."""
    try:
        asked = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("expirationDateTime is not a date and time.") from None
    asked = asked.astimezone(UTC) if asked.tzinfo else asked.replace(tzinfo=UTC)
    if asked <= now:
        raise invalid("Subscription expiration must be in the future.")
    if asked > now + LONGEST:
        raise invalid("Subscription expiration can only be 10080 minutes in the future.")
    return max(asked, now + SHORTEST)


def printed(watch: Watch, creator: str) -> dict[str, Any]:
    """Print a subscription."""
    return {
        "id": watch.id,
        "resource": watch.detail["resource"],
        "applicationId": watch.client_id,
        "changeType": watch.detail["change_type"],
        "clientState": watch.secret or None,
        "notificationUrl": watch.address,
        "notificationQueryOptions": None,
        "lifecycleNotificationUrl": watch.detail["lifecycle_url"],
        "expirationDateTime": zones.write_seconds(watch.expires_at) if watch.expires_at else None,
        "creatorId": creator,
        "includeResourceData": None,
        "latestSupportedTlsVersion": watch.detail["tls"],
        "encryptionCertificate": None,
        "encryptionCertificateId": None,
        "notificationUrlAppId": None,
    }


def invalid(message: str) -> GraphRefusal:
    """400: a subscription that cannot be made like this."""
    return GraphRefusal(400, "InvalidRequest", message)


def _watched(world: World, caller: Caller, resource: str) -> Calendar:
    """Return the calendar that a resource means: ``me/events`` is the default one alone."""
    parts = resource.strip("/").replace("('", "/").replace("')", "").split("/")
    whose, rest = (["me"], parts[1:]) if parts[0].lower() == "me" else (parts[:2], parts[2:])
    own = whose == ["me"] or whose[-1] in (caller.account.subject, caller.account.email)
    if not own:
        raise access_denied()
    if [p.lower() for p in rest] == ["events"]:
        return world.directory.primary(caller.account)
    if len(rest) == 3 and [rest[0].lower(), rest[2].lower()] == ["calendars", "events"]:  # noqa: PLR2004 - calendars, id, events
        return _own(world, caller, rest[1])
    raise invalid(f"Resource '{resource}' is not supported for subscriptions.")


def _own(world: World, caller: Caller, calendar_id: str) -> Calendar:
    """Refuse shared-in calendars: delegated permissions watch one's own mailbox only."""
    calendar = sight(world, caller, calendar_id).calendar
    if calendar.owner != caller.account.email or calendar.generated:
        raise access_denied()
    return calendar


def _kinds(change_type: str) -> frozenset[str]:
    kinds = frozenset(kind.strip() for kind in change_type.split(","))
    if not kinds or not kinds <= _KINDS:
        raise invalid(f"changeType '{change_type}' is not supported.")
    return kinds


def _refuse_duplicate(
    world: World, caller: Caller, calendar: Calendar, kinds: frozenset[str]
) -> None:
    held = mine(world, caller)
    for watch in held:
        if watch.calendar == calendar.id and frozenset(watch.detail["kinds"]) == kinds:
            text = f"Subscription Id {watch.id} already exists for the requested combination"
            raise GraphRefusal(409, "ExtensionError", text)
    if len(held) >= _MOST_PER_MAILBOX:
        raise GraphRefusal(403, "ExtensionError", "Too many subscriptions for this mailbox.")
