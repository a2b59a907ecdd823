"""Take a provider's notice: find the watch by its address, check its secret, ring, answer fast."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from meetbot_calendar.calendars.model import CalendarId, Notice, Provider
from meetbot_calendar.errors import Missing, Tampered
from meetbot_calendar.journeys.services import Services
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


def hash_of(secret: str) -> bytes:
    """Return what is stored in place of a watch's address token or secret."""
    return hashlib.sha256(secret.encode()).digest()


async def _ring(services: Services, rung: Rung, notices: tuple[Notice, ...]) -> None:
    now = services.clock.now()
    async with services.database.tenant(rung.tenant_id) as session:
        watch = await watches.get(session, rung.watch_id)
        if watch is None:
            return
        meant = [notice for notice in notices if _is_meant(notice, watch)]
        if not meant:
            return
        await calendars.ring(session, watch.calendar_id, now)
        unwell = {notice.kind for notice in meant} & {"removed", "reauthorize"}
        if unwell:  # what waits to be authorised again stands, and is renewed (providers.md 7.4)
            is_lost = "removed" in unwell
            await calendars.watch_at(session, watch.calendar_id, now, is_lost=is_lost)
    await _wake(services, rung, watch.calendar_id, unwell=bool(unwell))


async def _wake(services: Services, rung: Rung, calendar_id: CalendarId, *, unwell: bool) -> None:
    await services.wakeups.ring("sync", rung.tenant_id, calendar_id)
    if unwell:
        await services.wakeups.ring("watch", rung.tenant_id, calendar_id)


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
