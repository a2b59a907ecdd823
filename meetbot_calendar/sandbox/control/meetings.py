"""Control: meetings held, moved, answered, cancelled; and rows put in as they are."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.control.people import account_of, calendar_of
from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.meetings import Guest, LinkPlace, Meeting, Response, Visibility
from meetbot_calendar.sandbox.store import Provider

Body = dict[str, Any]


class NewMeeting(msgspec.Struct, forbid_unknown_fields=True):
    """A meeting to hold; naive times are wall-clock time in ``zone``, ``end`` is exclusive."""

    organizer: str
    title: str
    start: datetime
    end: datetime
    zone: str = "UTC"
    attendees: list[Guest] = []
    link: str = ""
    link_place: LinkPlace = "auto"
    recurrence: str | list[str] = ""
    location: str = ""
    description: str = ""
    all_day: bool = False
    visibility: Visibility = "default"
    guests_hidden: bool = False
    busy: bool = True
    foreign_uid: Literal["vcal", "raw"] = "vcal"
    calendar: str = ""
    extra: dict[str, dict[str, Any]] = {}


class Move(msgspec.Struct, forbid_unknown_fields=True):
    """New times for the whole meeting, or for one occurrence."""

    start: datetime
    end: datetime
    slot: str | None = None


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """The whole meeting, or one occurrence."""

    slot: str | None = None


class NewLink(msgspec.Struct, forbid_unknown_fields=True):
    """Another join link; empty takes it away."""

    link: str
    slot: str | None = None


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """A guest's answer, to everything or to one occurrence."""

    email: str
    response: Response
    slot: str | None = None


class Edit(msgspec.Struct, forbid_unknown_fields=True):
    """Fields to change: see ``edits.edit``."""

    facts: dict[str, Any]
    slot: str | None = None


class Repeat(msgspec.Struct, forbid_unknown_fields=True):
    """Another recurrence; an empty list makes the meeting single."""

    recurrence: list[str]


class Split(msgspec.Struct, forbid_unknown_fields=True):
    """Where the new series of "this and following" begins, and what is different in it."""

    slot: str
    title: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class Holder(msgspec.Struct, forbid_unknown_fields=True):
    """Whose copy."""

    provider: Provider
    email: str


class RawEvent(msgspec.Struct, forbid_unknown_fields=True):
    """A provider's own JSON for one calendar."""

    calendar: str
    event: dict[str, Any]


class Samples(msgspec.Struct, forbid_unknown_fields=True):
    """A folder of recorded events (field ``event`` of each file) for one calendar."""

    folder: str
    calendar: str
    to_present: bool = True


@post("/meetings")
async def hold_meeting(data: JSONBody[NewMeeting], world: Here) -> Meeting:
    """Hold a meeting: every known participant gets a copy in their calendar."""
    facts = msgspec.structs.asdict(data)
    return world.add_meeting(**facts)


@post("/meetings/several")
async def hold_several(data: JSONBody[list[NewMeeting]], world: Here) -> list[str]:
    """Hold many meetings, and keep the world once; answers their ids."""
    return [world.add_meeting(**msgspec.structs.asdict(each)).id for each in data]


@get("/meetings")
async def list_meetings(world: Here) -> list[Meeting]:
    """List every meeting as the world keeps it."""
    return list(world.state.meetings.values())


@get("/meetings/{meeting_id:str}")
async def one_meeting(world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Return one meeting."""
    return world.meeting(meeting_id)


@post("/meetings/{meeting_id:str}/move")
async def move_meeting(data: JSONBody[Move], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Give it other times."""
    return edits.move(world, meeting_id, data.start, data.end, data.slot)


@post("/meetings/{meeting_id:str}/cancel")
async def cancel_meeting(data: JSONBody[Which], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Have the organiser cancel it."""
    return edits.cancel(world, meeting_id, data.slot)


@post("/meetings/{meeting_id:str}/link")
async def link_meeting(data: JSONBody[NewLink], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Give it another join link."""
    return edits.change_link(world, meeting_id, data.link, data.slot)


@post("/meetings/{meeting_id:str}/respond")
async def answer_meeting(data: JSONBody[Answer], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Answer for a guest."""
    return edits.respond(world, meeting_id, data.email, data.response, data.slot)


@post("/meetings/{meeting_id:str}/invite")
async def invite_to_meeting(
    data: JSONBody[Guest], world: Here, meeting_id: FromPath[str]
) -> Meeting:
    """Invite one more."""
    return edits.invite(world, meeting_id, data)


@post("/meetings/{meeting_id:str}/edit")
async def edit_meeting(data: JSONBody[Edit], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Change fields."""
    return edits.edit(world, meeting_id, data.slot, **data.facts)


@post("/meetings/{meeting_id:str}/repeat")
async def repeat_meeting(data: JSONBody[Repeat], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Give it another recurrence."""
    return edits.repeat(world, meeting_id, data.recurrence)


@post("/meetings/{meeting_id:str}/split")
async def split_meeting(data: JSONBody[Split], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Edit "this and following"; answers the new series."""
    given = msgspec.structs.asdict(data)
    facts = {k: v for k, v in given.items() if v is not None and k != "slot"}
    return edits.split(world, meeting_id, data.slot, **facts)


@post("/meetings/{meeting_id:str}/delete-copy")
async def delete_copy(data: JSONBody[Holder], world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Have one participant throw their copy away."""
    account = account_of(world, data.provider, data.email)
    return edits.delete_copy(world, meeting_id, account)


@post("/meetings/{meeting_id:str}/touch")
async def touch_meeting(world: Here, meeting_id: FromPath[str]) -> Meeting:
    """Count it as changed in every calendar though it is the same."""
    edits.touch(world, meeting_id)
    return world.meeting(meeting_id)


@post("/events")
async def put_event(data: JSONBody[RawEvent], world: Here) -> Body:
    """Store a provider's own JSON as it is; an id is made up where none is given."""
    calendar = calendar_of(world, data.calendar)
    row = world.raw_writers[calendar.provider](world, calendar, data.event)
    return {"id": row.id, "change": row.change}


@post("/events/remove")
async def remove_event(data: JSONBody[RawEvent], world: Here) -> Body:
    """Turn a row into a tombstone; only ``event.id`` is read."""
    calendar = calendar_of(world, data.calendar)
    return {"removed": world.rows.remove(calendar, str(data.event.get("id"))) is not None}


@post("/samples")
async def put_samples(data: JSONBody[Samples], world: Here) -> Body:
    """Load every recorded event of a folder, by default shifted to the week from today."""
    calendar = calendar_of(world, data.calendar)
    load = world.folder_loaders[calendar.provider]
    rows = load(world, Path(data.folder), calendar, to_present=data.to_present)
    return {"loaded": len(rows)}
