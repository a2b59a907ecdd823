"""The fleet's bots: what was ordered, where each one is in its life, and what is still to report.

Pure: ``now`` is an argument. Times are the world's.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

Status = Literal["accepted", "joined", "completed", "failed", "recalled"]
ReportType = Literal["bot.joined", "bot.completed", "bot.failed"]

RETRY_SECONDS = (2, 5, 15, 60, 300, 900, 3600)


class FleetConfig(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How this fleet behaves; durations are seconds of the world's time.

    ``outcome`` and ``reason`` say how recordings end. Keys are the sandbox's own and no secret.
    ``webhook_url`` is where fleets of other makes tell of all bots of the account.
    """

    api_key: str = "sandbox-fleet-key"
    callback_secret: str = "whsec_c2FuZGJveC1mbGVldC1jYWxsYmFjay1zZWNyZXQ="
    join_delay_seconds: float = 3.0
    recording_seconds: float = 60.0
    outcome: Literal["completed", "failed"] = "completed"
    reason: str = ""
    webhook_url: str = ""


class Report(msgspec.Struct, kw_only=True):
    """One report to the product; ``answers`` are the statuses it got (0: nobody answered).

    ``forged`` and ``stray`` ones never happened, or not then: trouble on order brought them.
    """

    id: str
    type: ReportType
    body: str
    next_at: datetime
    answers: list[int] = []
    done: bool = False
    forged: bool = False
    stray: bool = False


class Bot(msgspec.Struct, kw_only=True):
    """One order and what became of it.

    ``step_at`` is when its life goes on; ``fails`` the reason why it is about to fail; ``repeats``
    counts the same order sent again.
    """

    id: str
    key: str
    body: dict[str, Any]
    received_at: datetime
    join_at: datetime
    root: str
    status: Status = "accepted"
    step_at: datetime | None = None
    joined_at: datetime | None = None
    ended_at: datetime | None = None
    recalled_at: datetime | None = None
    fails: str = ""
    repeats: int = 0
    reports: list[Report] = []


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered to a request, for fleets that answer its repetitions the same."""

    status: int
    body: Any
    at: datetime


class FleetState(msgspec.Struct, kw_only=True):
    """Everything the fleet remembers; ``refused`` are orders that it turned away.

    ``answers`` are what it said under each key.
    """

    config: FleetConfig = msgspec.field(default_factory=FleetConfig)
    bots: dict[str, Bot] = {}
    keys: dict[str, str] = {}
    refused: list[dict[str, Any]] = []
    answers: dict[str, Kept] = {}
    numbered: int = 0


def accept(
    state: FleetState,
    now: datetime,
    key: str,
    body: dict[str, Any],
    join_at: datetime,
    root: str,
    *,
    form: str = "fb_{:06d}",
) -> Bot:
    """Take an order; the bot joins a little after ``join_at``, or after now if that is past.

    ``form`` is how this fleet writes its ids.
    """
    state.numbered += 1
    bot = Bot(
        id=form.format(state.numbered),
        key=key,
        body=body,
        received_at=now,
        join_at=join_at,
        root=root,
        step_at=max(join_at, now) + timedelta(seconds=state.config.join_delay_seconds),
    )
    state.bots[bot.id] = bot
    state.keys[key] = bot.id
    return bot


def advance(state: FleetState, bot: Bot, now: datetime) -> None:
    """Bring a bot as far in its life as the time allows, noting a report at every step."""
    while bot.step_at is not None and bot.step_at <= now:
        if bot.fails or state.config.outcome == "failed":
            reason = bot.fails or state.config.reason or "could_not_join"
            _end(bot, "failed", {"reason": reason})
        elif bot.status == "accepted":
            _join(bot, timedelta(seconds=state.config.recording_seconds))
        else:
            _end(bot, "completed", _recording(bot))


def recall(bot: Bot, now: datetime) -> bool:
    """Call a bot back; False when it is over already. Nothing more is reported of it."""
    if bot.status in ("completed", "failed"):
        return False
    bot.status, bot.step_at = "recalled", None
    bot.recalled_at = bot.recalled_at or now
    return True


def due_reports(bot: Bot, now: datetime) -> list[Report]:
    """Return the reports to send now, in order: a later one waits for those before it."""
    due: list[Report] = []
    for report in bot.reports:
        if not report.done and report.next_at > now:
            break
        if not report.done:
            due.append(report)
    return due


def is_due(bot: Bot, now: datetime) -> bool:
    """Tell whether anything of a bot's life is due."""
    return any(when <= now for when in _times(bot))


def next_due(state: FleetState) -> datetime | None:
    """Return when something is to happen next in any bot's life."""
    times = (when for bot in state.bots.values() for when in _times(bot))
    return min(times, default=None)


def answered(report: Report, status: int, now: datetime) -> None:
    """Note an answer to a report: 2xx and 410 end it, anything else is tried again for a while.

    Whoever forges one tries once, and keeps none of ours waiting.
    """
    report.answers.append(status)
    tries = len(report.answers)
    is_taken = 200 <= status < 300 or status == 410  # noqa: PLR2004 - 2xx, Gone
    if is_taken or report.forged or tries > len(RETRY_SECONDS):
        report.done = True
    else:
        report.next_at = now + timedelta(seconds=RETRY_SECONDS[tries - 1])


def add_report(bot: Bot, kind: ReportType, at: datetime, data: dict[str, Any]) -> Report:
    """Note a report that is due at once."""
    body = {"type": kind, "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "data": data}
    report = Report(
        id=f"msg_{bot.id}_{len(bot.reports) + 1}",
        type=kind,
        body=msgspec.json.encode(body).decode(),
        next_at=at,
    )
    bot.reports.append(report)
    return report


def _times(bot: Bot) -> Iterator[datetime]:
    if bot.step_at is not None:
        yield bot.step_at
    waiting = next((r for r in bot.reports if not r.done), None)
    if waiting:
        yield waiting.next_at


def _join(bot: Bot, length: timedelta) -> None:
    at = bot.step_at or bot.join_at
    bot.status, bot.joined_at, bot.step_at = "joined", at, at + length
    add_report(bot, "bot.joined", at, {})


def _end(bot: Bot, how: Literal["completed", "failed"], data: dict[str, Any]) -> None:
    at = bot.step_at or bot.join_at
    bot.status, bot.ended_at, bot.step_at = how, at, None
    kind: ReportType = "bot.completed" if how == "completed" else "bot.failed"
    add_report(bot, kind, at, data)


def _recording(bot: Bot) -> dict[str, Any]:
    length = (bot.step_at or bot.join_at) - (bot.joined_at or bot.join_at)
    return {
        "recording_url": f"{bot.root}/recordings/{bot.id}.mp4",
        "transcript_url": f"{bot.root}/transcripts/{bot.id}.json",
        "duration_seconds": int(length.total_seconds()),
    }
