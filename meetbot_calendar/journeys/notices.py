"""Take a provider's notice: find the watch by its address, check its secret, ring, answer fast."""

import hmac
from collections.abc import Mapping

import msgspec

from meetbot_calendar.calendars.model import Notice, Provider
from meetbot_calendar.errors import Missing, Tampered
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.journeys.sharing import hash_of, sharers
from meetbot_calendar.storage import calendars, watches
from meetbot_calendar.storage.watches import Rung, Watch


class NoticeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer: a status, and text where the provider only tests the address."""

    status: int
    text: str | None = None


async def take(
    services: Services,
    provider: Provider,
    token: str,
    *,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
) -> NoticeAnswer:
    """Answer a notice. An unknown address is ``Missing``; a wrong secret is taken and ignored.

    Nothing is fetched here: the calendar is marked due in our rows and the worker is rung.
    """
    port = services.providers[provider]
    echo = port.handshake(query)
    rung = await _find(services, token)
    if echo is not None:
        return NoticeAnswer(status=200, text=echo)
    try:
        notices = port.read_notices(headers, body)
    except Tampered:
        return NoticeAnswer(status=202)
    await _ring(services, rung, notices)
    return NoticeAnswer(status=202)


async def _find(services: Services, token: str) -> Rung:
    async with services.database.gate(hash_of(token)) as gate:
        rung = await watches.find(gate)
    if rung is None:
        raise Missing("nothing is watched at this address")
    return rung


async def _ring(services: Services, rung: Rung, notices: tuple[Notice, ...]) -> None:
    async with services.database.tenant(rung.tenant_id) as session:
        watch = await watches.get(session, rung.watch_id)
    meant = [notice for notice in notices if watch is not None and _is_meant(notice, watch)]
    if watch is None or not meant:
        return
    kinds: set[str] = {notice.kind for notice in meant}
    others = await sharers(services, watch.receipt, watch.id) if watch.receipt else ()
    for each in (rung, *others):
        await _mark(services, each, kinds)


async def _mark(services: Services, rung: Rung, kinds: set[str]) -> None:
    """Have a calendar read, and its watch looked after where that is unwell.

    A watch that waits to be authorised again stands, and is renewed (providers.md 7.4).
    """
    now = services.clock.now()
    unwell = kinds & {"removed", "reauthorize"}
    async with services.database.tenant(rung.tenant_id) as session:
        await calendars.ring(session, rung.calendar_id, now)
        if unwell:
            is_lost = "removed" in unwell
            await calendars.watch_at(session, rung.calendar_id, now, is_lost=is_lost)
    await services.wakeups.ring("sync", rung.tenant_id, rung.calendar_id)
    if unwell:
        await services.wakeups.ring("watch", rung.tenant_id, rung.calendar_id)


def _is_meant(notice: Notice, watch: Watch) -> bool:
    """Say whether a notice shows the watch's own secret, and its own ids where they are known."""
    if notice.secret is None or notice.kind == "established":
        return False
    if not hmac.compare_digest(hash_of(notice.secret), watch.secret_hash):
        return False
    if watch.receipt is None:
        return True
    known, told = watch.receipt.resource_id, notice.resource_id
    is_resource = known is None or told is None or known == told
    return is_resource and watch.receipt.platform_watch_id == notice.platform_watch_id
