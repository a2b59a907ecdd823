"""Attendee (API v1): bots under deduplication keys, reports signed over their sorted JSON.

From attendee-labs/attendee: bots/bots_api_views.py, bots_api_utils.py (create_bot, delete_bot),
serializers.py, models.py (states, events, ``unique_bot_deduplication_key``), docs/webhooks.md,
tasks/deliver_webhook_task.py. A key is free again once its bot has ended; every refusal of an order
is a 400 that only its sentence tells apart.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from meetbot_calendar.bots.fleet import Notice, Order, Report
from meetbot_calendar.errors import (
    InstallationFault,
    Invalid,
    MeetbotError,
    Missing,
    OutcomeUnknown,
    Tampered,
    TryLater,
)
from meetbot_calendar.gateways.fleets import proofs, reading
from meetbot_calendar.gateways.fleets.line import Account, Line, root_of, taken
from meetbot_calendar.gateways.fleets.refusals import GONE, busy, closed, trouble
from meetbot_calendar.gateways.fleets.wording import (
    DEFAULT_NAME,
    Words,
    mark_of,
    marked,
    named,
    worded,
)
from meetbot_calendar.gateways.transport import Answer, Transport
from meetbot_calendar.gateways.untrusted import Json, child, children, object_in, text

_REFUSED = 400
_WORDS: Words = {
    "bot_name": named("bot_name"),
    "bot_message": lambda said: {"bot_chat_message": {"to": "everyone", "message": said}},
}
_IN = frozenset(
    {
        "joined_not_recording",
        "joined_recording",
        "joined_recording_paused",
        "joined_recording_permission_denied",
    }
)
_OVER = frozenset({"leaving", "post_processing", "ended", "fatal_error", "data_deleted"})
_REASONS = {"request_to_join_denied": "denied_by_host"}
_STALE = timedelta(days=1)  # the signature holds no time; what it signs does


class AttendeeFleet:
    """Attendee, hosted or one's own, behind the port ``bots.fleet.Fleet``."""

    name = "attendee"

    def __init__(self, transport: Transport, account: Account) -> None:
        key = {"authorization": f"Token {account.api_key}"}
        self._line = Line(transport, root_of(account.url, "/api/v1") + "/bots", key)
        self._secret = account.callback_secret
        self._reports_url = account.reports_url

    async def send(self, order: Order) -> str:
        """Send one bot, at once: ``join_at`` may not be past."""
        answer = await self._line.ask("POST", "", body=self._body(order))
        if answer.status == _REFUSED:
            raise _refused(answer)
        if not answer.is_success:
            raise trouble(answer)
        return taken(answer, "id")

    async def find(self, order: Order) -> str | None:
        """Look for the bot under our key, one that has ended as well."""
        page = await self._line.look("", {"deduplication_key": order.key})
        listed = children(page or {}, "results")
        found = [bot for bot in listed if text(bot, "deduplication_key") == order.key]
        return text(found[-1], "id") if found else None  # oldest first

    async def recall(self, fleet_bot_id: str) -> None:
        """Let the bot leave. None is ever scheduled there, which alone could be deleted."""
        path = "/" + quote(fleet_bot_id, safe="")
        answer = await self._line.ask("POST", f"{path}/leave")
        if answer.is_success or answer.status in GONE:
            return
        if answer.status != _REFUSED:
            raise trouble(answer)
        state = text(await self._line.look(path) or {}, "state")
        if state is None or state in _OVER:
            return
        raise TryLater("the bot cannot be called back just now")

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Read the bot with its events, and where its recording is."""
        path = "/" + quote(fleet_bot_id, safe="")
        bot = await self._line.look(path)
        if bot is None:
            return None
        events = {text(event, "type"): event for event in children(bot, "events")}
        found = _report_of(events)
        if found is None or found.kind != "completed":
            return found
        recording = await self._line.look(f"{path}/recording") or {}
        begun, ended = _stay(events)
        return reading.completed(
            found.at, recording=text(recording, "url"), seconds=reading.between(begun, ended)
        )

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Refuse: one address takes all reports, though it is given with every bot."""
        _ = headers, body, now
        raise Missing("this fleet reports at /v1/fleets/attendee/reports")

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Verify the signature, then read the change of state."""
        said = self._verified(headers, body)
        bot_id = mark_of(child(said, "bot_metadata"))
        if text(said, "trigger") != "bot.state_change" or bot_id is None:
            return None
        if (fleet_bot_id := text(said, "bot_id")) is None:
            raise Invalid("The report names no bot.")
        data = child(said, "data")
        at = reading.instant(data, "created_at")
        proofs.recent(at, now, _STALE)
        report = _report(text(data, "new_state"), data, at or now)
        return Notice(fleet_bot_id=fleet_bot_id, bot_id=bot_id, report=report)

    def _body(self, order: Order) -> Json:
        body = worded(order, _WORDS, {"bot_name": DEFAULT_NAME}) | marked(order, "metadata")
        body |= {"meeting_url": order.meeting_url, "deduplication_key": order.key}
        body.pop("join_at", None)
        if self._reports_url.startswith("https://"):  # it refuses others, also one's own
            asked = {"url": self._reports_url, "triggers": ["bot.state_change"]}
            body["webhooks"] = [asked, *children(order.bot_config, "webhooks")]
        return body

    def _verified(self, headers: Mapping[str, str], body: bytes) -> Json:
        """Verify as Attendee signs: HMAC-SHA256, in base64, over the JSON with sorted keys."""
        try:
            secret = base64.b64decode(proofs.needed(self._secret), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InstallationFault("the callback secret is not base64") from error
        try:
            said = json.loads(body)
            signed = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            expected = base64.b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256))
        except (ValueError, RecursionError) as error:
            raise Tampered("what was posted is no JSON that could be signed") from error
        shown = headers.get("x-webhook-signature", "").encode()
        if not hmac.compare_digest(shown, expected) or not isinstance(said, dict):
            raise Tampered("no signature matches")
        return said


def _refused(answer: Answer) -> MeetbotError:
    """Tell refusals apart by their sentences, as create_bot writes them."""
    said = (text(object_in(answer.body), "error") or "").lower()
    if "deduplication key already in use" in said:
        return OutcomeUnknown("there is a bot under this key")
    if "maximum number of concurrent bots" in said or "error id" in said:
        return busy(answer)
    if "credits" in said or "credentials are required" in said:
        return closed(answer, "see to its credits and credentials")
    return trouble(answer)


def _report(state: str | None, change: Json, at: datetime) -> Report | None:
    if state in _IN:
        return reading.joined(at)
    if state == "fatal_error":
        return reading.failed(at, _reason(change, "event_sub_type", "event_type"))
    return reading.completed(at) if state == "ended" else None


def _report_of(events: Mapping[str | None, Json]) -> Report | None:
    for kind in ("could_not_join_meeting", "fatal_error"):
        if failure := events.get(kind):
            return reading.failed(_at(failure), _reason(failure, "sub_type", "type"))
    joined, done = events.get("joined_meeting"), events.get("post_processing_completed")
    if done is None:
        return reading.joined(_at(joined)) if joined else None
    return reading.completed(_at(done)) if joined else reading.failed(_at(done), "never_joined")


def _reason(row: Json, *keys: str) -> str | None:
    why = next(filter(None, (text(row, key) for key in keys)), None)
    return _REASONS.get(why or "", why)


def _stay(events: Mapping[str | None, Json]) -> tuple[datetime | None, datetime | None]:
    left = events.get("meeting_ended") or events.get("left_meeting") or {}
    begun = events.get("recording_permission_granted") or events.get("joined_meeting") or {}
    return reading.instant(begun, "created_at"), reading.instant(left, "created_at")


def _at(event: Json) -> datetime:
    return reading.certain(reading.instant(event, "created_at"))
