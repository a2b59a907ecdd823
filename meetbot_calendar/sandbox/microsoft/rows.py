"""Writes a meeting into an Outlook calendar: its item, or a master with its exceptions.

A stored body is Graph's own JSON without what changes at every touch (``id``, ``changeKey``,
``@odata.etag``, ``lastModifiedDateTime``: those are made from the row when it is shown). A master
lists the occurrences it lost in ``cancelledOccurrences``; the others are expanded when read.
"""

from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from meetbot_calendar.sandbox import uids
from meetbot_calendar.sandbox.meetings import Change, Meeting, Response, slot_start
from meetbot_calendar.sandbox.microsoft import names, patterns, zones
from meetbot_calendar.sandbox.microsoft.contents import contents
from meetbot_calendar.sandbox.microsoft.people import attendees, my_answer, person
from meetbot_calendar.sandbox.store import Account, Calendar
from meetbot_calendar.sandbox.world import World

_SENSITIVITY = {
    "default": "normal",
    "public": "normal",
    "private": "private",
    "confidential": "confidential",
}


def write_copy(world: World, calendar: Calendar, meeting: Meeting) -> None:
    """Bring one Outlook calendar's rows of a meeting in line with it (a ``CopyWriter``)."""
    account = world.directory.account("outlook", calendar.owner)
    wanted = _wanted(calendar, account, meeting) if account else {}
    for row_id, body in wanted.items():
        world.rows.put(calendar, row_id, body, meeting.id)
    held = [r for r in calendar.rows.values() if r.meeting == meeting.id and not r.removed]
    for row in held:
        if row.id not in wanted:
            world.rows.remove(calendar, row.id)


def _wanted(calendar: Calendar, account: Account, meeting: Meeting) -> dict[str, dict[str, Any]]:
    if _thrown_away(account, meeting):
        return {}
    row_id = names.event_id(calendar.id, meeting.id)
    item = _item(account, meeting, Change(), None)
    item |= _times(meeting, meeting.start, meeting.end)
    if not meeting.recurrence:
        return {row_id: item | {"iCalUId": _shown_uid(meeting, None)}}
    found = {row_id: item | _series_part(account, meeting, row_id)}
    for slot, change in sorted(meeting.changes.items()):
        if not _is_lost(account, meeting, slot) and _differs(account, meeting, slot, change):
            day = _local_day(meeting, slot_start(slot))
            exception = _exception(account, meeting, slot, row_id)
            found[names.occurrence_id(row_id, day)] = exception
    return found


def _thrown_away(account: Account, meeting: Meeting) -> bool:
    """Tell whether this copy is gone.

    A cancelled meeting stays with its guests, marked, until they remove it; a declined one goes,
    unless the person chose to keep such.
    """
    if account.key in meeting.removed_for:
        return True
    if account.email == meeting.organizer:
        return meeting.cancelled
    guest = meeting.guest(account.email)
    declined = guest is not None and guest.response == "declined"
    return guest is None or (declined and not account.detail.get("keeps_declined"))


def _item(account: Account, meeting: Meeting, change: Change, slot: str | None) -> dict[str, Any]:
    mine = account.email == meeting.organizer
    answer = my_answer(account, meeting, slot)
    title = meeting.title if change.title is None else change.title
    zone = zones.windows_name(meeting.zone)
    return {
        "createdDateTime": zones.write_instant(meeting.created_at),
        "categories": [],
        "transactionId": None,
        "originalStartTimeZone": zone,
        "originalEndTimeZone": zone,
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": True,
        "hasAttachments": False,
        "subject": f"Canceled: {title}" if meeting.cancelled else title,
        "importance": "normal",
        "sensitivity": _SENSITIVITY[meeting.visibility],
        "isAllDay": meeting.all_day,
        "isCancelled": meeting.cancelled,
        "isOrganizer": mine,
        "responseRequested": True,
        "seriesMasterId": None,
        "showAs": _show_as(meeting, answer, mine=mine),
        "type": "singleInstance",
        "webLink": f"https://outlook.office365.com/owa/?itemid={meeting.id}&path=/calendar/item",
        "allowNewTimeProposals": True,
        "isDraft": False,
        "hideAttendees": meeting.guests_hidden,
        "recurrence": None,
        "responseStatus": {"response": answer, "time": _answered_at(meeting, answer)},
        "attendees": attendees(account, meeting, slot),
        "organizer": person(meeting.organizer, meeting.organizer_name),
        **_words(meeting, change),
        **meeting.extra.get("outlook", {}),
    }


def _words(meeting: Meeting, change: Change) -> dict[str, Any]:
    return contents(
        meeting,
        meeting.link if change.link is None else change.link,
        meeting.location if change.location is None else change.location,
        meeting.description if change.description is None else change.description,
    )


def _series_part(account: Account, meeting: Meeting, row_id: str) -> dict[str, Any]:
    rule = next(li for li in meeting.recurrence if li.upper().startswith("RRULE"))
    local = meeting.start.astimezone(_zone(meeting))
    lost = {d for li in meeting.recurrence for d in _excluded(li, meeting)}
    for slot in meeting.changes:
        if _is_lost(account, meeting, slot):
            lost.add(_local_day(meeting, slot_start(slot)))
    return {
        "type": "seriesMaster",
        "iCalUId": _shown_uid(meeting, None),
        "recurrence": patterns.from_rrule(rule, local, meeting.zone),
        "cancelledOccurrences": [names.cancelled_oid(row_id, day) for day in sorted(lost)],
    }


def _exception(account: Account, meeting: Meeting, slot: str, master: str) -> dict[str, Any]:
    start, end = meeting.occurrence(slot)
    return {
        **_item(account, meeting, meeting.changes[slot], slot),
        **_times(meeting, start, end),
        "type": "exception",
        "seriesMasterId": master,
        "originalStart": zones.write_seconds(slot_start(slot)),
        "iCalUId": _shown_uid(meeting, _local_day(meeting, slot_start(slot))),
    }


def _times(meeting: Meeting, start: datetime, end: datetime) -> dict[str, Any]:
    if meeting.all_day:
        return {
            "start": zones.write_date(start.date(), "UTC"),
            "end": zones.write_date(end.date(), "UTC"),
        }
    zone = zones.windows_name(meeting.zone)
    return {"start": zones.write_wall(start, zone), "end": zones.write_wall(end, zone)}


def _shown_uid(meeting: Meeting, day: date | None) -> str:
    """Return the iCalUId (6.6): an occurrence's holds its date; a foreign uid comes wrapped."""
    uid = meeting.uid
    if not uids.is_global_object_id(uid):
        if meeting.foreign_uid == "raw":
            return uid
        uid = uids.wrapped(uid)
    return uids.for_instance(uid, day) if day else uid


def _is_lost(account: Account, meeting: Meeting, slot: str) -> bool:
    answer = _slot_answer(account, meeting, slot)
    declined = answer == "declined" and not account.detail.get("keeps_declined")
    return meeting.changes[slot].cancelled or declined


def _differs(account: Account, meeting: Meeting, slot: str, change: Change) -> bool:
    """Tell whether the occurrence is an exception here: answers of others show to the organiser."""
    own = (change.start, change.end, change.title, change.link, change.location, change.description)
    if any(value is not None for value in own):
        return True
    mine = account.email == meeting.organizer
    return change.answered and (mine or _slot_answer(account, meeting, slot) is not None)


def _slot_answer(account: Account, meeting: Meeting, slot: str) -> Response | None:
    guest = meeting.guest(account.email)
    return guest.slots.get(slot) if guest else None


def _show_as(meeting: Meeting, answer: str, *, mine: bool) -> str:
    if not meeting.busy or meeting.cancelled:
        return "free"
    unsure = answer in ("notResponded", "tentativelyAccepted")
    return "tentative" if unsure and not mine else "busy"


def _answered_at(meeting: Meeting, answer: str) -> str:
    never = answer in ("none", "notResponded", "organizer")
    return "0001-01-01T00:00:00Z" if never else zones.write_seconds(meeting.created_at)


def _excluded(line: str, meeting: Meeting) -> list[date]:
    name, _, value = line.partition(":")
    if not name.upper().startswith("EXDATE"):
        return []
    return [_stamp_day(text.strip(), meeting) for text in value.split(",")]


def _stamp_day(stamp: str, meeting: Meeting) -> date:
    moment = datetime.fromisoformat(stamp)
    return _local_day(meeting, moment) if moment.tzinfo else moment.date()


def _local_day(meeting: Meeting, moment: datetime) -> date:
    return moment.astimezone(_zone(meeting)).date()


def _zone(meeting: Meeting) -> tzinfo:
    return UTC if meeting.all_day else ZoneInfo(meeting.zone)
