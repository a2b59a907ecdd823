"""Writes a meeting into a Google calendar: its master or single row, exceptions and cancels."""

import hashlib
import re
from datetime import datetime
from typing import Any

from meetbot_calendar.sandbox.google import times
from meetbot_calendar.sandbox.meetings import Change, Guest, Meeting, slot_start
from meetbot_calendar.sandbox.store import Account, Calendar
from meetbot_calendar.sandbox.world import World

Body = dict[str, Any]

_ANSWERS = {
    "none": "needsAction",
    "accepted": "accepted",
    "declined": "declined",
    "tentative": "tentative",
}
_MEET = re.compile(r"https://meet\.google\.com/([a-z-]+)")


def write_copy(world: World, calendar: Calendar, meeting: Meeting) -> None:
    """Bring the calendar's rows of one meeting in line with it (world.CopyWriter)."""
    owner = world.directory.account("google", calendar.owner)
    wanted: dict[str, Body] = {}
    if owner and world.holds_copy(meeting, owner):
        wanted = rows_of(meeting, calendar, owner)
    for row_id, body in wanted.items():
        world.rows.put(calendar, row_id, body, meeting.id)
    for row in list(calendar.rows.values()):
        if row.meeting == meeting.id and row.id not in wanted:
            world.rows.remove(calendar, row.id)


def rows_of(meeting: Meeting, calendar: Calendar, owner: Account) -> dict[str, Body]:
    """Return every row of this meeting as this calendar stores it, by row id."""
    row_id = event_id(meeting)
    rows = {row_id: _body(meeting, Change(), "", calendar, owner)}
    if meeting.recurrence:
        rows[row_id]["recurrence"] = list(meeting.recurrence)
    for slot, change in meeting.changes.items():
        link = _series_part(meeting, row_id, slot)
        body = {"status": "cancelled"}
        if not change.cancelled:
            body = _body(meeting, change, slot, calendar, owner)
        rows[instance_id(row_id, slot)] = body | link
    return rows


def event_id(meeting: Meeting) -> str:
    """Return the row id: the meeting's own, or one with ``_`` in front if it was imported."""
    if meeting.organizer_provider == "google":
        return meeting.id
    return "_" + hashlib.sha256(meeting.uid.encode()).hexdigest()[:26]


def instance_id(master_id: str, slot: str) -> str:
    """Return the id of a series' occurrence."""
    return f"{master_id}_{slot}"


def _series_part(meeting: Meeting, row_id: str, slot: str) -> Body:
    original = _times(meeting, slot_start(slot))
    return {"recurringEventId": row_id, "originalStartTime": original}


def _body(meeting: Meeting, change: Change, slot: str, calendar: Calendar, owner: Account) -> Body:
    start, end = meeting.occurrence(slot) if slot else (meeting.start, meeting.end)
    title = meeting.title if change.title is None else change.title
    body: Body = {
        "status": "confirmed",
        "created": times.stamp(meeting.created_at),
        "creator": _person(meeting.creator or meeting.organizer, "", owner),
        "organizer": _organizer(meeting, calendar),
        "start": _times(meeting, start),
        "end": _times(meeting, end),
        "iCalUID": meeting.uid,
        "sequence": meeting.sequence + change.sequence,
        "reminders": {"useDefault": True},
        "eventType": "default",
    }
    if title:
        body["summary"] = title
    if not meeting.busy:
        body["transparency"] = "transparent"
    if meeting.visibility != "default":
        body["visibility"] = meeting.visibility
    body |= _place(meeting, change) | _guests(meeting, slot, owner)
    return body | meeting.extra.get("google", {})


def _times(meeting: Meeting, when: datetime) -> times.Times:
    return times.dated(when) if meeting.all_day else times.timed(when, meeting.zone)


def _person(email: str, name: str, owner: Account) -> Body:
    person: Body = {"email": email}
    if name:
        person["displayName"] = name
    if email == owner.email:
        person["self"] = True
    return person


def _organizer(meeting: Meeting, calendar: Calendar) -> Body:
    person: Body = {"email": meeting.organizer, "displayName": meeting.organizer_name}
    if meeting.organizer == calendar.id:
        person["self"] = True
    return person


def _guests(meeting: Meeting, slot: str, owner: Account) -> Body:
    if not meeting.guests:
        return {}
    listed = [_attendee(g, slot, meeting, owner) for g in meeting.guests]
    if meeting.guest(meeting.organizer) is None and not meeting.creator:
        host = Guest(email=meeting.organizer, name=meeting.organizer_name, response="accepted")
        listed.insert(0, _attendee(host, slot, meeting, owner))
    if not meeting.guests_hidden:
        return {"attendees": listed}
    if meeting.organizer == owner.email:
        return {"attendees": listed, "guestsCanSeeOtherGuests": False}
    mine = [row for row in listed if row.get("self")]
    return {"attendees": mine, "attendeesOmitted": True, "guestsCanSeeOtherGuests": False}


def _attendee(guest: Guest, slot: str, meeting: Meeting, owner: Account) -> Body:
    row = _person(guest.email.lower(), guest.name, owner)
    row["responseStatus"] = _ANSWERS[guest.slots.get(slot, guest.response)]
    flags = {
        "organizer": guest.email.lower() == meeting.organizer,
        "optional": guest.optional,
        "resource": guest.resource,
    }
    return row | {name: True for name, raised in flags.items() if raised}


def _place(meeting: Meeting, change: Change) -> Body:
    """Put the join link where the meeting's maker would have: add-on, location or text."""
    link = meeting.link if change.link is None else change.link
    location = meeting.location if change.location is None else change.location
    text = meeting.description if change.description is None else change.description
    place = meeting.link_place
    meet = _MEET.match(link)
    if place == "auto":
        place = "conference" if meet else "location"
    found: Body = {}
    if link and place == "conference":
        found = _conference(link, meet[1] if meet else "")
    elif link and place == "location":
        location = f"{location}, {link}" if location else link
    elif link:
        text = f"{text}\n\n{link}" if text else f"Join: {link}"
    return found | {k: v for k, v in (("location", location), ("description", text)) if v}


def _conference(link: str, meet_code: str) -> Body:
    label = link.removeprefix("https://")
    entry = {"entryPointType": "video", "uri": link, "label": label}
    solution = {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"}
    if not meet_code:
        solution = {"key": {"type": "addOn"}, "name": "Video conference"}
    data: Body = {"entryPoints": [entry], "conferenceSolution": solution}
    if not meet_code:
        return {"conferenceData": data}
    return {"hangoutLink": link, "conferenceData": data | {"conferenceId": meet_code}}
