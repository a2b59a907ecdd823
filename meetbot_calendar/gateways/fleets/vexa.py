"""Vexa (API v1), hosted or one's own: one bot a room and account; reports signed with their time.

From Vexa-ai/vexa: docs/docs/api/meetings.mdx, errors.mdx, webhooks.mdx; meeting-api's
bot_spawn/router.py and service.py, lifecycle/stop_router.py, machine.py and webhook.py,
webhooks/delivery.py. It keeps nothing of ours with a bot, so a bot is known by its meeting's number
and looked for by its room; another bot in the room, of whatever tenant, bars ours. Its event
``meeting.status_change`` does not say that number: ``meeting.started``, ``meeting.completed`` and
``bot.failed``, which it sends beside, do (app.py, ``_meeting_projection_from_row``).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from meetbot_calendar.bots.fleet import Notice, Order, Report
from meetbot_calendar.calendars.meeting_platforms import recognise
from meetbot_calendar.errors import MeetbotError, Missing, TryLater
from meetbot_calendar.gateways.fleets import proofs, reading
from meetbot_calendar.gateways.fleets.line import Account, Line, taken
from meetbot_calendar.gateways.fleets.refusals import GONE, busy, closed, trouble
from meetbot_calendar.gateways.fleets.wording import Words, named, worded
from meetbot_calendar.gateways.transport import Answer, Transport, retry_after
from meetbot_calendar.gateways.untrusted import Json, child, children, object_in, text

_CONFLICT, _FORBIDDEN, _UNAVAILABLE = 409, 403, 503
_PAGE, _MOST = 100, 1000
_WORDS: Words = {"bot_name": named("bot_name")}
# A bot that waits for help is ``needs_help`` or ``needs_human_help``, as Vexa's release has it.
_NOT_OUT = frozenset({"idle", "scheduled", "completed", "failed"})
_REASONS = {
    "evicted": "removed_by_host",
    "awaiting_admission_rejected": "denied_by_host",
    "awaiting_admission_timeout": "not_admitted",
}
_SECONDS = re.compile(r"\d{1,11}", re.ASCII)


class VexaFleet:
    """Vexa, behind the port ``bots.fleet.Fleet``."""

    name = "vexa"

    def __init__(self, transport: Transport, account: Account) -> None:
        key = {"x-api-key": account.api_key}
        self._line = Line(transport, account.url.rstrip("/"), key)
        self._secret = account.callback_secret

    async def send(self, order: Order) -> str:
        """Send one bot; Vexa reads platform and room from the link."""
        answer = await self._line.ask("POST", "/bots", body=_body(order))
        if not answer.is_success:
            raise _refused(answer)
        return taken(answer, "id")

    async def find(self, order: Order) -> str | None:
        """Look for the one bot that is out for the room; the newest meetings are listed first."""
        wanted = recognise(order.meeting_url)
        for offset in range(0, _MOST, _PAGE):
            query = {"limit": str(_PAGE), "offset": str(offset), "exclude_planned": "true"}
            page = await self._line.look("/bots", query) or {}
            for row in children(page, "meetings"):
                if wanted and _is_out(row) and recognise(_link(row)) == wanted:
                    return str(row.get("id"))
            if page.get("has_more") is not True:
                return None
        raise TryLater("the fleet lists more meetings than can be looked through")

    async def recall(self, fleet_bot_id: str) -> None:
        """Let the bot leave its room, if it is still this one that is in it."""
        meeting = await self._line.look(f"/meetings/{quote(fleet_bot_id, safe='')}")
        if meeting is None or not _is_out(meeting):
            return
        room = (text(meeting, "platform") or "", text(meeting, "native_meeting_id") or "")
        answer = await self._line.ask(
            "DELETE", "/bots/" + "/".join(quote(x, safe="") for x in room)
        )
        if not answer.is_success and answer.status not in GONE:
            raise trouble(answer)

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Read the meeting; its recording can be had with our key alone, so it has no link."""
        meeting = await self._line.look(f"/meetings/{quote(fleet_bot_id, safe='')}")
        if meeting is None:
            return None
        at = reading.instant(meeting, "end_time", "updated_at", "start_time", "created_at")
        return _report(meeting, reading.certain(at))

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Refuse: Vexa has one address for each account."""
        _ = headers, body, now
        raise Missing("this fleet reports at /v1/fleets/vexa/reports")

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Verify the signature over time and body, then read the meeting's state."""
        seconds = headers.get("x-webhook-timestamp", "")
        signed = f"{seconds}.".encode() + body
        proofs.hexadecimal(headers.get("x-webhook-signature", ""), self._secret, signed)
        is_time = _SECONDS.fullmatch(seconds) is not None
        proofs.recent(datetime.fromtimestamp(int(seconds), UTC) if is_time else None, now)
        said = proofs.decoded(body)
        meeting = child(child(said, "data"), "meeting")
        if type(number := meeting.get("id")) is not int:
            return None
        at = reading.instant(said, "created_at") or now
        return Notice(fleet_bot_id=str(number), report=_report(meeting, at))


def _body(order: Order) -> Json:
    body = worded(order, _WORDS)
    for key in ("platform", "native_meeting_id", "passcode", "teams_base_host", "join_at"):
        body.pop(key, None)  # another room than the one that was decided on
    return body | {"meeting_url": order.meeting_url}


def _refused(answer: Answer) -> MeetbotError:
    """Tell refusals apart; a limit of bots at once has been 429 and 403."""
    detail = object_in(answer.body).get("detail")
    said = str(detail).lower()
    if answer.status == _CONFLICT:
        return TryLater("another bot is in this room", after=retry_after(answer), code="room_taken")
    if answer.status == _FORBIDDEN and ("concurren" in said or "limit" in said):
        return busy(answer)
    if answer.status == _UNAVAILABLE and "transcription backend" in said:
        return closed(answer, "set its transcription backend, or transcribe_enabled to false")
    return trouble(answer)


def _is_out(row: Json) -> bool:
    status = text(row, "status")
    return status is not None and status not in _NOT_OUT


def _link(row: Json) -> str:
    kept = text(row, "constructed_meeting_url") or text(
        child(row, "data"), "constructed_meeting_url"
    )
    return kept or ""


def _report(meeting: Json, at: datetime) -> Report | None:
    data, status = child(meeting, "data"), text(meeting, "status")
    why = text(meeting, "completion_reason") or text(data, "completion_reason")
    why = _REASONS.get(why or "", why)
    if status == "failed":
        return reading.failed(at, why)
    if status == "completed":
        # A bot that was stopped at the door ends so as well, as its provenance tells.
        if text(child(meeting, "service_provenance"), "bot_outcome") == "never_admitted":
            return reading.failed(at, why or "never_joined")
        return reading.completed(at, seconds=_seconds(meeting), reason=why)
    return reading.joined(at) if status == "active" else None


def _seconds(meeting: Json) -> float | None:
    served = child(meeting, "service_provenance")
    if served:
        ends = (reading.instant(served, key) for key in ("bot_admitted_at", "bot_departed_at"))
    else:
        ends = (reading.instant(meeting, key) for key in ("start_time", "end_time"))
    return reading.between(*ends)
