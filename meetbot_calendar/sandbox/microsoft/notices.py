"""Graph's notifications (providers 7.3, 7.4): what each change tells whom, and how stubbornly.

Changes made together are told together, one POST per address. An endpoint has 3 real seconds for
the first attempt and 10 for each of the later ones, which go on for 4 hours of the world's time.
"""

import asyncio
from datetime import timedelta
from itertools import chain, repeat
from typing import Any

import msgspec

from meetbot_calendar.sandbox.microsoft import names, wire, zones
from meetbot_calendar.sandbox.microsoft.series import item_of
from meetbot_calendar.sandbox.rows import ChangeKind
from meetbot_calendar.sandbox.store import Calendar, Row, Watch
from meetbot_calendar.sandbox.world import World

TARGET = "microsoft.push"
FIRST_ANSWER_SECONDS = 3.0
LATER_ANSWER_SECONDS = 10.0
GIVE_UP_AFTER = timedelta(hours=4)
LIFECYCLE = ("reauthorizationRequired", "subscriptionRemoved", "missed")
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_WAITS = (10, 30, 60, 300, 900, 1800, 3600)

Notice = dict[str, Any]


class Notifier:
    """Hears of every change of a row and tells the subscriptions on its calendar."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._outbox: dict[str, dict[tuple[str, str, str], Notice]] = {}
        self._due: set[str] = set()

    def heard(self, calendar: Calendar, row: Row, kind: ChangeKind) -> None:
        """Note what to tell (a ``rows.Listener``); the telling happens after the whole edit."""
        if calendar.provider != "outlook":
            return
        for watch in watches_on(self.world, calendar):
            notice = _notice(self.world, watch, row, kind)
            if notice["changeType"] in watch.detail["kinds"]:
                self._tell(watch, notice)

    def _tell(self, watch: Watch, notice: Notice) -> None:
        if watch.detail.get("paused"):
            watch.detail.setdefault("held", []).append(notice)
            return
        what = (watch.id, notice["changeType"], notice["resource"])
        self._outbox.setdefault(watch.address, {})[what] = notice
        if watch.address not in self._due:
            self._due.add(watch.address)
            self.world.courier.send(self._flush(watch))

    async def _flush(self, watch: Watch) -> None:
        """Send what has gathered for an address; ``batch`` holds it back until the next edit."""
        await asyncio.sleep(0)
        self._due.discard(watch.address)
        account = watch.account.partition(":")[2]
        if self.world.faults.take(TARGET, "batch", account=account):
            return
        notices = list(self._outbox.pop(watch.address, {}).values())
        if self.world.faults.take(TARGET, "drop", account=account):
            watch.lost += 1
        elif notices:
            await deliver(self.world, watch, _distorted(self.world, account, notices))


def watches_on(world: World, calendar: Calendar) -> list[Watch]:
    """Return the live subscriptions on a calendar."""
    now = world.clock.now()
    found = [w for w in world.state.watches.values() if w.calendar == calendar.id]
    return [w for w in found if w.provider == "outlook" and w.expires_at and w.expires_at > now]


async def deliver(
    world: World, watch: Watch, notices: list[Notice], url: str | None = None
) -> bool:
    """Post notices until they are taken, for up to four hours; tell whether they were."""
    due = world.clock.now()
    give_up_at = due + GIVE_UP_AFTER
    content = msgspec.json.encode({"value": notices})
    within = FIRST_ANSWER_SECONDS
    for wait in chain(_WAITS, repeat(_WAITS[-1])):
        answer = await world.courier.post(url or watch.address, _JSON, content, within=within)
        if answer is not None and answer.is_success:
            watch.delivered += 1
            return True
        due, within = due + timedelta(seconds=wait), LATER_ANSWER_SECONDS
        if due > give_up_at:
            break
        await world.clock.sleep_until(due)
    watch.lost += 1
    return False


def send_lifecycle(world: World, watch: Watch, event: str) -> None:
    """Tell a subscription's lifecycle address; deliveries pause or end as the event says."""
    if event not in LIFECYCLE:
        raise ValueError(f"{event} is none of {', '.join(LIFECYCLE)}")
    if event == "reauthorizationRequired":
        watch.detail["paused"] = True
    if event == "subscriptionRemoved":
        world.state.watches.pop(watch.id, None)
    url = watch.detail.get("lifecycle_url")
    if url:
        world.courier.send(_errand(world, watch, [_lifecycle(world, watch, event)], url))


def resume(world: World, watch: Watch) -> None:
    """Take up deliveries again after a renewal or reauthorisation, with what was held back."""
    watch.detail["paused"] = False
    held = watch.detail.pop("held", [])
    if held:
        world.courier.send(_errand(world, watch, held, None))


async def _errand(world: World, watch: Watch, notices: list[Notice], url: str | None) -> None:
    await deliver(world, watch, notices, url)


def _notice(world: World, watch: Watch, row: Row, kind: ChangeKind) -> Notice:
    """Tell of a row; a change of one occurrence shows only as an update of its series (6.4)."""
    account = world.state.accounts[watch.account]
    master = str(row.body.get("seriesMasterId") or "")
    item_id = names.shown(master or row.id, immutable_ids=bool(watch.detail.get("immutable_ids")))
    path = f"Users/{account.subject}/Events/{item_id}"
    watch.messages += 1
    return {
        "subscriptionId": watch.id,
        "subscriptionExpirationDateTime": _expiration(watch),
        "changeType": "updated" if master else kind,
        "resource": path,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Event",
            "@odata.id": path,
            "@odata.etag": wire.etag(item_of(row)),
            "id": item_id,
        },
        "clientState": watch.secret or None,
        "tenantId": account.tenant_id,
    }


def _lifecycle(world: World, watch: Watch, event: str) -> Notice:
    account = world.state.accounts[watch.account]
    return {
        "subscriptionId": watch.id,
        "subscriptionExpirationDateTime": _expiration(watch),
        "tenantId": account.tenant_id,
        "clientState": watch.secret or None,
        "lifecycleEvent": event,
    }


def _expiration(watch: Watch) -> str:
    return zones.write_seconds(watch.expires_at)[:-1] + "+00:00" if watch.expires_at else ""


def _distorted(world: World, account: str, notices: list[Notice]) -> list[Notice]:
    """Repeat, turn round or forge notices as ordered."""
    if world.faults.take(TARGET, "duplicate", account=account):
        notices = [*notices, *notices]
    if world.faults.take(TARGET, "reorder", account=account):
        notices = notices[::-1]
    if world.faults.take(TARGET, "wrong_client_state", account=account):
        notices = [n | {"clientState": "forged"} for n in notices]
    return notices
