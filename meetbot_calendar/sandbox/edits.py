"""How meetings change after they were made: moved, cancelled, answered, split, given another link.

Each function edits the meeting and writes every copy. ``slot`` names one occurrence
(``meetings.slot_key``); None means the whole meeting or series.
"""

from datetime import datetime, timedelta
from typing import Any

from meetbot_calendar.sandbox import uids
from meetbot_calendar.sandbox.meetings import (
    Guest,
    Meeting,
    Response,
    instant,
    slot_start,
)
from meetbot_calendar.sandbox.recurrence import check, slots
from meetbot_calendar.sandbox.store import Account
from meetbot_calendar.sandbox.world import World

_OF_AN_OCCURRENCE = ("title", "link", "location", "description")


def edit(world: World, meeting_id: str, slot: str | None = None, **facts: Any) -> Meeting:  # noqa: ANN401 - fields of Meeting
    """Change fields: any of the meeting; title, link, location, description of an occurrence."""
    meeting = world.meeting(meeting_id)
    target = meeting.change(slot) if slot else meeting
    for name, value in facts.items():
        if slot and name not in _OF_AN_OCCURRENCE:
            raise ValueError(f"an occurrence has no {name} of its own here")
        if not hasattr(target, name):
            raise ValueError(f"a meeting has no {name}")
        setattr(target, name, value)
    return _written(world, meeting)


def move(
    world: World, meeting_id: str, start: datetime, end: datetime, slot: str | None = None
) -> Meeting:
    """Give a meeting, a series or one occurrence other times; naive means in its zone.

    A series that moves keeps only those changes whose slot it still has, as calendars do.
    """
    meeting = world.meeting(meeting_id)
    starts = instant(start, meeting.zone, all_day=meeting.all_day)
    ends = instant(end, meeting.zone, all_day=meeting.all_day)
    if slot:
        change = meeting.change(slot)
        change.start, change.end = starts, ends
        change.sequence += 1
    else:
        meeting.start, meeting.end = starts, ends
        meeting.sequence += 1
        _drop_lost_changes(meeting)
    return _written(world, meeting)


def repeat(world: World, meeting_id: str, recurrence: list[str]) -> Meeting:
    """Give a meeting another recurrence; none makes it single."""
    meeting = world.meeting(meeting_id)
    check(recurrence, meeting.start, meeting.zone, all_day=meeting.all_day)
    meeting.recurrence = recurrence
    if not recurrence:
        meeting.changes.clear()  # what is single has no occurrences that differ
    _drop_lost_changes(meeting)
    meeting.sequence += 1
    return _written(world, meeting)


def cancel(world: World, meeting_id: str, slot: str | None = None) -> Meeting:
    """Have the organiser cancel a meeting, a series or one occurrence."""
    meeting = world.meeting(meeting_id)
    if slot:
        meeting.change(slot).cancelled = True
    else:
        meeting.cancelled = True
        meeting.sequence += 1
    return _written(world, meeting)


def change_link(world: World, meeting_id: str, link: str, slot: str | None = None) -> Meeting:
    """Give a meeting or one occurrence another join link; an empty one takes it away."""
    return edit(world, meeting_id, slot, link=link)


def respond(
    world: World, meeting_id: str, email: str, response: Response, slot: str | None = None
) -> Meeting:
    """Record a guest's answer, to everything or to one occurrence."""
    meeting = world.meeting(meeting_id)
    guest = meeting.guest(email)
    if guest is None:
        raise ValueError(f"{email} is not invited")
    if slot:
        guest.slots[slot] = response
        meeting.change(slot).answered = True
    else:
        guest.response = response
    return _written(world, meeting)


def invite(world: World, meeting_id: str, guest: Guest) -> Meeting:
    """Invite one more person or room."""
    meeting = world.meeting(meeting_id)
    meeting.guests.append(guest)
    return _written(world, meeting)


def delete_copy(world: World, meeting_id: str, account: Account) -> Meeting:
    """Have one participant throw away their own copy; the others keep theirs."""
    meeting = world.meeting(meeting_id)
    if account.key not in meeting.removed_for:
        meeting.removed_for.append(account.key)
    return _written(world, meeting)


def touch(world: World, meeting_id: str) -> None:
    """Count every copy's first row as changed, though nothing in it is different."""
    meeting = world.meeting(meeting_id)
    for account in world.participants(meeting):
        calendar = world.calendar_of(meeting, account)
        rows = [r for r in calendar.rows.values() if r.meeting == meeting.id and not r.removed]
        for row in rows[:1]:
            world.rows.touch(calendar, row.id)


def split(world: World, meeting_id: str, slot: str, **facts: Any) -> Meeting:  # noqa: ANN401 - fields of Meeting
    """Edit "this and following": the old series ends before ``slot``, a new one starts there.

    The new one has an id with ``_R`` in it and a uid of its own; nothing links the two.
    """
    old = world.meeting(meeting_id)
    length = old.end - old.start
    begins = slot_start(slot)
    new_id = f"{old.id}_R{slot.rstrip('Z')}"
    outlook = old.organizer_provider == "outlook"
    new = world.add_meeting(
        old.organizer,
        facts.pop("title", old.title),
        facts.pop("start", begins),
        facts.pop("end", begins + length),
        old.zone,
        attendees=[Guest(email=g.email, name=g.name, response=g.response) for g in old.guests],
        all_day=old.all_day,
        recurrence=facts.pop("recurrence", old.recurrence),
        id=new_id,
        uid=uids.new_global_object_id(world.clock.now()) if outlook else uids.google_uid(new_id),
        **{"link": old.link, "location": old.location, "description": old.description} | facts,
    )
    until = (begins - timedelta(seconds=1)).strftime("%Y%m%dT%H%M%SZ")
    repeat(world, meeting_id, [_until(line, until) for line in old.recurrence])
    return new


def _until(line: str, until: str) -> str:
    if not line.upper().startswith("RRULE"):
        return line
    kept = [p for p in line.split(";") if not p.upper().startswith(("UNTIL=", "COUNT="))]
    return ";".join([*kept, f"UNTIL={until}"])


def _drop_lost_changes(meeting: Meeting) -> None:
    if not meeting.changes:
        return
    last = max(slot_start(slot) for slot in meeting.changes)
    kept = set()
    for when in slots(meeting.recurrence, meeting.start, meeting.zone, all_day=meeting.all_day):
        if when > last:
            break
        kept.add(when)
    meeting.changes = {s: c for s, c in meeting.changes.items() if slot_start(s) in kept}


def _written(world: World, meeting: Meeting) -> Meeting:
    meeting.updated_at = world.clock.now()
    world.write(meeting)
    return meeting
