"""MeetStream (API v1): bots under idempotency keys, reports of its workspace webhooks.

From docs.meetstream.ai (guides/get-started/idempotency-keys, webhooks) and MeetStream's own SDK and
plugin (meetstream-ai/meetstream-python, claude-plugin). A repeated key is answered 507 with the
first bot; a bot leaves by a GET; deliveries to a ``callback_url`` are not signed, those to an
endpoint of the workspace are, and none is ever tried again.
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from meetbot_calendar.bots.fleet import Notice, Order, Report
from meetbot_calendar.errors import Invalid, Missing
from meetbot_calendar.gateways.fleets import proofs, reading
from meetbot_calendar.gateways.fleets.line import Account, Line, root_of, taken
from meetbot_calendar.gateways.fleets.refusals import GONE, trouble
from meetbot_calendar.gateways.fleets.wording import (
    DEFAULT_NAME,
    Words,
    mark_of,
    marked,
    named,
    worded,
)
from meetbot_calendar.gateways.transport import Transport
from meetbot_calendar.gateways.untrusted import Json, child, flag, text

_REPLAYED = 507
_REFUSED = frozenset({400, 409})
_WORDS: Words = {key: named(key) for key in ("bot_name", "bot_message", "bot_image_url")}
_IN = frozenset({"bot.inmeeting", "bot.recording"})
_FAILED = {
    "bot.notallowed": "not_admitted",
    "bot.denied": "denied_by_host",
    "bot.failed": "bot_failed",
}
_OVER = frozenset({"stopped", "notallowed", "denied", "error", "failed", "done"})
_FAILED_STAGES = {
    "BotNotAllowed": "not_admitted",
    "BotRejected": "denied_by_host",
    "Error": "bot_failed",
}


class MeetstreamFleet:
    """MeetStream's bots, behind the port ``bots.fleet.Fleet``."""

    name = "meetstream"

    def __init__(self, transport: Transport, account: Account) -> None:
        key = {"authorization": f"Token {account.api_key}"}
        self._line = Line(transport, root_of(account.url, "/api/v1") + "/bots/", key)
        self._secret = account.callback_secret

    async def send(self, order: Order) -> str:
        """Send one bot, at once; the same key again names the bot that it has brought."""
        key = {"idempotency-key": order.key}
        answer = await self._line.ask("POST", "create_bot", body=_body(order), headers=key)
        if not answer.is_success and answer.status != _REPLAYED:
            raise trouble(answer)
        return taken(answer, "bot_id")

    async def find(self, order: Order) -> str | None:
        """Send it once more: under the same key the fleet names the bot that it already has."""
        return await self.send(order)

    async def recall(self, fleet_bot_id: str) -> None:
        """Let the bot leave."""
        path = quote(fleet_bot_id, safe="")
        answer = await self._line.ask("GET", f"{path}/remove_bot")
        if answer.is_success or answer.status in GONE:
            return
        if answer.status in _REFUSED:
            status = text(await self._line.look(f"{path}/status") or {}, "status")
            if status is None or status.lower() in _OVER:
                return
        raise trouble(answer)

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Read the bot's timeline, and where its recording is."""
        path = quote(fleet_bot_id, safe="")
        detail = await self._line.look(f"{path}/detail")
        if detail is None:
            return None
        stages = child(child(detail, "bot_details"), "StatusTimeline")
        reached = {stage: child(stages, stage) for stage in stages if _is_reached(stages, stage)}
        found = _report_of(reached)
        if found is None or found.kind != "completed":
            return found
        video = await self._line.look(f"{path}/get_video") or {}
        audio = {} if text(video, "video_url") else await self._line.look(f"{path}/get_audio") or {}
        begun, ended = (reading.instant(reached.get(s, {}), "timestamp") for s in _STAY)
        return reading.completed(
            found.at,
            recording=text(video, "video_url") or text(audio, "audio_url"),
            seconds=reading.between(begun, ended),
        )

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Refuse: what MeetStream posts bot by bot is not signed."""
        _ = headers, body, now
        raise Missing("this fleet reports at /v1/fleets/meetstream/reports")

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Verify the signature, which covers the body alone, and that it is recent."""
        proofs.hexadecimal(headers.get("x-meetstream-signature", ""), self._secret, body)
        sent = reading.instant(dict(headers), "x-meetstream-timestamp")
        proofs.recent(sent, now)
        said = proofs.decoded(body)
        bot_id = mark_of(child(said, "custom_attributes"))
        if bot_id is None:
            return None
        if (fleet_bot_id := text(said, "bot_id")) is None:
            raise Invalid("The report names no bot.")
        at = reading.instant(said, "timestamp") or now
        return Notice(fleet_bot_id=fleet_bot_id, bot_id=bot_id, report=_report(said, at))


_STAY = ("Recording", "Stopped")


def _body(order: Order) -> Json:
    body = worded(order, _WORDS, {"bot_name": DEFAULT_NAME}) | marked(order, "custom_attributes")
    # What is not text may be refused there.
    attributes = {key: str(value) for key, value in body["custom_attributes"].items()}
    body |= {"meeting_link": order.meeting_url, "custom_attributes": attributes}
    body.pop("join_at", None)
    return body


def _report(said: Json, at: datetime) -> Report | None:
    """Read an event; an ending is one event, whose second name says why."""
    event = text(said, "event")
    why = text(said, "bot_event") or f"bot.{(text(said, 'bot_status') or '').lower()}"
    if event in _IN:
        return reading.joined(at)
    if event == "bot.stopped" and (why in _FAILED or why == "bot.error"):
        return reading.failed(at, _FAILED.get(why, "bot_failed"))
    return reading.completed(at) if event == "bot.done" else None


def _report_of(reached: Mapping[str, Json]) -> Report | None:
    inside = reached.get("InMeeting") or reached.get("Recording")
    for stage, reason in _FAILED_STAGES.items():
        if stage in reached and not inside:
            return reading.failed(_at(reached[stage]), reason)
    if "Done" in reached:
        at = _at(reached["Done"])
        return reading.completed(at) if inside else reading.failed(at, "never_joined")
    return reading.joined(_at(inside)) if inside else None


def _is_reached(stages: Json, stage: str) -> bool:
    return flag(child(stages, stage), "status")


def _at(stage: Json) -> datetime:
    return reading.certain(reading.instant(stage, "timestamp"))
