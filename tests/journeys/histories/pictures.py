"""Two pictures of every connected calendar: the world's own, and the one in our rows.

The world's is made from its meetings, not through any provider's wire format and not by our code
that reads it: so what we misread is a difference too.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from meetbot_calendar.calendars.meeting_links import room_of
from meetbot_calendar.calendars.model import Provider, StoredEvent
from meetbot_calendar.sandbox.meetings import Change, Meeting, slot_key
from meetbot_calendar.sandbox.recurrence import slots
from meetbot_calendar.sandbox.store import Account, Calendar, Entry
from meetbot_calendar.sandbox.world import World
from meetbot_calendar.storage import calendars
from tests.journeys.stage import Stage

_PAST, _FUTURE = timedelta(days=1), timedelta(days=28)
_DATES = timedelta(hours=14)  # where a date begins and ends depends on who asks
_SAID = {"none": "needs_action"}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting as one calendar shows it; ``answer`` is the account's own, where it is said."""

    start: datetime
    end: datetime
    title: str | None
    all_day: bool
    room: str
    answer: str


Picture = dict[str, list[Seen]]
"""What each synced calendar shows, by the provider's id of it."""


def of_world(world: World, account: Account) -> Picture:
    """Say what an account's calendars really show."""
    picture: Picture = {}
    for entry in world.directory.entries(account):
        calendar = world.directory.calendar(entry.calendar)
        if calendar is not None and _is_synced(account, entry):
            picture[calendar.id] = _inside(
                _seen(world, calendar, account, entry), world.clock.now()
            )
    return picture


def _is_synced(account: Account, entry: Entry) -> bool:
    if entry.role == "none":
        return False
    return account.provider == "outlook" or entry.role != "freeBusyReader"


def _seen(world: World, calendar: Calendar, reader: Account, entry: Entry) -> Iterator[Seen]:
    owner = world.directory.account(calendar.provider, calendar.owner)
    assert owner is not None
    for meeting in world.state.meetings.values():
        if meeting.calendars.get(owner.key) == calendar.id and _is_held(world, meeting, owner):
            veiled = _is_veiled(entry, meeting)
            for slot, start, end in _happenings(meeting, owner, world.clock.now()):
                change = meeting.changes.get(slot, Change())
                title = meeting.title if change.title is None else change.title
                link = meeting.link if change.link is None else change.link
                own = reader is owner and calendar.primary
                yield Seen(
                    start=start,
                    end=end,
                    title=None if veiled else title,
                    all_day=meeting.all_day,
                    room="" if veiled or not link else str(room_of(link)),
                    answer=_answer(meeting, owner, slot) if own else "",
                )


def _is_held(world: World, meeting: Meeting, owner: Account) -> bool:
    guest = meeting.guest(owner.email)
    declined = owner.provider == "outlook" and guest is not None and guest.response == "declined"
    return world.holds_copy(meeting, owner) and not declined


def _is_veiled(entry: Entry, meeting: Meeting) -> bool:
    if entry.role in ("owner", "writer"):
        return False
    return entry.role == "freeBusyReader" or meeting.visibility == "private"


def _happenings(
    meeting: Meeting, owner: Account, now: datetime
) -> Iterator[tuple[str, datetime, datetime]]:
    if not meeting.recurrence:
        yield "", meeting.start, meeting.end
        return
    guest = meeting.guest(owner.email)
    for when in slots(meeting.recurrence, meeting.start, meeting.zone, all_day=meeting.all_day):
        if when > now + timedelta(days=90):
            return
        slot = slot_key(when, all_day=meeting.all_day)
        said = guest.slots.get(slot) if guest else None
        lost = owner.provider == "outlook" and said == "declined" and slot in meeting.changes
        if not lost and not meeting.changes.get(slot, Change()).cancelled:
            yield slot, *meeting.occurrence(slot)


def _answer(meeting: Meeting, owner: Account, slot: str) -> str:
    if owner.email == meeting.organizer:
        return "accepted"
    guest = meeting.guest(owner.email)
    if guest is None:
        return ""
    said = guest.slots.get(slot, guest.response)
    return _SAID.get(said, said)


async def of_rows(stage: Stage, provider: Provider, email: str) -> Picture:
    """Say what our rows hold of an account's calendars."""
    people = await stage.look("select id from calendar_users")
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        known = [each for person in people for each in await calendars.of_user(session, person)]
    events = await stage.events()
    return {
        calendar.platform_id: _inside(
            (_of_event(event, email) for event in events if event.calendar_id == calendar.id),
            stage.now,
        )
        for calendar in known
        if calendar.selected and (calendar.provider, calendar.account_id) == (provider, email)
    }


def _of_event(event: StoredEvent, email: str) -> Seen:
    del email
    content, span = event.content, event.span
    assert span is not None
    return Seen(
        start=span.start,
        end=span.end,
        title=content.title,
        all_day=span.is_all_day,
        room=str(room_of(content.meeting_url)) if content.meeting_url else "",
        answer=content.my_response or "",
    )


def _inside(seen: Iterator[Seen], now: datetime) -> list[Seen]:
    """Keep what surely lies in the window that is promised."""
    kept = []
    for each in seen:
        slack = _DATES if each.all_day else timedelta(0)
        if each.end > now - _PAST + slack and each.start < now + _FUTURE - slack:
            kept.append(each)
    return sorted(kept, key=repr)


async def differences(stage: Stage, provider: Provider, email: str) -> list[str]:
    """Say where our picture of an account is not the world's."""
    account = stage.world.directory.account(provider.value, email)
    assert account is not None
    real, ours = of_world(stage.world, account), await of_rows(stage, provider, email)
    primary = stage.world.directory.primary(account).id
    found = [f"{email}: {each} is not synced" for each in real.keys() - ours.keys()]
    found += [f"{email}: {each} is synced and not shown" for each in ours.keys() - real.keys()]
    for calendar_id in real.keys() & ours.keys():
        held = ours[calendar_id]
        if calendar_id != primary:  # on others' calendars an answer is theirs
            held = [msgspec.structs.replace(each, answer="") for each in held]
        lacks, extra = _beyond(real[calendar_id], held), _beyond(held, real[calendar_id])
        name = stage.world.state.calendars[calendar_id].name
        found += [f"{email}: {name} lacks {each}" for each in lacks]
        found += [f"{email}: {name} has {each}" for each in extra]
    return found


def _beyond(these: list[Seen], those: list[Seen]) -> list[Seen]:
    left = list(those)
    found = []
    for each in these:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found
