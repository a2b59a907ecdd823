"""What a calendar holds: accounts, calendars, events as fetched and as stored, cursors, watches."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NewType

import msgspec

from tenants.identity import CalendarUserId, TenantId

ConnectionId = NewType("ConnectionId", str)
CalendarId = NewType("CalendarId", str)
EventId = NewType("EventId", str)
WatchId = NewType("WatchId", str)


PRIMARY = "primary"
"""The id by which every account's first calendar can be named, as at Google."""


class Provider(StrEnum):
    """Whose calendars they are."""

    GOOGLE = "google"
    OUTLOOK = "outlook"


Response = Literal["accepted", "declined", "tentative", "needs_action"]
Visibility = Literal["default", "public", "private", "confidential"]
ShowAs = Literal["busy", "free", "tentative", "out_of_office", "working_elsewhere", "unknown"]
EventType = Literal[
    "default", "out_of_office", "focus_time", "working_location", "birthday", "from_gmail"
]
AccessRole = Literal["owner", "writer", "reader", "free_busy_reader"]
Platform = Literal["google_meet", "zoom", "teams", "webex", "gotomeeting", "bluejeans", "whereby"]
ConnectionStatus = Literal["active", "needs_reauth", "error"]
PushState = Literal["active", "unsupported", "lost"]


class OAuthApp(msgspec.Struct, frozen=True, kw_only=True):
    """An OAuth client at a provider: the operator's, or a tenant's own."""

    provider: Provider
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OAuthApp({self.provider}, {self.client_id}, ***)"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's consent gave us. Lives sealed; is never logged.

    ``account_key`` is whose grant it is, where the provider says so beside its tokens alone.
    ``client_secret`` came with it where it belongs to an OAuth client of its own, posted with it:
    neither the tenant's nor the operator's client could refresh it.
    """

    refresh_token: str
    access_token: str
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    account_key: str | None = None
    client_secret: str | None = None

    def __repr__(self) -> str:
        return f"Grant(***, expires_at={self.expires_at.isoformat()})"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A provider account. ``key`` never changes (Google ``sub``, Microsoft ``tid.oid``)."""

    key: str
    email: str
    name: str | None = None


class ListedCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as the provider lists it; ``hidden`` is one that its person does not look at."""

    platform_id: str
    name: str
    access_role: AccessRole
    is_primary: bool = False
    is_shared: bool = False
    hidden: bool = False
    timezone: str | None = None
    background_color: str | None = None

    @property
    def is_synced_unasked(self) -> bool:
        """Say whether it is synced without anybody's choice: it shows details, and is looked at."""
        return self.access_role != "free_busy_reader" and not self.hidden


class Window(msgspec.Struct, frozen=True):
    """The stretch of time that is synced: events that overlap ``[start, end)``."""

    start: datetime
    end: datetime


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """When an event is. Instants are UTC; ``zone`` is the IANA name in which it was made.

    An all-day event is dates, not instants: ``start`` and ``end`` (exclusive) then carry the dates
    at midnight UTC and must not be converted.
    """

    start: datetime
    end: datetime
    zone: str = "UTC"
    is_all_day: bool = False


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, as a calendar names them; ``email`` is lower case."""

    email: str | None = None
    name: str | None = None
    is_self: bool = False


class Attendee(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the guest list; ``is_resource`` marks a room."""

    email: str | None = None
    name: str | None = None
    response: Response = "needs_action"
    is_optional: bool = False
    is_organizer: bool = False
    is_self: bool = False
    is_resource: bool = False


class LinkField(msgspec.Struct, frozen=True):
    """A place where a meeting link may stand. Structured places hold a link and nothing else."""

    place: Literal[
        "conference", "online_meeting", "hangout_link", "url", "location", "description", "title"
    ]
    text: str


class MeetingLink(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting that an event names, and the place where it does."""

    url: str
    platform: Platform
    place: str


class EventContent(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says, stored sealed; the first of ``meeting_links`` is ``meeting_url``."""

    title: str | None = None
    description: str | None = None
    location: str | None = None
    organizer: Person | None = None
    attendees: tuple[Attendee, ...] = ()
    guest_list_hidden: bool = False
    my_response: Response | None = None
    visibility: Visibility = "default"
    show_as: ShowAs = "busy"
    event_type: EventType = "default"
    meeting_url: str | None = None
    meeting_links: tuple[MeetingLink, ...] = ()
    raw: dict[str, Any] = msgspec.field(default_factory=dict)


class FetchedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A single event or one occurrence, as a provider's answer was understood.

    ``series_id`` is the provider's id of the master; ``original_start`` the slot the series gave
    the occurrence (UTC; midnight UTC of the date where it is all-day). ``span`` is None where the
    provider sent no times. ``etag`` changes whenever anything does.
    """

    platform_id: str
    etag: str | None = None
    series_id: str | None = None
    original_start: datetime | None = None
    ical_uid: str | None = None
    status: Literal["confirmed", "tentative"] = "confirmed"
    span: Span | None = None
    content: EventContent
    link_fields: tuple[LinkField, ...] = ()


class RemovedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something the provider no longer shows. A ``platform_id`` of a series removes all of it.

    An occurrence that stands, but beyond the window, names the ``series_id`` that it is of.
    """

    platform_id: str
    series_id: str | None = None


class SeriesTruth(msgspec.Struct, frozen=True, kw_only=True):
    """All occurrences of one series inside the window: stored ones not named here are gone."""

    series_id: str
    platform_ids: frozenset[str]


class ChangePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of changes. ``cursor`` stands on the last page of a round alone."""

    events: tuple[FetchedEvent, ...] = ()
    removed: tuple[RemovedEvent, ...] = ()
    series: tuple[SeriesTruth, ...] = ()
    cursor: str | None = None


class WatchReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider answered when asked to push."""

    platform_watch_id: str
    resource_id: str | None
    expires_at: datetime


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's "something changed": which watch rang, and what kind of ring it was.

    ``secret`` is what the sender showed; comparing it is the receiver's duty. ``resource_id`` is
    what Google says it watches; Microsoft does not.
    """

    platform_watch_id: str
    secret: str | None
    resource_id: str | None = None
    kind: Literal["changed", "established", "missed", "removed", "reauthorize"] = "changed"

    def __repr__(self) -> str:
        return f"Notice({self.platform_watch_id}, {self.kind}, ***)"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One provider account of one calendar user. ``account_id`` is its email, lower case."""

    id: ConnectionId
    tenant_id: TenantId
    user_id: CalendarUserId
    provider: Provider
    account_id: str
    account_key: str
    name: str | None = None
    status: ConnectionStatus = "active"
    scopes: tuple[str, ...] = ()
    client_id: str
    error_code: str | None = None
    error_detail: str | None = None
    last_sync_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """One calendar of a connection, and how its syncing goes; not asked before ``held_until``."""

    id: CalendarId
    tenant_id: TenantId
    user_id: CalendarUserId
    connection_id: ConnectionId
    provider: Provider
    account_id: str
    platform_id: str
    name: str
    is_primary: bool
    is_shared: bool
    access_role: AccessRole
    timezone: str | None = None
    background_color: str | None = None
    selected: bool = True
    cursor: str | None = None
    window: Window | None = None
    last_complete_sync_at: datetime | None = None
    failures: int = 0
    error_code: str | None = None
    error_detail: str | None = None
    push: PushState = "lost"
    held_until: datetime | None = None


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it stands in our rows."""

    id: EventId
    tenant_id: TenantId
    user_id: CalendarUserId
    connection_id: ConnectionId
    calendar_id: CalendarId
    provider: Provider
    account_id: str
    platform_id: str
    series_id: str | None = None
    original_start: datetime | None = None
    ical_uid: str | None = None
    etag: str | None = None
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"
    span: Span | None = None
    platform: Platform | None = None
    content: EventContent
    is_deleted: bool = False
    created_at: datetime
    updated_at: datetime
