"""MeetingBaaS (API v2): one bot a link, looked up by its ``extra``; reports through Svix.

From Meeting-BaaS/docs (api-v2: sending-a-bot, removing-a-bot, deduplication-rate-limiting,
webhooks, error-codes, migration-guide; reference/bots/leaveBot) and Meeting-BaaS/sdk-generator
(listBotsParams, listBotsResponseDataItem, listBotsStatusAnyOf). There is no idempotency key:
``allow_multiple_bots: false`` locks a link for five minutes, whoever else asks; so a refusal by it
is looked into. Listing filters ``extra`` in memory, page by page: an empty page is not the end.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from meetbot_calendar.bots.fleet import Notice, Order, Report
from meetbot_calendar.errors import Invalid, Missing, OutcomeUnknown, TryLater
from meetbot_calendar.gateways.fleets import proofs, reading
from meetbot_calendar.gateways.fleets.line import Account, Line, root_of, taken
from meetbot_calendar.gateways.fleets.refusals import GONE, trouble
from meetbot_calendar.gateways.fleets.wording import (
    DEFAULT_NAME,
    MARK,
    Words,
    mark_of,
    marked,
    named,
    worded,
)
from meetbot_calendar.gateways.transport import Answer, Transport
from meetbot_calendar.gateways.untrusted import Json, child, children, text

_CONFLICT = 409
_WORDS: Words = {
    "bot_name": named("bot_name"),
    "bot_message": named("entry_message"),
    "bot_image_url": named("bot_image"),
}
_IN = frozenset(
    {"in_call_not_recording", "in_call_recording", "recording_paused", "recording_resumed"}
)
_OVER = frozenset(
    {
        "call_ended",
        "recording_succeeded",
        "recording_failed",
        "api_request_stop",
        "bot_rejected",
        "bot_removed",
        "bot_removed_too_early",
        "waiting_room_timeout",
        "invalid_meeting_url",
        "meeting_error",
        "transcribing",
        "completed",
        "failed",
    }
)
_PAGE, _PAGES = 250, 10
_SKEW = timedelta(hours=1)  # no bot is sent before its time, by whichever clock
_REASONS = {"bot_removed": "removed_by_host", "bot_removed_too_early": "removed_by_host"}


class MeetingbaasFleet:
    """MeetingBaaS, behind the port ``bots.fleet.Fleet``."""

    name = "meetingbaas"

    def __init__(self, transport: Transport, account: Account) -> None:
        key = {"x-meeting-baas-api-key": account.api_key}
        self._line = Line(transport, root_of(account.url, "/v2") + "/bots", key)
        self._secret = account.callback_secret

    async def send(self, order: Order) -> str:
        """Send one bot, at once. A lock of ours names our bot; one of somebody else's is passed."""
        answer = await self._order(order, alone=True)
        if answer.status == _CONFLICT:
            if known := await self.find(order):
                return known
            await self._expect_another(order)
            answer = await self._order(order, alone=False)
        if not answer.is_success:
            raise trouble(answer)
        return taken(answer, "bot_id", within="data")

    async def find(self, order: Order) -> str | None:
        """Look for the bot that carries our mark."""
        async for bot in self._listed(order, {"extra": f"{MARK}:{order.bot_id}"}):
            if mark_of(child(bot, "extra")) == order.bot_id:
                return text(bot, "bot_id")
        return None

    async def recall(self, fleet_bot_id: str) -> None:
        """Let the bot leave, in whatever state it is."""
        path = "/" + quote(fleet_bot_id, safe="")
        answer = await self._line.ask("POST", f"{path}/leave")
        if answer.is_success or answer.status in GONE:
            return
        if answer.status != _CONFLICT:
            raise trouble(answer)
        status = text(child(await self._line.look(f"{path}/status") or {}, "data"), "status")
        if status is not None and status not in _OVER:
            raise TryLater("the bot cannot be called back just now")

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Read the bot; its links are made anew each time, for four hours."""
        answer = await self._line.look("/" + quote(fleet_bot_id, safe=""))
        if answer is None:
            return None
        bot = child(answer, "data")
        status, inside = text(bot, "status") or "", reading.instant(bot, "joined_at")
        at = reading.instant(bot, "exited_at", "updated_at", "created_at")
        if status == "failed":
            return reading.failed(reading.certain(at), _reason(bot))
        if status == "completed":
            return _completed(bot, reading.certain(at))
        return reading.joined(inside or reading.certain(at)) if inside or status in _IN else None

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Refuse: its callbacks, bot by bot, carry their secret instead of a signature."""
        _ = headers, body, now
        raise Missing("this fleet reports at /v1/fleets/meetingbaas/reports")

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Verify Svix's signature, then read the event."""
        proofs.standard(headers, body, self._secret, now)
        said = proofs.decoded(body)
        data = child(said, "data")
        # Its guide shows ``extra`` within the data, its reference beside it.
        bot_id = mark_of(child(said, "extra")) or mark_of(child(data, "extra"))
        if bot_id is None:
            return None
        if (fleet_bot_id := text(data, "bot_id")) is None:
            raise Invalid("The report names no bot.")
        report = _report(text(said, "event"), data, now)
        return Notice(fleet_bot_id=fleet_bot_id, bot_id=bot_id, report=report)

    async def _expect_another(self, order: Order) -> None:
        """Refuse to pass a lock that nobody's bot explains: ours may be about to appear."""
        async for bot in self._listed(order, {"meeting_url": order.meeting_url}):
            if text(bot, "status") not in _OVER:
                return
        raise OutcomeUnknown("the fleet holds this link for a bot that it does not show")

    async def _listed(self, order: Order, query: Mapping[str, str]) -> AsyncIterator[Json]:
        """List the bots of the order's time, the latest first."""
        since = order.join_at.astimezone(UTC) - _SKEW
        asked = {"limit": str(_PAGE), "created_after": f"{since:%Y-%m-%dT%H:%M:%SZ}", **query}
        for _ in range(_PAGES):
            page = await self._line.look("", asked) or {}
            for bot in children(page, "data"):
                yield bot
            if (cursor := text(page, "cursor")) is None:
                return
            asked["cursor"] = cursor
        raise TryLater("the fleet lists more bots than can be looked through")

    async def _order(self, order: Order, *, alone: bool) -> Answer:
        body = worded(order, _WORDS, {"bot_name": DEFAULT_NAME}) | marked(order, "extra")
        body |= {"meeting_url": order.meeting_url, "allow_multiple_bots": not alone}
        body.pop("join_at", None)
        return await self._line.ask("POST", "", body=body)


def _report(event: str | None, data: Json, now: datetime) -> Report | None:
    status = child(data, "status")
    if event == "bot.status_change" and text(status, "code") in _IN:
        return reading.joined(reading.instant(status, "created_at") or now)
    at = reading.instant(data, "exited_at", "sent_at") or now
    if event == "bot.failed":
        return reading.failed(at, _reason(data))
    return _completed(data, at) if event == "bot.completed" else None


def _completed(bot: Json, at: datetime) -> Report:
    """Read a bot that is done; its video has had two names."""
    return reading.completed(
        at,
        recording=text(bot, "video") or text(bot, "mp4") or text(bot, "audio"),
        transcript=text(bot, "transcription"),
        seconds=reading.number(bot, "duration_seconds"),
    )


def _reason(bot: Json) -> str | None:
    code = (text(bot, "error_code") or "").lower()
    return _REASONS.get(code, code)
