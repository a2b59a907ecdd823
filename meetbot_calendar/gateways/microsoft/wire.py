"""Microsoft Graph's event and calendar JSON, understood: v1.0, providers.md 6."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from meetbot_calendar.calendars import model, timezones
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.gateways.untrusted import (
    Json,
    address,
    capped,
    child,
    children,
    flag,
    text,
)

_RESPONSES: dict[str, model.Response] = {
    "organizer": "accepted",
    "accepted": "accepted",
    "declined": "declined",
    "tentativelyAccepted": "tentative",
    "notResponded": "needs_action",
}
_VISIBILITIES: dict[str, model.Visibility] = {
    "personal": "private",
    "private": "private",
    "confidential": "confidential",
}
_SHOW_AS: dict[str, model.ShowAs] = {
    "free": "free",
    "tentative": "tentative",
    "busy": "busy",
    "oof": "out_of_office",
    "workingElsewhere": "working_elsewhere",
}


def event_id(row: Json) -> str | None:
    """Return a row's id, as it is: ids differ in case and in ``-`` and ``_``."""
    return text(row, "id")


def master_id(row: Json) -> str | None:
    """Return the id of the series that a row belongs to, or is."""
    return text(row, "id") if row.get("type") == "seriesMaster" else text(row, "seriesMasterId")


def is_occurrence(row: Json) -> bool:
    """Say whether a row of a series is one happening of it, not its master."""
    return row.get("type") != "seriesMaster"


def is_removed(row: Json) -> bool:
    """Say whether a row only tells that it is gone (or was never in the window)."""
    return "@removed" in row


def is_cancelled(row: Json) -> bool:
    """Say whether its organiser called the meeting off, though the row is still there."""
    return flag(row, "isCancelled")


def joined(occurrence: Json, master: Json) -> Json:
    """Fill up the sparse row of an occurrence from its master (providers.md 6.4)."""
    inherited = {name: value for name, value in master.items() if name != "recurrence"}
    return inherited | occurrence


def read_event(row: Json, calendar: CalendarRef) -> model.FetchedEvent | None:
    """Read a full row; None where it has no id."""
    found = event_id(row)
    if found is None:
        return None
    span = span_of(row)
    return model.FetchedEvent(
        platform_id=found,
        etag=text(row, "@odata.etag") or text(row, "changeKey"),
        series_id=text(row, "seriesMasterId"),
        original_start=_original_start(row, span),
        ical_uid=text(row, "iCalUId"),
        span=span,
        content=_content(row, calendar),
        link_fields=tuple(_link_fields(row)),
    )


def listed_calendar(row: Json, owner: str | None) -> model.ListedCalendar | None:
    """Read one calendar of ``/me/calendars``; ``owner`` is the address of the account's own."""
    found = text(row, "id")
    if found is None:
        return None
    theirs = address(child(row, "owner"), "address")
    shared = None not in (owner, theirs) and theirs != owner
    editable = row.get("canEdit") is not False
    return model.ListedCalendar(
        platform_id=found,
        name=text(row, "name") or found,
        access_role="reader" if not editable else "writer" if shared else "owner",
        is_primary=flag(row, "isDefaultCalendar"),
        is_shared=shared,
        background_color=text(row, "hexColor"),
    )


def default_owner(rows: list[Json]) -> str | None:
    """Return whose the default calendar is: the account's own address."""
    default = next((row for row in rows if flag(row, "isDefaultCalendar")), {})
    return address(child(default, "owner"), "address")


def _content(row: Json, calendar: CalendarRef) -> model.EventContent:
    body = capped(_body(row))
    organizer = _organizer(row, calendar)
    people = tuple(_attendee(each, organizer, calendar) for each in children(row, "attendees"))
    veiled = _is_veiled(row)
    return model.EventContent(
        title=None if veiled else text(row, "subject"),
        description=body,
        location=text(child(row, "location"), "displayName"),
        organizer=organizer,
        attendees=people,
        guest_list_hidden=veiled or (flag(row, "hideAttendees") and not flag(row, "isOrganizer")),
        my_response=_my_response(row, people, organizer, calendar),
        visibility=_VISIBILITIES.get(text(row, "sensitivity") or "", "default"),
        show_as=_SHOW_AS.get(text(row, "showAs") or "", "unknown"),
        event_type=_event_type(row),
        raw=_raw(row, body),
    )


def _body(row: Json) -> str | None:
    return text(child(row, "body"), "content") or text(row, "bodyPreview")


def _raw(row: Json, body: str | None) -> Json:
    content = child(row, "body")
    return {**row, "body": {**content, "content": body}} if content.get("content") else row


def _organizer(row: Json, calendar: CalendarRef) -> model.Person | None:
    who = child(child(row, "organizer"), "emailAddress")
    if not who:
        return None
    email = address(who, "address")
    mine = flag(row, "isOrganizer") and not calendar.is_shared
    is_self = mine or email == calendar.account_id
    return model.Person(email=email, name=text(who, "name"), is_self=is_self)


def _attendee(row: Json, organizer: model.Person | None, calendar: CalendarRef) -> model.Attendee:
    who = child(row, "emailAddress")
    email = address(who, "address")
    status = text(child(row, "status"), "response") or ""
    return model.Attendee(
        email=email,
        name=text(who, "name"),
        response=_RESPONSES.get(status, "needs_action"),
        is_optional=row.get("type") == "optional",
        is_organizer=organizer is not None and email is not None and email == organizer.email,
        is_self=email == calendar.account_id,
        is_resource=row.get("type") == "resource",
    )


def _my_response(
    row: Json,
    people: tuple[model.Attendee, ...],
    organizer: model.Person | None,
    calendar: CalendarRef,
) -> model.Response | None:
    """Return the account's own answer.

    On a calendar that another person shares, ``responseStatus`` is that person's.
    """
    if organizer is not None and organizer.is_self:
        return "accepted"
    if calendar.is_shared:
        return next((each.response for each in people if each.is_self), None)
    return _RESPONSES.get(text(child(row, "responseStatus"), "response") or "")


def _is_veiled(row: Json) -> bool:
    """Say whether the row is only a shape in time: a private item of another person.

    Its title ("Private Appointment", "Busy") is then Outlook's, not the meeting's.
    """
    private = row.get("sensitivity") in ("private", "confidential", "personal")
    return private and not child(row, "organizer") and not children(row, "attendees")


def _event_type(row: Json) -> model.EventType:
    """Return what kind of entry it is: alone and away is no meeting (providers.md 9)."""
    if children(row, "attendees") or flag(row, "isOnlineMeeting"):
        return "default"
    kinds: dict[str, model.EventType] = {
        "oof": "out_of_office",
        "workingElsewhere": "working_location",
    }
    return kinds.get(text(row, "showAs") or "", "default")


def _link_fields(row: Json) -> Iterator[model.LinkField]:
    """Yield where a join link may stand, surest places first."""
    if join := text(child(row, "onlineMeeting"), "joinUrl"):
        yield model.LinkField("online_meeting", join)
    if url := text(row, "onlineMeetingUrl"):
        yield model.LinkField("url", url)
    for place in _places(row):
        yield model.LinkField("location", place)
    if body := capped(_body(row)):
        yield model.LinkField("description", body)
    if title := text(row, "subject"):
        yield model.LinkField("title", title)


def _places(row: Json) -> list[str]:
    places = [child(row, "location"), *children(row, "locations")]
    found = [text(place, name) for place in places for name in ("displayName", "locationUri")]
    return list(dict.fromkeys(place for place in found if place))


def span_of(row: Json) -> model.Span | None:
    """Return when the event is; None where its start is missing or no time at all.

    An all-day event is midnight to midnight in whatever zone was asked for: only its dates count.
    """
    start, end = child(row, "start"), child(row, "end")
    begins, ends = text(start, "dateTime"), text(end, "dateTime")
    zone = _zone(row)
    if begins is None:
        return None
    try:
        if flag(row, "isAllDay"):
            return timezones.date_span(begins, ends, zone)
        first = timezones.parse_instant(begins, text(start, "timeZone"))
        last = timezones.parse_instant(ends, text(end, "timeZone")) if ends else first
    except ValueError:
        return None
    return model.Span(start=first, end=max(first, last), zone=zone)


def _zone(row: Json) -> str:
    made_in = text(row, "originalStartTimeZone")
    return timezones.zone_name(made_in or text(child(row, "start"), "timeZone"))


def _original_start(row: Json, span: model.Span | None) -> datetime | None:
    """Return the slot: ``originalStart``, which plain occurrences may lack for their own start."""
    if text(row, "seriesMasterId") is None:
        return None
    stated = text(row, "originalStart")
    if stated is None or row.get("type") == "occurrence":
        return span.start if span and row.get("type") == "occurrence" else None
    try:
        slot = timezones.parse_instant(stated)
        return _midnight(slot, _zone(row)) if flag(row, "isAllDay") else slot
    except (ValueError, OverflowError):
        return None


def _midnight(slot: datetime, zone: str) -> datetime:
    """Return midnight UTC of an all-day slot's date, which may come as midnight of its zone."""
    local = slot if slot.time() == time() else timezones.to_local(slot, zone)
    day = (local.replace(tzinfo=None) + timedelta(hours=12)).date()
    return timezones.date_span(day).start
