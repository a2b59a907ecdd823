"""Take what the fleet reports: verify it, move the bot on, and tell the tenant."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import structlog

from meetbot_calendar.bots import lifecycle
from meetbot_calendar.bots.fleet import Notice, Report
from meetbot_calendar.bots.model import FINAL, Bot, BotId, BotStatus
from meetbot_calendar.deliveries.model import EndpointId
from meetbot_calendar.deliveries.payloads import BotMessage
from meetbot_calendar.errors import GiveUp, InstallationFault, Missing, Tampered, TryLater
from meetbot_calendar.journeys import aftermath, finding
from meetbot_calendar.journeys.ringing import ring_deliveries
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.storage import bots, orphans
from tenants.identity import TenantId
from tenants.storage import idempotency
from tenants.storage.session import TenantSession

_LOG = structlog.get_logger("meetbot.complete")
_TOLD: dict[str, BotMessage] = {
    "joined": "bot.joined",
    "completed": "bot.completed",
    "failed": "bot.failed",
}
# What fleets call it when somebody in the meeting sends the bot away, or will not let it in.
_REMOVED_BY_HOST = frozenset(
    {
        "removed_by_host",
        "host_removed",
        "removed",
        "removed_from_meeting",
        "bot_removed",
        "kicked",
        "evicted",
        "ejected",
        "denied_by_host",
        "request_to_join_denied",
    }
)


async def take_report(
    services: Services, bot_id: BotId, headers: Mapping[str, str], body: bytes
) -> None:
    """Record one report. Repeats, late ones and those out of order change nothing they should not.

    Raises ``Tampered``, ``Invalid``, or ``Missing`` for a bot that is not ours.
    """
    report = services.fleet.read_report(headers, body, services.clock.now())
    async with services.database.gate(bot_id) as gate:
        tenant_id = await bots.tenant_of(gate, bot_id)
    if tenant_id is None:
        raise Missing("there is no such bot")
    await record(services, tenant_id, bot_id, report)


async def take_notice(
    services: Services, fleet: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Record what came to the address of a fleet's account, where its reports of all bots arrive.

    Bots that are not ours, and news that we do not keep, are nothing to complain about: others may
    use the same account. Raises ``Tampered``, ``Invalid``, or ``Missing`` for another fleet.
    """
    if fleet != services.fleet.name:
        raise Missing("this installation sends its bots with another fleet")
    notice = services.fleet.read_notice(headers, body, services.clock.now())
    if notice is None or notice.report is None:
        return
    owner = await _owner(services, notice)
    if owner is None or not await _is_news(services, owner, notice, notice.report):
        return
    tenant_id, bot_id = owner
    report = await _whole(services, notice.fleet_bot_id, notice.report)
    await record(services, tenant_id, bot_id, report, notice.fleet_bot_id)


async def _owner(services: Services, notice: Notice) -> tuple[TenantId, BotId] | None:
    if notice.bot_id is None:
        return await finding.owner_of(services, notice.fleet_bot_id)
    bot_id = BotId(notice.bot_id)
    async with services.database.gate(bot_id) as gate:
        tenant_id = await bots.tenant_of(gate, bot_id)
    return None if tenant_id is None else (tenant_id, bot_id)


async def _is_news(
    services: Services, owner: tuple[TenantId, BotId], notice: Notice, report: Report
) -> bool:
    """Say whether it would change anything, so that repeats cost the fleet no question."""
    async with services.database.tenant(owner[0]) as session:
        bot = await bots.get(session, owner[1])
    if bot is None:
        return False
    if bot.status == "cancelled":
        return _is_back(bot, report, notice.fleet_bot_id) or _must_return(bot, report)
    return _next(bot, report, notice.fleet_bot_id) is not None


async def _whole(services: Services, fleet_bot_id: str, report: Report) -> Report:
    """Ask the fleet what a bot that is done has brought; a fleet that cannot say delays nothing."""
    if report.kind != "completed" or report.recording_url is not None:
        return report
    try:
        found = await services.fleet.ask(fleet_bot_id)
    except (TryLater, GiveUp, InstallationFault, Missing) as trouble:
        _LOG.warning("recording_not_found", fleet_bot_id=fleet_bot_id, code=trouble.code)
        return report
    return report if found is None or found.kind == "joined" else found


def _next(bot: Bot, report: Report, fleet_bot_id: str | None) -> BotStatus | None:
    """Say where a report leads; one of another bot than the one that we sent leads nowhere."""
    if fleet_bot_id is not None and bot.fleet_bot_id not in (None, fleet_bot_id):
        return None
    return lifecycle.next_state(bot.status, bot.stopped_by, report.kind)


async def record(
    services: Services,
    tenant_id: TenantId,
    bot_id: BotId,
    report: Report,
    fleet_bot_id: str | None = None,
) -> bool:
    """Move a bot on as a report says, and tell; False where the report changes nothing."""
    told = await _write_down(services, tenant_id, bot_id, report, fleet_bot_id)
    await ring_deliveries(services, tenant_id, told or ())
    return told is not None


async def _write_down(
    services: Services,
    tenant_id: TenantId,
    bot_id: BotId,
    report: Report,
    fleet_bot_id: str | None,
) -> tuple[EndpointId, ...] | None:
    now = services.clock.now()
    async with services.database.tenant(tenant_id) as session:
        bot = await bots.get(session, bot_id, lock=True)
        if bot is None:
            raise Missing("there is no such bot")
        await _refuse_anothers(session, bot_id, report, now)
        if bot.status == "cancelled":
            return await _write_belated(session, bot, report, fleet_bot_id, now)
        status = _next(bot, report, fleet_bot_id)
        if status is None:
            return None
        bot = msgspec.structs.replace(bot, fleet_bot_id=bot.fleet_bot_id or fleet_bot_id)
        news: list[tuple[BotMessage, Bot]] = []
        if bot.dispatched_at is None:
            await bots.record(session, bot.id, aftermath.left(bot, now), now)
            bot = msgspec.structs.replace(bot, status="dispatched", dispatched_at=now)
            news.append(("bot.dispatched", bot))
        after = _after(msgspec.structs.replace(bot, status=status), report)
        await _write(session, after, now)
        return await aftermath.tell(session, [*news, (_TOLD[report.kind], after)], now)


async def _write_belated(
    session: TenantSession, bot: Bot, report: Report, fleet_bot_id: str | None, now: datetime
) -> tuple[EndpointId, ...] | None:
    """Write what is heard of a bot that was cancelled, and stays so: nobody is told."""
    if _must_return(bot, report):
        values: dict[str, Any] = {"due_at": now}
        if fleet_bot_id is not None:
            values["recall_fleet_bot_id"] = fleet_bot_id
        await bots.record(session, bot.id, values, now)
        return ()
    if not _is_back(bot, report, fleet_bot_id) or (kept := _kept(bot, report)) == bot:
        return None
    await bots.rewrite_content(session, bot.id, kept.content)
    await bots.record(session, bot.id, {"duration_seconds": kept.duration_seconds}, now)
    return ()


def _must_return(bot: Bot, report: Report) -> bool:
    """Say whether a bot is in a meeting that is to have none: its recall did not reach it."""
    return report.kind == "joined" and bot.attempts > 0


def _is_back(bot: Bot, report: Report, fleet_bot_id: str | None) -> bool:
    """Say whether a bot that was called back may have brought what is not known yet.

    Nothing is kept of what it brought from people who have been erased.
    """
    if report.kind != "completed" or bot.attempts == 0 or bot.reason == orphans.ERASED:
        return False
    is_ours = fleet_bot_id is None or bot.fleet_bot_id in (None, fleet_bot_id)
    return is_ours and None in (bot.content.recording_url, bot.duration_seconds)


def _kept(bot: Bot, report: Report) -> Bot:
    """Take over what a bot brought that was called back; what it has brought before stays."""
    said = bot.content
    content = msgspec.structs.replace(
        said,
        recording_url=said.recording_url or report.recording_url,
        transcript_url=said.transcript_url or report.transcript_url,
    )
    known = bot.duration_seconds
    seconds = _seconds(bot, report) if known is None else known
    return msgspec.structs.replace(bot, content=content, duration_seconds=seconds)


async def _refuse_anothers(
    session: TenantSession, bot_id: BotId, report: Report, now: datetime
) -> None:
    """Refuse a signed report that was taken to another bot's address than the one it came to first.

    Its body does not name the bot, so a captured one would be genuine for any, while it is fresh.
    """
    if report.message_id is None:
        return
    name = f"report:{hashlib.sha256(report.message_id.encode()).hexdigest()}"
    whose = hashlib.sha256(bot_id.encode()).digest()
    known = await idempotency.claim(session, name, whose, now=now, patience=idempotency.KEPT)
    if known is not None and known.fingerprint != whose:
        raise Tampered("this report was made for another bot")


def _after(bot: Bot, report: Report) -> Bot:
    """Take over what the report says."""
    content = msgspec.structs.replace(
        bot.content,
        recording_url=report.recording_url or bot.content.recording_url,
        transcript_url=report.transcript_url or bot.content.transcript_url,
        report_reason=report.reason or bot.content.report_reason,
    )
    removed = (report.reason or "").lower() in _REMOVED_BY_HOST
    return msgspec.structs.replace(
        bot,
        content=content,
        stopped_by="host" if removed else bot.stopped_by,
        joined_at=report.at if report.kind == "joined" else bot.joined_at,
        completed_at=report.at if report.kind == "completed" else bot.completed_at,
        duration_seconds=_seconds(bot, report),
    )


def _seconds(bot: Bot, report: Report) -> float | None:
    """Say how long a bot recorded: as reported, or else from when it joined to when it was done."""
    if report.duration_seconds is not None:
        return report.duration_seconds
    if bot.duration_seconds is not None or bot.joined_at is None or report.kind != "completed":
        return bot.duration_seconds
    return max(0.0, (report.at - bot.joined_at).total_seconds())


async def _write(session: TenantSession, bot: Bot, now: datetime) -> None:
    values: dict[str, Any] = {
        "status": bot.status,
        "stopped_by": bot.stopped_by,
        "joined_at": bot.joined_at,
        "completed_at": bot.completed_at,
        "duration_seconds": bot.duration_seconds,
        "fleet_bot_id": bot.fleet_bot_id,
    }
    if bot.status in FINAL:
        values["due_at"] = None
    elif bot.status == "joined":
        values["due_at"] = max(aftermath.asked_about_at(bot.end), now)
    await bots.rewrite_content(session, bot.id, bot.content)
    await bots.record(session, bot.id, values, now)
