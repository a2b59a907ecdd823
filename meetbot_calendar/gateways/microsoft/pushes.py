"""Keeps Graph subscriptions, and reads what Graph posts to them (providers.md 7)."""

from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from meetbot_calendar.calendars.model import Notice, WatchReceipt
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.calendars.timezones import parse_instant
from meetbot_calendar.errors import MeetbotError, PushUnsupported, Tampered, TryLater, WatchStands
from meetbot_calendar.gateways.microsoft.faults import api_fault
from meetbot_calendar.gateways.microsoft.graph import Mailbox
from meetbot_calendar.gateways.transport import Answer
from meetbot_calendar.gateways.untrusted import Json, object_in, text

_CHANGES = "created,updated,deleted"
_LIFECYCLE: dict[str, Literal["missed", "removed", "reauthorize"]] = {
    "missed": "missed",
    "subscriptionRemoved": "removed",
    "reauthorizationRequired": "reauthorize",
}


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """Where Graph shall post, and what it shall show; both kinds of notice go to one address."""

    address: str
    secret: str
    expires_at: datetime


async def subscribe(mailbox: Mailbox, calendar: CalendarRef, push: Push) -> WatchReceipt:
    """Make a subscription. Raises ``WatchStands`` where one stands for the same calendar (7.1).

    Delegated permissions watch one's own mailbox alone: shared calendars are not asked for.
    """
    if calendar.is_shared:
        raise PushUnsupported("Microsoft does not push for calendars of others")
    resource = _resource(calendar)
    body = {
        "changeType": _CHANGES,
        "notificationUrl": push.address,
        "lifecycleNotificationUrl": push.address,
        "resource": resource,
        "expirationDateTime": _written(push.expires_at),
        "clientState": push.secret,
    }
    answer = await mailbox.request("POST", "/subscriptions", json=body)
    if answer.is_success:
        return _receipt(answer, "", push.expires_at)
    if answer.status == 403:  # noqa: PLR2004 - RFC 9110
        raise PushUnsupported("Microsoft does not push for this calendar")
    if answer.status == 409:  # noqa: PLR2004 - RFC 9110
        raise await _standing(mailbox, resource)
    raise api_fault(answer, "subscription")


async def prolong(
    mailbox: Mailbox, receipt: WatchReceipt, expires_at: datetime
) -> WatchReceipt | None:
    """Prolong a subscription, which also reauthorises it; None where it has lapsed."""
    body = {"expirationDateTime": _written(expires_at)}
    answer = await mailbox.request("PATCH", _path(receipt.platform_watch_id), json=body)
    if answer.status == 404:  # noqa: PLR2004 - RFC 9110
        return None
    if not answer.is_success:
        raise api_fault(answer, "subscription")
    return _receipt(answer, receipt.platform_watch_id, expires_at)


async def unsubscribe(mailbox: Mailbox, watch_id: str) -> None:
    """Delete a subscription; one that is gone is fine."""
    answer = await mailbox.request("DELETE", _path(watch_id))
    if not (answer.is_success or answer.status == 404):  # noqa: PLR2004 - RFC 9110
        raise api_fault(answer, "subscription")


def read_notices(body: bytes) -> tuple[Notice, ...]:
    """Read a POST of Graph's: several notices, of several subscriptions, of which some may be odd.

    Raises ``Tampered`` for what is no such POST at all.
    """
    items = object_in(body).get("value")
    if not isinstance(items, list):
        raise Tampered("this is no notification of Microsoft's")
    found = (_notice(item) for item in items if isinstance(item, dict))
    return tuple(dict.fromkeys(notice for notice in found if notice))


def _notice(item: dict[str, Any]) -> Notice | None:
    subscription = text(item, "subscriptionId")
    if subscription is None:
        return None
    secret = text(item, "clientState")
    event = text(item, "lifecycleEvent")
    if event is None:
        return Notice(platform_watch_id=subscription, secret=secret)
    kind = _LIFECYCLE.get(event)  # an unknown one may mean anything: look again
    return Notice(platform_watch_id=subscription, secret=secret, kind=kind or "changed")


async def _standing(mailbox: Mailbox, resource: str) -> MeetbotError:
    """Find this app's and person's subscription to a resource."""
    said = "another subscription stands for this calendar"
    for row in await mailbox.rows("/subscriptions", "subscription"):
        watch_id = text(row, "id")
        if watch_id and _same(text(row, "resource") or "", resource):
            address = text(row, "notificationUrl") or ""
            return WatchStands(said, platform_watch_id=watch_id, address=address)
    return TryLater(said, code="watch_id_taken")


def _same(left: str, right: str) -> bool:
    return left.strip("/").casefold() == right.strip("/").casefold()


def _resource(calendar: CalendarRef) -> str:
    if calendar.is_primary:
        return "me/events"
    return f"me/calendars/{calendar.platform_id}/events"


def _receipt(answer: Answer, watch_id: str, asked: datetime) -> WatchReceipt:
    said = object_in(answer.body)
    found = text(said, "id") or watch_id
    if not found:
        raise TryLater("Microsoft does not name the subscription", code="unreadable_answer")
    return WatchReceipt(
        platform_watch_id=found, resource_id=text(said, "resource"), expires_at=_end(said, asked)
    )


def _end(said: Json, asked: datetime) -> datetime:
    stated = text(said, "expirationDateTime")
    try:
        return parse_instant(stated) if stated else asked
    except ValueError:
        return asked


def _path(watch_id: str) -> str:
    return f"/subscriptions/{quote(watch_id, safe='')}"


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
