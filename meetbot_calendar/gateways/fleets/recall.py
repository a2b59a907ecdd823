"""Recall.ai (API v1): ad-hoc bots under idempotency keys, reports by Standard Webhooks or Svix.

From docs.recall.ai: reference/bot_create, bot_list (``metadata__KEY``), bot_leave_call_create,
bot_destroy, bot_retrieve, errors, idempotency; docs/bot-status-change-events, sub-codes,
authenticating-requests-from-recallai, receive-a-recording. An answer is kept under its idempotency
key for an hour, a 507 (no bot free) as well: so a new attempt takes a new key. A bot that has ended
may be called ``cannot_command_unstarted_bot`` as well, and deleting it is then refused: with 405
by the errors page, with 400 as its users saw it.
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from meetbot_calendar.bots.fleet import Notice, Order, Report
from meetbot_calendar.errors import Invalid, Missing, OutcomeUnknown, TryLater
from meetbot_calendar.gateways.fleets import proofs, reading
from meetbot_calendar.gateways.fleets.line import Account, Line, root_of, taken
from meetbot_calendar.gateways.fleets.refusals import GONE, refusal_code, trouble
from meetbot_calendar.gateways.fleets.wording import MARK, Words, mark_of, marked, named, worded
from meetbot_calendar.gateways.transport import Answer, Transport, retry_after
from meetbot_calendar.gateways.untrusted import Json, child, children, text

_CONFLICT, _DISPATCHED, _REFUSED = 409, 405, 400
_WORDS: Words = {
    "bot_name": named("bot_name"),
    "bot_message": lambda said: {
        "chat": {"on_bot_join": {"send_to": "everyone", "message": said}},
    },
}
_IN_CALL = frozenset(
    {
        "in_call_not_recording",
        "recording_permission_allowed",
        "recording_permission_denied",
        "in_call_recording",
    }
)
# Why a call ended that the bot was never in.
_NEVER_IN = frozenset(
    {
        "call_ended_by_platform_waiting_room_timeout",
        "timeout_exceeded_waiting_room",
        "bot_kicked_from_waiting_room",
    }
)
_OVER = frozenset({"call_ended", "done", "fatal"})
_REASONS = {
    "bot_kicked_from_waiting_room": "denied_by_host",
    "bot_kicked_from_call": "removed_by_host",
}


class RecallFleet:
    """Recall.ai, behind the port ``bots.fleet.Fleet``."""

    name = "recall"

    def __init__(self, transport: Transport, account: Account) -> None:
        key = {"authorization": f"Token {account.api_key}"}
        self._line = Line(transport, root_of(account.url, "/api/v1") + "/bot/", key)
        self._secret = account.callback_secret

    async def send(self, order: Order) -> str:
        """Send one bot, at once: a bot with ``join_at`` is one of another kind."""
        key = {"idempotency-key": f"{order.key}-{order.attempt}"}
        answer = await self._line.ask("POST", "", body=_body(order), headers=key)
        if answer.status == _CONFLICT:
            wait = retry_after(answer)
            raise OutcomeUnknown("the same order is under way at the fleet", after=wait)
        if not answer.is_success:
            raise trouble(answer)
        return taken(answer, "id")

    async def find(self, order: Order) -> str | None:
        """Look for the bot that carries our mark."""
        page = await self._line.look("", {f"metadata__{MARK}": order.bot_id})
        for bot in children(page or {}, "results"):
            if mark_of(child(bot, "metadata")) == order.bot_id:
                return text(bot, "id")
        return None

    async def recall(self, fleet_bot_id: str) -> None:
        """Let the bot leave its call; one that waits to be started is deleted."""
        path = quote(fleet_bot_id, safe="")
        answer = await self._line.ask("POST", f"{path}/leave_call/")
        if answer.is_success or answer.status in GONE:
            return
        code = refusal_code(answer)
        if code == "cannot_command_completed_bot":
            return
        if code == "cannot_command_unstarted_bot":
            await self._delete(path)
        elif answer.status in {_CONFLICT, _DISPATCHED}:
            raise _under_way(answer)
        else:
            raise trouble(answer)

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Read the bot, its whole history and its recording."""
        bot = await self._line.look(f"{quote(fleet_bot_id, safe='')}/")
        return None if bot is None else _report_of(bot)

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Refuse: Recall reports to addresses set in its dashboard."""
        _ = headers, body, now
        raise Missing("this fleet reports at /v1/fleets/recall/reports")

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Verify the signature, then read the status change."""
        proofs.standard(headers, body, self._secret, now)
        said = proofs.decoded(body)
        data = child(said, "data")
        bot = child(data, "bot")
        bot_id = mark_of(child(bot, "metadata"))
        event = text(said, "event") or ""
        if not event.startswith("bot.") or bot_id is None:
            return None
        if (fleet_bot_id := text(bot, "id")) is None:
            raise Invalid("The report names no bot.")
        report = _report(event.removeprefix("bot."), child(data, "data"), now)
        return Notice(fleet_bot_id=fleet_bot_id, bot_id=bot_id, report=report)

    async def _delete(self, path: str) -> None:
        """Delete a bot that was not started, unless it has ended, which is called so as well."""
        answer = await self._line.ask("DELETE", f"{path}/")
        if answer.is_success or answer.status in GONE:
            return
        if answer.status not in {_CONFLICT, _DISPATCHED, _REFUSED}:
            raise trouble(answer)
        bot = await self._line.look(f"{path}/") or {}
        changes = children(bot, "status_changes")
        if bot and not any(text(change, "code") in _OVER for change in changes):
            raise _under_way(answer)


def _under_way(answer: Answer) -> TryLater:
    return TryLater("the bot is on its way just now", after=retry_after(answer))


def _body(order: Order) -> Json:
    body = worded(order, _WORDS) | marked(order, "metadata") | {"meeting_url": order.meeting_url}
    body.pop("join_at", None)
    return body


def _report(code: str, change: Json, now: datetime) -> Report | None:
    at = reading.instant(change, "updated_at", "created_at") or now
    why = text(change, "sub_code")
    if code in _IN_CALL:
        return reading.joined(at)
    if code == "fatal" or (code == "call_ended" and why in _NEVER_IN):
        return reading.failed(at, _REASONS.get(why or "", why))
    return reading.completed(at) if code == "done" else None


def _report_of(bot: Json) -> Report | None:
    changes = {text(change, "code"): change for change in children(bot, "status_changes")}
    if fatal := changes.get("fatal"):
        return _report("fatal", fatal, reading.certain(reading.instant(fatal, "created_at")))
    been = [change for code, change in changes.items() if code in _IN_CALL]
    done = changes.get("done")
    if done is None:
        return reading.joined(_at(been[0])) if been else None
    why = text(changes.get("call_ended") or {}, "sub_code")
    why = _REASONS.get(why or "", why)
    return _recorded(bot, _at(done), why) if been else reading.failed(_at(done), why)


def _at(change: Json) -> datetime:
    return reading.certain(reading.instant(change, "created_at"))


def _recorded(bot: Json, at: datetime, why: str | None) -> Report:
    recording = next(iter(children(bot, "recordings")), {})
    shortcuts = child(recording, "media_shortcuts")
    begun, ended = (reading.instant(recording, key) for key in ("started_at", "completed_at"))
    return reading.completed(
        at,
        recording=_download(child(shortcuts, "video_mixed")),
        transcript=_download(child(shortcuts, "transcript")),
        seconds=reading.between(begun, ended),
        reason=why,
    )


def _download(media: Json) -> str | None:
    return text(child(media, "data"), "download_url")
