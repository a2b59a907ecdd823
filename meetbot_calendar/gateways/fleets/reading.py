"""What fleets say of a bot, as our three kinds of report; texts and numbers are not trusted."""

from datetime import UTC, datetime

import msgspec

from meetbot_calendar.bots.fleet import Report
from meetbot_calendar.errors import GiveUp
from meetbot_calendar.gateways.untrusted import Json, text

_LONGEST_LINK = 16_384
_LONGEST_REASON = 1000
_LONGEST = 10_000_000.0


def joined(at: datetime) -> Report:
    """Say that the bot is in its meeting."""
    return Report(kind="joined", at=at)


def failed(at: datetime, reason: str | None) -> Report:
    """Say that the bot came back with nothing."""
    return Report(kind="failed", at=at, reason=_reason(reason) or "failed")


def completed(
    at: datetime,
    *,
    recording: str | None = None,
    transcript: str | None = None,
    seconds: float | None = None,
    reason: str | None = None,
) -> Report:
    """Say that the bot has been there and is done."""
    return Report(
        kind="completed",
        at=at,
        recording_url=_link(recording),
        transcript_url=_link(transcript),
        duration_seconds=seconds if seconds is not None and 0 <= seconds <= _LONGEST else None,
        reason=_reason(reason),
    )


def instant(row: Json, *keys: str) -> datetime | None:
    """Return the first of these that is an instant; one without a zone is in UTC."""
    for key in keys:
        try:
            found = msgspec.convert(text(row, key), datetime)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (msgspec.ValidationError, OverflowError):
            continue
    return None


def certain(at: datetime | None) -> datetime:
    """Return an instant that an answer must hold."""
    if at is None:
        raise GiveUp("the answer holds no instant where one stands", code="unreadable_answer")
    return at


def number(row: Json, key: str) -> float | None:
    """Return the number at ``key``."""
    try:
        return msgspec.convert(row.get(key), float)
    except (msgspec.ValidationError, OverflowError):
        return None


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from one instant to the other."""
    return None if start is None or end is None else (end - start).total_seconds()


def _link(url: str | None) -> str | None:
    return url if url and len(url) <= _LONGEST_LINK else None


def _reason(reason: str | None) -> str | None:
    return (reason or "")[:_LONGEST_REASON] or None
