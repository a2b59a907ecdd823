"""Sends Google's notifications: headers only, numbers with gaps, lossy by design (3.2)."""

import secrets
from datetime import datetime
from email.utils import format_datetime

from meetbot_calendar.sandbox.google.channels import resource_uri
from meetbot_calendar.sandbox.rows import ChangeKind, Listener
from meetbot_calendar.sandbox.store import Calendar, Row, Watch
from meetbot_calendar.sandbox.world import World

_RETRIED = (500, 502, 503, 504)
_TRIES = 5
_TAKEN = (200, 201, 202, 204, 102)
_LARGEST_GAP = 4


def announcer(world: World) -> Listener:
    """Return the listener that notifies every channel on a calendar that changes."""

    def announce(calendar: Calendar, row: Row, _kind: ChangeKind) -> None:
        if calendar.provider != "google":
            return
        for watch in list(world.state.watches.values()):
            if watch.calendar == calendar.id and _concerned(world, watch, row):
                watch.messages += 1 + secrets.randbelow(_LARGEST_GAP)
                world.courier.send(_deliver(world, watch, watch.messages, "exists"))

    return announce


async def greet(world: World, watch: Watch) -> None:
    """Send the ``sync`` message of a new channel: message number 1."""
    watch.messages = 1
    await _deliver(world, watch, 1, "sync")


def _concerned(world: World, watch: Watch, row: Row) -> bool:
    account = world.state.accounts[watch.account]
    entry = world.directory.entry(account, watch.calendar)
    live = watch.expires_at is None or watch.expires_at > world.clock.now()
    wanted = watch.detail.get("event_types") or []
    fits = not wanted or row.body.get("eventType", "default") in wanted
    return live and entry is not None and entry.role != "none" and fits


async def _deliver(world: World, watch: Watch, number: int, state: str) -> None:
    account = world.state.accounts[watch.account].email
    if world.faults.take("google.push", "drop", account=account):
        watch.lost += 1
        return
    pause = 1.0
    for _ in range(_TRIES):
        answer = await world.courier.post(watch.address, _headers(watch, number, state))
        status = answer.status_code if answer else 0
        if status not in _RETRIED:
            break
        await world.courier.wait(pause)
        pause *= 2
    else:
        status = 0
    if status in _TAKEN:
        watch.delivered += 1
    else:
        watch.lost += 1


def _headers(watch: Watch, number: int, state: str) -> dict[str, str]:
    headers = {
        "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
        "Content-Type": "application/json; utf-8",
        "X-Goog-Channel-ID": watch.id,
        "X-Goog-Message-Number": str(number),
        "X-Goog-Resource-ID": watch.resource_id,
        "X-Goog-Resource-State": state,
        "X-Goog-Resource-URI": resource_uri(watch),
    }
    if watch.secret:
        headers["X-Goog-Channel-Token"] = watch.secret
    if watch.expires_at:
        headers["X-Goog-Channel-Expiration"] = _http_date(watch.expires_at)
    return headers


def _http_date(when: datetime) -> str:
    return format_datetime(when, usegmt=True)
