"""Wants, outcomes and existing bots give what to create, move or cancel; idempotent.

The laws: one live bot per meeting (per meeting and person, where the tenant chose so); none
without a want; none for a meeting that is over, but where a person set it to join later; none again
where a person or the host ended it, or where it was served, unless a person has asked since.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from meetbot_calendar.bots.meetings import Meeting, gather
from meetbot_calendar.bots.model import OUT, Bot, BotContent, BotId, Want
from meetbot_calendar.calendars.meeting_links import room_of
from tenants.identity import Dedupe, TenantId

_OVERTIME = timedelta(hours=1)

Told = Literal["bot.scheduled", "bot.rescheduled", "bot.cancelled"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the tenant has settled about bots, and what time it is."""

    tenant_id: TenantId
    now: datetime
    lead: timedelta
    join_late: bool = True
    dedupe: Dedupe = "meeting"
    new_bot_id: Callable[[], BotId]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One change: ``before`` is None for a new bot; ``told`` is the message it makes true.

    ``recall`` says that a bot which may already be out must be called back.
    """

    before: Bot | None
    after: Bot
    told: Told | None = None
    recall: bool = False


def reconcile(wants: Sequence[Want], bots: Sequence[Bot], settings: Settings) -> tuple[Step, ...]:
    """Say what must change so that every wanted meeting has its one bot."""
    steps: list[Step] = []
    meetings, stray = gather(wants, bots, settings.dedupe, settings.now)
    for meeting in meetings:
        steps.extend(_settle(meeting, settings))
    steps.extend(step for bot in stray for step in _cancel(bot, "not_wanted", settings))
    return tuple(steps)


def served_until(end: datetime, join_at: datetime) -> datetime:
    """Return until when a bot may serve a meeting: a person may have it join after the end."""
    return end if join_at < end else join_at + _OVERTIME


def _settle(meeting: Meeting, settings: Settings) -> list[Step]:
    if _is_prolonged(meeting, settings.now):
        return []
    wanted = [w for w in meeting.wants if w.wanted and w.meeting_url is not None]
    if not wanted:
        reason = _why_unwanted(meeting.wants)
        return [step for bot in meeting.live for step in _cancel(bot, reason, settings)]
    draft = _draft(meeting, wanted, settings)
    if draft.end <= settings.now:
        return [step for bot in meeting.live for step in _cancel(bot, "ended", settings)]
    asked_at = max((w.by_hand_at for w in wanted if w.by_hand_at is not None), default=None)
    live = sorted(meeting.live, key=_keep_first)
    steps = [step for bot in live[1:] for step in _cancel(bot, "duplicate", settings)]
    if not live:
        return _create(draft, meeting.ended, asked_at, settings)
    return steps + _adjust(live[0], draft, asked_at, settings)


def _is_prolonged(meeting: Meeting, now: datetime) -> bool:
    """Say whether a meeting is over by the calendar alone: a person set its bot to join yet."""
    over = [w for w in meeting.wants if w.wanted or w.reason == "ended"]
    late = [bot for bot in meeting.live if bot.content.hand_lead_seconds is not None]
    return all(w.end <= now for w in over) and any(
        bot.start == w.start and w.end <= bot.join_at and now < bot.end
        for w in over
        for bot in late
    )


def _why_unwanted(wants: Sequence[Want]) -> str:
    return min(wants, key=lambda w: w.event_id).reason


def _keep_first(bot: Bot) -> tuple[bool, str]:
    """Prefer a bot that is out already, then the oldest."""
    return bot.status not in OUT, bot.id


def _draft(meeting: Meeting, wanted: Sequence[Want], settings: Settings) -> Bot:
    """Say what the meeting's bot should be, were it made afresh."""
    voice = min(wanted, key=lambda w: (w.by_hand_at is None, w.event_id))
    timing = max(wanted, key=lambda w: (w.seen_at, w.event_id))
    return Bot(
        id=BotId(""),
        tenant_id=settings.tenant_id,
        status="scheduled",
        source=voice.source,
        reason=voice.reason,
        keys=tuple(sorted({key for want in meeting.wants for key in want.keys})),
        start=timing.start,
        end=timing.end,
        join_at=timing.start - settings.lead,
        platform=timing.platform,
        content=BotContent(
            meeting_url=timing.meeting_url or "",
            title=timing.title,
            ical_uid=timing.ical_uid,
            rule=voice.rule,
            bot_config=voice.bot_config,
        ),
        event_ids=tuple(sorted(want.event_id for want in wanted)),
        user_ids=tuple(dict.fromkeys(want.user_id for want in wanted)),
        created_at=settings.now,
        updated_at=settings.now,
    )


def _create(
    draft: Bot, ended: Sequence[Bot], asked_at: datetime | None, settings: Settings
) -> list[Step]:
    if any(_blocks(bot, draft, asked_at) for bot in ended):
        return []
    if _is_late(draft, asked_at, settings):
        return []
    last = max(ended, key=lambda bot: (bot.updated_at, bot.id), default=None)
    if last is not None and _still_speaks(last, asked_at):
        draft = _set_by_hand(draft, last, settings)
    return [_fresh(draft, settings)]


def _still_speaks(last: Bot, asked_at: datetime | None) -> bool:
    """Say whether what a person set on a bot stands: no person, only the plan, took it away."""
    asked_since = asked_at is not None and asked_at > last.updated_at
    return last.status == "cancelled" and last.stopped_by is None and not asked_since


def _fresh(draft: Bot, settings: Settings) -> Step:
    join_at = max(draft.join_at, settings.now)
    bot = msgspec.structs.replace(draft, id=settings.new_bot_id(), join_at=join_at)
    return Step(before=None, after=bot, told="bot.scheduled")


def _is_late(draft: Bot, asked_at: datetime | None, settings: Settings) -> bool:
    """Say whether the meeting has begun, and is not to be joined then: unless a person asked."""
    return draft.start <= settings.now and not settings.join_late and asked_at is None


def _set_by_hand(draft: Bot, bot: Bot, settings: Settings) -> Bot:
    """Give a draft what a person set on the bot before it: it is the meeting's, not the bot's."""
    seconds = bot.content.hand_lead_seconds
    content = msgspec.structs.replace(
        draft.content, hand_config=bot.content.hand_config, hand_lead_seconds=seconds
    )
    lead = settings.lead if seconds is None else timedelta(seconds=seconds)
    join_at = draft.start - lead
    end = served_until(draft.end, join_at)
    return msgspec.structs.replace(draft, content=content, join_at=join_at, end=end)


def _blocks(ended: Bot, draft: Bot, asked_at: datetime | None) -> bool:
    """Say whether what happened forbids another bot, but for a person's later wish.

    What was served or failed, or was ended by a person or the host, stays so wherever its meeting
    is moved to; one that was missed was never tried, and is when it is put off to after its end.
    """
    if asked_at is not None and asked_at > ended.updated_at:
        return False
    if ended.stopped_by is not None or ended.status in {"completed", "failed"}:
        return True
    return ended.status == "missed" and draft.start < ended.end


def _adjust(bot: Bot, draft: Bot, asked_at: datetime | None, settings: Settings) -> list[Step]:
    """Follow the meeting with the bot it has; one that is out already is called back if it must.

    A bot still to leave is not sent to a meeting that was moved to before now, where the tenant
    does not join late.
    """
    draft = _set_by_hand(draft, bot, settings)
    if bot.status != "scheduled":
        return _keep_or_replace(bot, draft, settings)
    if draft.start != bot.start and _is_late(draft, asked_at, settings):
        return _cancel(bot, "late", settings)
    join_at = _join_at(bot, draft, settings)
    changed = (join_at, draft.start) != (bot.join_at, bot.start) or not _share_room(bot, draft)
    return _update(bot, draft, join_at, "bot.rescheduled" if changed else None, settings)


def _keep_or_replace(bot: Bot, draft: Bot, settings: Settings) -> list[Step]:
    """Leave a bot that is out where it is, or call it back and send another.

    One in the right room stays, when the new time is within its lead, and keeps the spelling of
    the link that it left with.
    """
    is_in_time = draft.start == bot.start or draft.join_at <= settings.now
    if not is_in_time or not _share_room(bot, draft):
        return [*_cancel(bot, "rescheduled", settings), _fresh(draft, settings)]
    content = msgspec.structs.replace(draft.content, meeting_url=bot.content.meeting_url)
    draft = msgspec.structs.replace(draft, content=content)
    return _update(bot, draft, bot.join_at, None, settings)


def _share_room(bot: Bot, draft: Bot) -> bool:
    """Say whether two links lead to one room, however they are spelt."""
    old, new = bot.content.meeting_url, draft.content.meeting_url
    return old == new or (room_of(old) or old) == (room_of(new) or new)


def _join_at(bot: Bot, draft: Bot, settings: Settings) -> datetime:
    """Say when a waiting bot leaves now; one that is late already keeps its instant."""
    if draft.join_at > settings.now:
        return draft.join_at
    return settings.now if draft.start != bot.start else min(bot.join_at, settings.now)


def _update(
    bot: Bot, draft: Bot, join_at: datetime, told: Told | None, settings: Settings
) -> list[Step]:
    content = msgspec.structs.replace(
        bot.content,
        meeting_url=draft.content.meeting_url,
        title=draft.content.title,
        ical_uid=draft.content.ical_uid,
        rule=draft.content.rule,
        bot_config=draft.content.bot_config,
    )
    after = msgspec.structs.replace(
        bot,
        source=draft.source,
        reason=draft.reason,
        keys=draft.keys,
        start=draft.start,
        end=draft.end,
        join_at=join_at,
        platform=draft.platform,
        content=content,
        event_ids=draft.event_ids,
        user_ids=bot.user_ids,
    )
    if after == bot:
        return []
    after = msgspec.structs.replace(
        after,
        generation=bot.generation + (told is not None),
        user_ids=draft.user_ids,
        updated_at=settings.now,
    )
    return [Step(before=bot, after=after, told=told)]


def _cancel(bot: Bot, reason: str, settings: Settings) -> list[Step]:
    after = msgspec.structs.replace(
        bot,
        status="cancelled",
        reason=reason,
        generation=bot.generation + 1,
        updated_at=settings.now,
    )
    return [Step(before=bot, after=after, told="bot.cancelled", recall=bot.status in OUT)]
