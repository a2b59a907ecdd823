"""Google's event and calendar JSON, understood: Calendar API v3, providers.md 2."""

import logging
from collections.abc import Iterator
from datetime import datetime

import msgspec

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

_log = logging.getLogger(__name__)

_RESPONSES: dict[str, model.Response] = {
    "accepted": "accepted",
    "declined": "declined",
    "tentative": "tentative",
}
_VISIBILITIES: dict[str, model.Visibility] = {
    "public": "public",
    "private": "private",
    "confidential": "confidential",
}
_EVENT_TYPES: dict[str, model.EventType] = {
    "outOfOffice": "out_of_office",
    "focusTime": "focus_time",
    "workingLocation": "working_location",
    "birthday": "birthday",
    "fromGmail": "from_gmail",
}
_ROLES: dict[str, model.AccessRole] = {
    "owner": "owner",
    "writer": "writer",
    "writerWithoutPrivateAccess": "writer",
    "freeBusyReader": "free_busy_reader",
}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of the calendar to understand its rows.

    ``role`` is the listing's ``accessRole``, ``zone`` its ``timeZone``.
    """

    calendar: CalendarRef
    role: str = ""
    zone: str = "UTC"

    @property
    def stranger(self) -> str | None:
        """Return the address whose ``self`` marks are not the account's own.

        On a calendar that another person shares, ``self`` means that person (providers.md 2.4).
        """
        owner = self.calendar.platform_id.lower()
        own = self.calendar.is_primary or owner in (self.calendar.account_id, "primary")
        return None if own or owner.endswith("@group.calendar.google.com") else owner


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of ``events.list``; exactly one of the tokens stands."""

    events: tuple[model.FetchedEvent, ...]
    removed: tuple[model.RemovedEvent, ...]
    page_token: str | None
    sync_token: str | None


def event_page(body: Json, calendar: CalendarRef) -> EventPage:
    """Read one page of events; rows without an id are left out."""
    setting = Setting(
        calendar=calendar,
        role=text(body, "accessRole") or "",
        zone=timezones.zone_name(text(body, "timeZone")),
    )
    rows = [read_event(row, setting) for row in children(body, "items")]
    if skipped := rows.count(None):
        _log.warning("google sent %d events without an id", skipped)
    return EventPage(
        events=tuple(row for row in rows if isinstance(row, model.FetchedEvent)),
        removed=tuple(row for row in rows if isinstance(row, model.RemovedEvent)),
        page_token=text(body, "nextPageToken"),
        sync_token=text(body, "nextSyncToken"),
    )


def read_event(row: Json, setting: Setting) -> model.FetchedEvent | model.RemovedEvent | None:
    """Read one row; None where it has no id.

    A cancelled master has no ``recurringEventId`` and removes its series by its own id.
    """
    event_id = text(row, "id")
    if event_id is None:
        return None
    if row.get("status") == "cancelled":
        return model.RemovedEvent(platform_id=event_id)
    return model.FetchedEvent(
        platform_id=event_id,
        etag=text(row, "etag"),
        series_id=text(row, "recurringEventId"),
        original_start=original_start(row, setting.zone),
        ical_uid=text(row, "iCalUID"),
        status="tentative" if row.get("status") == "tentative" else "confirmed",
        span=span_of(row, setting.zone),
        content=_content(row, setting),
        link_fields=tuple(_link_fields(row)),
    )


def listed_calendar(row: Json) -> model.ListedCalendar | None:
    """Read one entry of ``calendarList``; None for one without an id, or a deleted one."""
    calendar_id = text(row, "id")
    if calendar_id is None or flag(row, "deleted"):
        return None
    role = _ROLES.get(text(row, "accessRole") or "", "reader")
    primary = flag(row, "primary")
    return model.ListedCalendar(
        platform_id=calendar_id,
        name=text(row, "summaryOverride") or text(row, "summary") or calendar_id,
        access_role=role,
        is_primary=primary,
        is_shared=not primary and role != "owner",
        hidden=flag(row, "hidden"),
        timezone=timezones.zone_name(text(row, "timeZone")) if text(row, "timeZone") else None,
        background_color=text(row, "backgroundColor"),
    )


def _content(row: Json, setting: Setting) -> model.EventContent:
    description = capped(text(row, "description"))
    people = tuple(_attendee(each, setting) for each in children(row, "attendees"))
    kind = _EVENT_TYPES.get(text(row, "eventType") or "", "default")
    return model.EventContent(
        title=text(row, "summary"),
        description=description,
        location=text(row, "location"),
        organizer=_person(child(row, "organizer"), setting),
        attendees=people,
        guest_list_hidden=_guests_hidden(row, setting),
        my_response=_my_response(row, people, setting),
        visibility=_VISIBILITIES.get(text(row, "visibility") or "", "default"),
        show_as=_show_as(row, kind),
        event_type=kind,
        raw=row if description is None else {**row, "description": description},
    )


def _person(row: Json, setting: Setting) -> model.Person | None:
    if not row:
        return None
    return model.Person(
        email=address(row, "email"), name=text(row, "displayName"), is_self=_is_self(row, setting)
    )


def _attendee(row: Json, setting: Setting) -> model.Attendee:
    return model.Attendee(
        email=address(row, "email"),
        name=text(row, "displayName"),
        response=_RESPONSES.get(text(row, "responseStatus") or "", "needs_action"),
        is_optional=flag(row, "optional"),
        is_organizer=flag(row, "organizer"),
        is_self=_is_self(row, setting),
        is_resource=flag(row, "resource"),
    )


def _is_self(row: Json, setting: Setting) -> bool:
    email = address(row, "email")
    if email == setting.calendar.account_id:
        return True
    return flag(row, "self") and (setting.stranger is None or email != setting.stranger)


def _my_response(
    row: Json, people: tuple[model.Attendee, ...], setting: Setting
) -> model.Response | None:
    """Return the account's own answer: its row's, or yes to an appointment of its own."""
    mine = next((each.response for each in people if each.is_self), None)
    organizer = child(row, "organizer")
    own = not people and _is_self(organizer, setting) and setting.role in ("owner", "writer", "")
    return "accepted" if mine is None and own else mine


def _guests_hidden(row: Json, setting: Setting) -> bool:
    organizer = child(row, "organizer")
    if flag(row, "attendeesOmitted") or setting.role == "freeBusyReader":
        return True
    if row.get("guestsCanSeeOtherGuests") is False and not _is_self(organizer, setting):
        return True
    skeleton = not organizer and text(row, "summary") is None and "attendees" not in row
    return skeleton and row.get("visibility") in ("private", "confidential")


def _show_as(row: Json, kind: model.EventType) -> model.ShowAs:
    if kind == "out_of_office":
        return "out_of_office"
    if kind == "working_location":
        return "working_elsewhere"
    return "free" if row.get("transparency") == "transparent" else "busy"


def _link_fields(row: Json) -> Iterator[model.LinkField]:
    """Yield where a join link may stand, surest places first."""
    for entry in children(child(row, "conferenceData"), "entryPoints"):
        uri = text(entry, "uri")
        if uri and entry.get("entryPointType") == "video":
            yield model.LinkField("conference", uri)
    if hangout := text(row, "hangoutLink"):
        yield model.LinkField("hangout_link", hangout)
    if location := text(row, "location"):
        yield model.LinkField("location", location)
    if description := capped(text(row, "description")):
        yield model.LinkField("description", description)
    if title := text(row, "summary"):
        yield model.LinkField("title", title)


def span_of(row: Json, zone: str) -> model.Span | None:
    """Return when the event is; None where its start is missing or no time at all."""
    start, end = child(row, "start"), child(row, "end")
    try:
        if day := text(start, "date"):
            return timezones.date_span(day, text(end, "date"), text(start, "timeZone") or zone)
        begins = _instant(start, zone)
        ends = _instant(end, zone) or begins
    except ValueError:
        return None
    if begins is None or ends is None:
        return None
    own = timezones.zone_name(text(start, "timeZone") or zone)
    return model.Span(start=begins, end=max(begins, ends), zone=own)


def _instant(times: Json, zone: str) -> datetime | None:
    found = text(times, "dateTime")
    return timezones.parse_instant(found, text(times, "timeZone") or zone) if found else None


def original_start(row: Json, zone: str) -> datetime | None:
    """Return the slot that its series gave an occurrence."""
    slot = child(row, "originalStartTime")
    try:
        day = text(slot, "date")
        return timezones.date_span(day).start if day else _instant(slot, zone)
    except ValueError:
        return None
