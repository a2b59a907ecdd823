"""Push channels: opened, stopped, and refused as Google refuses (providers.md 3.1, 3.3)."""

import hashlib
import ipaddress
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from meetbot_calendar.sandbox.google.access import Reader, Sight
from meetbot_calendar.sandbox.google.errors import GoogleError, invalid
from meetbot_calendar.sandbox.store import Watch
from meetbot_calendar.sandbox.world import World

Body = dict[str, Any]

LONGEST_LIFE = timedelta(days=7)
_ID = re.compile(r"[A-Za-z0-9\-_+/=]{1,64}")
_LONGEST_TOKEN = 256


class Channel(msgspec.Struct, frozen=True, rename="camel"):
    """The body of events.watch and channels.stop; ``expiration`` is ms as text or number."""

    id: str = ""
    type: str = ""
    address: str = ""
    token: str = ""
    expiration: str | int | None = None
    resource_id: str = ""
    params: dict[str, str] = {}


def open_channel(world: World, sight: Sight, raw: bytes, event_types: list[str]) -> Watch:
    """Check and keep a channel; raises GoogleError 400 and 401."""
    wanted = _read(raw)
    _check(wanted)
    if sight.calendar.generated:
        message = "Push notifications are not supported by this resource."
        raise GoogleError(400, "pushNotSupportedForRequestedResource", message, "calendar")
    if wanted.id in world.state.watches:
        message = f"Channel id {wanted.id} not unique"
        raise GoogleError(400, "channelIdNotUnique", message, "global")
    watch = Watch(
        id=wanted.id,
        provider="google",
        account=sight.reader.account.key,
        client_id=sight.reader.client_id,
        calendar=sight.calendar.id,
        address=wanted.address,
        resource_id=_resource_id(sight),
        secret=wanted.token,
        expires_at=_expiry(wanted, world.clock.now()),
        detail={"event_types": event_types},
    )
    world.state.watches[watch.id] = watch
    return watch


def stop_channel(world: World, reader: Reader, raw: bytes) -> None:
    """End a channel; only the account and client that opened it may, others see 404."""
    wanted = _read(raw)
    watch = world.state.watches.get(wanted.id)
    mine = (reader.account.key, reader.client_id, wanted.resource_id)
    if watch is None or (watch.account, watch.client_id, watch.resource_id) != mine:
        raise GoogleError(404, "notFound", f"Channel '{wanted.id}' not found for project '1'")
    del world.state.watches[watch.id]


def channel_json(watch: Watch) -> Body:
    """Return the Channel resource; ``expiration`` is a string of milliseconds."""
    body: Body = {
        "kind": "api#channel",
        "id": watch.id,
        "resourceId": watch.resource_id,
        "resourceUri": resource_uri(watch),
    }
    if watch.secret:
        body["token"] = watch.secret
    if watch.expires_at:
        body["expiration"] = str(int(watch.expires_at.timestamp() * 1000))
    return body


def resource_uri(watch: Watch) -> str:
    """Return the address of what is watched, at the real Google as it prints it."""
    calendar = quote(watch.calendar, safe="@")
    return f"https://www.googleapis.com/calendar/v3/calendars/{calendar}/events?alt=json"


def _read(raw: bytes) -> Channel:
    try:
        return msgspec.json.decode(raw, type=Channel)
    except msgspec.DecodeError as error:
        raise GoogleError(400, "parseError", f"Parse Error: {error}") from error


def _check(wanted: Channel) -> None:
    for name in ("id", "type", "address"):
        if not getattr(wanted, name):
            raise GoogleError(400, "required", f"Required: {name}", "global")
    if not _ID.fullmatch(wanted.id):
        raise invalid(f"Channel id '{wanted.id}' does not match [A-Za-z0-9\\-_+/=]{{1,64}}")
    if wanted.type not in ("web_hook", "webhook"):
        raise invalid("Unknown channel type")
    if len(wanted.token) > _LONGEST_TOKEN:
        raise invalid("Channel token too long")
    if not _carries(urlsplit(wanted.address)):
        message = f"WebHook callback must be HTTPS: {wanted.address}"
        raise GoogleError(400, "push.webhookUrlNotHttps", message, "global")


def _carries(address: SplitResult) -> bool:
    """Decide whether an address is fit: https, or (in a sandbox alone) http to this machine."""
    if address.scheme == "https":
        return bool(address.hostname)
    if address.scheme != "http" or not address.hostname:
        return False
    if address.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.hostname).is_loopback
    except ValueError:
        return False


def _expiry(wanted: Channel, now: datetime) -> datetime:
    """Take the smaller of what is asked for and the server's own limit."""
    ends = [now + LONGEST_LIFE]
    try:
        if wanted.expiration is not None:
            ends.append(datetime.fromtimestamp(int(wanted.expiration) / 1000, UTC))
        if "ttl" in wanted.params:
            ends.append(now + timedelta(seconds=int(wanted.params["ttl"])))
    except (ValueError, OverflowError):
        raise invalid("Invalid Value") from None
    if min(ends) <= now:
        raise invalid("Channel expiration lies in the past")
    return min(ends).replace(microsecond=0)


def _resource_id(sight: Sight) -> str:
    named = f"{sight.reader.account.key}/{sight.calendar.id}"
    return "o3" + hashlib.sha256(named.encode()).hexdigest()[:25]
