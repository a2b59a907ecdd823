"""The native fleet protocol: orders with idempotency keys out, signed reports in."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec

from meetbot_calendar.bots.fleet import Notice, Order, Report
from meetbot_calendar.deliveries.signing import verify
from meetbot_calendar.errors import (
    Fault,
    GiveUp,
    Invalid,
    MeetbotError,
    Missing,
    OutcomeUnknown,
    TryLater,
)
from meetbot_calendar.gateways.fleets.refusals import GONE, refusal_code, trouble
from meetbot_calendar.gateways.transport import Answer, Transport, retry_after

_TIME_LIMIT = 15.0
_MAX_BYTES = 64 * 1024

_UNTOLD = frozenset({404, 405, 410, 501})
_CONFLICT = 409
_ANOTHER = "idempotency_conflict"  # the key stands for another order
_OVER = GONE | {_CONFLICT}
_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")

_REASON_LENGTH = 1000

_Link = Annotated[str, msgspec.Meta(max_length=16_384)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=10_000_000)]


class _Accepted(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | int


class _ReportData(msgspec.Struct, frozen=True):
    recording_url: _Link | None = None
    transcript_url: _Link | None = None
    duration_seconds: _Seconds | None = None
    reason: str | None = None


class _ReportBody(msgspec.Struct, frozen=True):
    type: Literal["bot.joined", "bot.completed", "bot.failed"]
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    data: _ReportData | None = None


class _Standing(msgspec.Struct, frozen=True):
    report: _ReportBody | None = None


_KINDS: dict[str, Literal["joined", "completed", "failed"]] = {
    "bot.joined": "joined",
    "bot.completed": "completed",
    "bot.failed": "failed",
}


class MeetbotFleet:
    """Our own fleet, behind the port ``bots.fleet.Fleet``."""

    name = "meetbot"

    def __init__(
        self, transport: Transport, *, url: str, api_key: str, callback_secret: str
    ) -> None:
        self._transport = transport
        self._bots = f"{url.rstrip('/')}/bots"
        self._authorization = f"Bearer {api_key}".strip()  # without a key: refused, not unsendable
        self._callback_secret = callback_secret

    async def send(self, order: Order) -> str:
        """Send one bot and return the fleet's id for it.

        A conflict that names a bot is the order's with itself: it had arrived, though a refusal by
        who stands before the fleet was its answer.
        """
        answer = await self._ordered(order)
        known = _named(answer) if _is_with_itself(answer) else None
        return known or _taken(answer)

    async def find(self, order: Order) -> str | None:
        """Send it once more: under the same key the fleet names the bot that it already has.

        While it is still taking the first, it may refuse the second: then nothing is known yet.
        """
        answer = await self._ordered(order)
        if not _is_with_itself(answer):
            return _taken(answer)
        if known := _named(answer):
            return known
        detail = "the fleet is still taking the bot (409)"
        raise OutcomeUnknown(detail, after=retry_after(answer))

    async def _ordered(self, order: Order) -> Answer:
        return await self._transport.request(
            "POST",
            self._bots,
            headers={
                "authorization": self._authorization,
                "content-type": "application/json",
                "idempotency-key": order.key,
            },
            content=_written(order),
            timeout=_TIME_LIMIT,
            max_bytes=_MAX_BYTES,
        )

    async def recall(self, fleet_bot_id: str) -> None:
        """Call a bot back. One that is gone or done is fine."""
        answer = await self._transport.request(
            "DELETE",
            f"{self._bots}/{quote(fleet_bot_id, safe='')}",
            headers={"authorization": self._authorization},
            timeout=_TIME_LIMIT,
            max_bytes=_MAX_BYTES,
        )
        if not answer.is_success and answer.status not in _OVER:
            raise _refused(answer)

    async def ask(self, fleet_bot_id: str) -> Report | None:
        """Read where a bot is: its last report again, under ``report``; a fleet need not tell."""
        answer = await self._transport.request(
            "GET",
            f"{self._bots}/{quote(fleet_bot_id, safe='')}",
            headers={"authorization": self._authorization},
            timeout=_TIME_LIMIT,
            max_bytes=_MAX_BYTES,
        )
        if answer.status in _UNTOLD:
            return None
        if not answer.is_success:
            raise _refused(answer)
        said = answer.read(_Standing).report
        return None if said is None else _report(said)

    def read_report(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report:
        """Verify the signature, then read what it signs."""
        verify(headers, body, [self._callback_secret], now)
        try:
            said = msgspec.json.decode(body, type=_ReportBody)
        except msgspec.ValidationError as error:
            raise _invalid(str(error)) from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise Invalid("The report is not JSON.") from error
        return _report(said, headers["webhook-id"])

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """Refuse: this fleet reports bot by bot."""
        _ = headers, body, now
        raise Missing("this fleet reports at /v1/bots/{bot_id}/status")


def _report(said: _ReportBody, message_id: str | None = None) -> Report:
    data = said.data or _ReportData()
    return Report(
        kind=_KINDS[said.type],
        at=said.timestamp.astimezone(UTC),
        recording_url=data.recording_url or None,
        transcript_url=data.transcript_url or None,
        duration_seconds=data.duration_seconds,
        reason=(data.reason or "")[:_REASON_LENGTH] or None,
        message_id=message_id,
    )


def _taken(answer: Answer) -> str:
    if not answer.is_success:
        raise _refused(answer)
    if (found := _named(answer)) is None:
        raise OutcomeUnknown("the fleet took the bot but did not say its id")
    return found


def _named(answer: Answer) -> str | None:
    try:
        return str(answer.read(_Accepted).id)
    except (TryLater, GiveUp):
        return None


def _is_with_itself(answer: Answer) -> bool:
    """Say whether a conflict may be the order's with itself, sent before."""
    return answer.status == _CONFLICT and refusal_code(answer) != _ANOTHER


def _written(order: Order) -> bytes:
    """Write the order with sorted keys: sent again from our rows, it is the same to the byte."""
    fields = msgspec.structs.asdict(order)
    del fields["key"], fields["attempt"]
    fields["join_at"] = order.join_at.astimezone(UTC)
    return msgspec.json.encode(fields, order="sorted")


def _refused(answer: Answer) -> MeetbotError:
    if answer.status == _CONFLICT:
        return GiveUp("the fleet has another bot under this key (409)", code=_ANOTHER)
    return trouble(answer)


def _invalid(message: str) -> Invalid:
    place = _PLACE.search(message)
    path = place["path"].replace(".", "/") if place else ""
    detail = message[: place.start()] if place else message
    return Invalid("The report is malformed.", (Fault(pointer=path, detail=detail),))
