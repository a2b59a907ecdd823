import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from meetbot_calendar.calendars.model import (
    ChangePage,
    FetchedEvent,
    Grant,
    LinkField,
    Notice,
    Provider,
    RemovedEvent,
    SeriesTruth,
    WatchReceipt,
    Window,
)
from meetbot_calendar.calendars.provider import CalendarRef
from meetbot_calendar.errors import (
    AccessExpired,
    CalendarGone,
    CursorExpired,
    GiveUp,
    InstallationFault,
    MeetbotError,
    PushUnsupported,
    ReconnectNeeded,
    Tampered,
    TryLater,
    WatchStands,
)
from meetbot_calendar.gateways.microsoft.client import MicrosoftProvider
from meetbot_calendar.gateways.microsoft.faults import api_fault
from meetbot_calendar.gateways.rounds import Limits
from meetbot_calendar.gateways.transport import Answer, Transport, open_transport
from meetbot_calendar.sandbox import edits
from meetbot_calendar.sandbox.faults import ALWAYS
from meetbot_calendar.sandbox.grants import Token
from meetbot_calendar.sandbox.meetings import Guest, Meeting, slot_key
from meetbot_calendar.sandbox.store import Calendar, Role
from tests.gateways.far_ends import ANN, BOB, EVE, NOW, WINDOW, Site, standing, whole
from tests.loopback import Heard, answer, listening, says

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "microsoft"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SCOPES = ("User.Read", "Calendars.Read", "Calendars.Read.Shared")
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc%40thread.v2/0?context=x"


class Microsoft(msgspec.Struct, kw_only=True):
    """Ann's grant, and our client of the sandbox's Graph."""

    site: Site
    transport: Transport
    grant: Grant

    def provider(self, **options: Any) -> MicrosoftProvider:
        url = f"{self.site.url}/microsoft/graph/v1.0"
        return MicrosoftProvider(self.transport, graph_url=url, **options)

    async def round(
        self,
        cursor: str | None = None,
        *,
        calendar: CalendarRef | None = None,
        window: Window = WINDOW,
        **options: Any,
    ) -> ChangePage:
        pages = self.provider(**options).changes(
            self.grant, calendar or self.own(), cursor=cursor, window=window
        )
        return await whole(pages)

    def calendar(self, email: str = ANN) -> Calendar:
        account = self.site.world.directory.account("outlook", email)
        assert account is not None
        return self.site.world.directory.primary(account)

    def own(self) -> CalendarRef:
        return CalendarRef(platform_id=self.calendar().id, account_id=ANN, is_primary=True)

    def shared(self, email: str, role: Role) -> CalendarRef:
        ann = self.site.world.directory.account("outlook", ANN)
        assert ann is not None
        self.site.world.directory.share(self.calendar(email), ann, role)
        return CalendarRef(platform_id=self.calendar(email).id, account_id=ANN, is_shared=True)

    def meeting(self, title: str = "Standup", start: Any = NOW + DAY, **facts: Any) -> Meeting:
        return self.site.world.add_meeting(
            facts.pop("organizer", ANN),
            title,
            start,
            start + HOUR,
            "Europe/Berlin",
            attendees=[Guest(email=BOB, response="accepted")],
            **facts,
        )


@pytest.fixture
async def microsoft() -> AsyncIterator[Microsoft]:
    async with open_transport() as transport, standing(Provider.OUTLOOK) as site:
        yield Microsoft(site=site, transport=transport, grant=a_grant(site))


def a_grant(site: Site, scopes: tuple[str, ...] = SCOPES) -> Grant:
    """Let Ann have consented, long ago."""
    book = site.world.grants
    grant = book.allow("outlook-1", f"outlook:{ANN}", list(scopes))
    token = Token(
        token=f"eyJ.{len(scopes)}",
        grant=grant.id,
        scopes=list(scopes),
        issued_at=NOW,
        used_at=NOW,
        expires_at=NOW + HOUR,
    )
    book.issue_access(token)
    return Grant(
        refresh_token="0.r", access_token=token.token, expires_at=NOW + HOUR, account_key="t.o"
    )


def titles(page: ChangePage) -> list[str | None]:
    return [event.content.title for event in page.events]


def by_slot(page: ChangePage) -> list[FetchedEvent]:
    return sorted(page.events, key=lambda event: event.original_start or NOW)


def left(first: ChangePage, later: ChangePage) -> set[str]:
    """Apply a later round to a first one as the stored rows would be; return the ids that stay."""
    standing_rows = {event.platform_id: event for event in (*first.events, *later.events)}
    gone = {each.platform_id for each in later.removed} - {e.platform_id for e in later.events}
    for truth in later.series:
        gone |= {
            each.platform_id
            for each in standing_rows.values()
            if each.series_id == truth.series_id and each.platform_id not in truth.platform_ids
        }
    return {
        each.platform_id
        for each in standing_rows.values()
        if each.platform_id not in gone and each.series_id not in gone
    }


async def test_a_first_round_gives_the_window_and_a_cursor(microsoft: Microsoft) -> None:
    microsoft.meeting("Yesterday's", NOW - HOUR * 3)
    microsoft.meeting("Long over", NOW - DAY * 5)
    microsoft.meeting("Far off", NOW + DAY * 40)

    found = await microsoft.round()

    assert titles(found) == ["Yesterday's"]
    assert (found.removed, found.series) == ((), ())
    assert found.cursor is not None
    assert "$deltatoken=" in found.cursor


async def test_occurrences_come_whole_though_the_delta_tells_only_their_times(
    microsoft: Microsoft,
) -> None:
    microsoft.meeting("Weekly", recurrence="RRULE:FREQ=WEEKLY;COUNT=3", link=TEAMS)

    found = await microsoft.round()

    occurrences = by_slot(found)
    assert titles(found) == ["Weekly"] * 3
    assert [event.original_start for event in occurrences] == [
        NOW + DAY,
        NOW + DAY * 8,
        NOW + DAY * 15,
    ]
    assert [event.link_fields[0] for event in occurrences] == [
        LinkField("online_meeting", TEAMS)
    ] * 3
    assert len({event.series_id for event in occurrences}) == 1
    assert found.series == (
        SeriesTruth(
            series_id=str(occurrences[0].series_id),
            platform_ids=frozenset(event.platform_id for event in occurrences),
        ),
    )


async def test_a_master_is_never_an_event(microsoft: Microsoft) -> None:
    microsoft.meeting("Weekly", recurrence="RRULE:FREQ=WEEKLY;COUNT=3")

    found = await microsoft.round()

    assert all(event.platform_id != event.series_id for event in found.events)
    assert all(event.original_start is not None for event in found.events)


async def test_a_cancelled_occurrence_is_gone_though_nothing_says_so(
    microsoft: Microsoft,
) -> None:
    meeting = microsoft.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")
    first = await microsoft.round()
    edits.cancel(microsoft.site.world, meeting.id, slot_key(NOW + DAY * 2, all_day=False))

    later = await microsoft.round(first.cursor)

    lost = by_slot(first)[1]
    assert later.removed == ()
    assert left(first, later) == {e.platform_id for e in first.events} - {lost.platform_id}


async def test_a_series_that_moves_to_other_days_leaves_nothing_behind(
    microsoft: Microsoft,
) -> None:
    meeting = microsoft.meeting(recurrence="RRULE:FREQ=WEEKLY;COUNT=3")
    first = await microsoft.round()
    edits.move(microsoft.site.world, meeting.id, NOW + DAY * 3, NOW + DAY * 3 + HOUR)

    later = await microsoft.round(first.cursor)

    assert left(first, later) == {event.platform_id for event in later.events}
    assert [e.span.start for e in by_slot(later) if e.span] == [
        NOW + DAY * 3,
        NOW + DAY * 10,
        NOW + DAY * 17,
    ]


async def test_a_moved_occurrence_keeps_its_slot(microsoft: Microsoft) -> None:
    meeting = microsoft.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")
    first = await microsoft.round()
    slot = NOW + DAY * 2
    edits.move(
        microsoft.site.world,
        meeting.id,
        slot + HOUR * 5,
        slot + HOUR * 6,
        slot_key(slot, all_day=False),
    )

    later = await microsoft.round(first.cursor)

    moved = by_slot(later)[1]
    assert moved.original_start == slot
    assert moved.span is not None
    assert moved.span.start == slot + HOUR * 5
    assert left(first, later) == {event.platform_id for event in later.events}


async def test_an_occurrence_moved_out_of_the_window_is_gone(microsoft: Microsoft) -> None:
    meeting = microsoft.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")
    first = await microsoft.round()
    away = NOW + DAY * 60
    edits.move(
        microsoft.site.world, meeting.id, away, away + HOUR, slot_key(NOW + DAY, all_day=False)
    )

    later = await microsoft.round(first.cursor)

    assert left(first, later) == {event.platform_id for event in by_slot(first)[1:]}


async def test_a_series_that_became_a_single_meeting_leaves_nothing_behind(
    microsoft: Microsoft,
) -> None:
    meeting = microsoft.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")
    first = await microsoft.round()
    edits.repeat(microsoft.site.world, meeting.id, [])

    later = await microsoft.round(first.cursor)

    assert len(later.events) == 1
    assert left(first, later) == {later.events[0].platform_id}


async def test_a_cancelled_series_is_gone(microsoft: Microsoft) -> None:
    meeting = microsoft.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")
    first = await microsoft.round()
    edits.cancel(microsoft.site.world, meeting.id)

    later = await microsoft.round(first.cursor)

    assert later.events == ()
    assert left(first, later) == set()


async def test_what_the_organiser_called_off_is_gone_though_its_row_is_there(
    microsoft: Microsoft,
) -> None:
    kept = microsoft.site.world.add_meeting(
        BOB, "Kept", NOW + DAY, NOW + DAY + HOUR, attendees=[Guest(email=ANN)]
    )
    first = await microsoft.round()
    edits.cancel(microsoft.site.world, kept.id)

    later = await microsoft.round(first.cursor)

    rows = microsoft.calendar().rows.values()
    assert [row.body["isCancelled"] for row in rows if not row.removed] == [True]
    assert later.events == ()
    assert later.removed == (RemovedEvent(platform_id=first.events[0].platform_id),)


async def test_a_later_round_without_changes_is_empty(microsoft: Microsoft) -> None:
    microsoft.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")
    first = await microsoft.round()
    microsoft.site.heard.clear()

    later = await microsoft.round(first.cursor)

    assert later == ChangePage(cursor=later.cursor)
    assert later.cursor is not None
    assert len(microsoft.site.heard) == 1


async def test_the_last_telling_of_an_id_in_a_round_counts(microsoft: Microsoft) -> None:
    meeting = microsoft.meeting("Before")
    first = await microsoft.round()
    edits.edit(microsoft.site.world, meeting.id, title="After")
    edits.move(microsoft.site.world, meeting.id, NOW + DAY * 3, NOW + DAY * 3 + HOUR)
    microsoft.site.world.faults.add("microsoft.delta", "repeat")

    later = await microsoft.round(first.cursor)

    assert titles(later) == ["After"]
    assert later.events[0].span is not None
    assert later.events[0].span.start == NOW + DAY * 3


async def test_every_request_says_what_it_prefers(microsoft: Microsoft) -> None:
    for number in range(3):
        microsoft.meeting(f"Meeting {number}")
    microsoft.meeting(recurrence="RRULE:FREQ=DAILY;COUNT=3")

    await microsoft.round(page_size=2)

    prefers = {each.headers["prefer"] for each in microsoft.site.heard}
    assert prefers == {'outlook.timezone="UTC", odata.maxpagesize=2, IdType="ImmutableId"'}
    assert len(microsoft.site.asked("calendarView/delta")) > 3
    assert len(microsoft.site.asked("/instances")) == 2


async def test_an_empty_page_is_not_the_end(microsoft: Microsoft) -> None:
    microsoft.meeting()
    microsoft.site.world.faults.add("microsoft.delta", "empty_page")

    found = await microsoft.round()

    assert titles(found) == ["Standup"]


@pytest.mark.parametrize("limits", [Limits(pages=5), Limits(seconds=-1.0)])
async def test_a_round_that_never_ends_is_endless_though_its_links_differ(
    microsoft: Microsoft, limits: Limits
) -> None:
    microsoft.meeting()
    first = await microsoft.round()
    microsoft.site.heard.clear()
    microsoft.site.world.faults.add("microsoft.delta", "endless", times=ALWAYS)

    with pytest.raises(TryLater) as endless:
        await microsoft.round(first.cursor, limits=limits)

    assert endless.value.code == "endless_round"
    assert len(microsoft.site.heard) <= 5


async def test_a_first_round_that_never_ends_is_read_from_the_plain_view(
    microsoft: Microsoft,
) -> None:
    microsoft.meeting()
    microsoft.site.world.faults.add("microsoft.delta", "endless", times=ALWAYS)

    found = await microsoft.round()

    assert titles(found) == ["Standup"]
    assert found.cursor is None
    assert len(microsoft.site.heard) < 30


async def test_links_that_turn_in_a_circle_are_an_endless_round(microsoft: Microsoft) -> None:
    async def script(heard: Heard, writer: asyncio.StreamWriter) -> None:
        link = f"http://{heard.headers['host']}/me/calendars?$skip=1"
        writer.write(answer(json.dumps({"value": [], "@odata.nextLink": link}).encode()))

    async with listening(script) as end:
        provider = MicrosoftProvider(microsoft.transport, graph_url=end.url)

        with pytest.raises(TryLater) as endless:
            await provider.calendars(microsoft.grant)

    assert endless.value.code == "endless_round"
    assert len(end.heard) == 2


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/v1.0/me/calendars?$skip=10",
        "http://127.0.0.1:1/me/calendars",
        "http://127.0.0.1@evil.test/me",
        "//evil.test/me",
    ],
)
async def test_the_bearer_goes_to_no_other_host(microsoft: Microsoft, link: str) -> None:
    async with listening(says(json.dumps({"value": [], "@odata.nextLink": link}).encode())) as end:
        provider = MicrosoftProvider(microsoft.transport, graph_url=end.url)

        with pytest.raises(TryLater) as foreign:
            await provider.calendars(microsoft.grant)

    assert foreign.value.code == "foreign_link"
    assert len(end.heard) == 1


async def test_a_cursor_of_another_graph_asks_for_everything_again(microsoft: Microsoft) -> None:
    with pytest.raises(CursorExpired):
        await microsoft.round("https://graph.microsoft.com/v1.0/me/calendarView/delta?x")

    assert microsoft.site.heard == []


@pytest.mark.parametrize("trouble", ["410", "400_sync_state", "404_sync_state"])
async def test_a_lost_cursor_asks_for_everything_again(microsoft: Microsoft, trouble: str) -> None:
    first = await microsoft.round()
    microsoft.site.world.faults.add("microsoft.delta", trouble)

    with pytest.raises(CursorExpired):
        await microsoft.round(first.cursor)


async def test_a_cursor_that_graph_cannot_read_asks_for_everything_again(
    microsoft: Microsoft,
) -> None:
    first = await microsoft.round()

    with pytest.raises(CursorExpired):
        await microsoft.round(f"{first.cursor}&$top=3")


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ("401", AccessExpired),
        ("401_claims", ReconnectNeeded),
        ("403", CalendarGone),
        ("404_mailbox", ReconnectNeeded),
        ("429", TryLater),
        ("500", TryLater),
        ("503_json", TryLater),
        ("503_html", TryLater),
        ("504_json", TryLater),
    ],
)
async def test_each_refusal_says_what_to_do_next(
    microsoft: Microsoft, trouble: str, kind: type[MeetbotError]
) -> None:
    microsoft.site.world.faults.add("microsoft.delta", trouble)

    with pytest.raises(kind) as refusal:
        await microsoft.round()

    assert type(refusal.value) is kind


async def test_throttling_lasts_as_long_as_graph_says(microsoft: Microsoft) -> None:
    microsoft.site.world.faults.add("microsoft.delta", "429", retry_after=21)

    with pytest.raises(TryLater) as busy:
        await microsoft.round()

    assert busy.value.after == timedelta(seconds=21)


async def test_a_calendar_that_is_not_there_is_gone(microsoft: Microsoft) -> None:
    with pytest.raises(CalendarGone):
        await microsoft.round(calendar=CalendarRef(platform_id="AAMkGONE=", account_id=ANN))


async def test_many_series_are_read_with_at_most_four_requests_at_once(
    microsoft: Microsoft,
) -> None:
    for number in range(9):
        microsoft.meeting(f"Series {number}", recurrence="RRULE:FREQ=WEEKLY;COUNT=2")

    provider = microsoft.provider()
    rounds = await asyncio.gather(
        *(
            whole(provider.changes(microsoft.grant, microsoft.own(), cursor=None, window=WINDOW))
            for _ in range(3)
        )
    )

    assert [len(found.events) for found in rounds] == [18, 18, 18]


async def test_a_secondary_calendar_has_rounds_of_its_own(microsoft: Microsoft) -> None:
    world = microsoft.site.world
    ann = world.directory.account("outlook", ANN)
    assert ann is not None
    project = world.directory.add_calendar(ann, "Project")
    microsoft.meeting("In the project", calendar=project.id)
    microsoft.meeting("Elsewhere")
    reference = CalendarRef(platform_id=project.id, account_id=ANN)

    found = await microsoft.round(calendar=reference)

    assert titles(found) == ["In the project"]
    assert microsoft.site.asked(f"/me/calendars/{project.id.replace('=', '%3D')}/calendarView")


async def test_a_series_on_a_shared_calendar_is_read_there(microsoft: Microsoft) -> None:
    eves = microsoft.shared(EVE, "reader")
    microsoft.site.world.add_meeting(
        EVE, "Eve's weekly", NOW + DAY, NOW + DAY + HOUR, recurrence="RRULE:FREQ=WEEKLY;COUNT=2"
    )

    found = await microsoft.round(calendar=eves)

    assert titles(found) == ["Eve's weekly"] * 2
    assert f"/me/calendars/{eves.platform_id.replace('=', '%3D')}/events/" in (
        microsoft.site.asked("/instances")[0].target
    )
    assert [event.content.my_response for event in found.events] == [None, None]


async def test_a_private_meeting_on_a_shared_calendar_is_a_shape_in_time(
    microsoft: Microsoft,
) -> None:
    eves = microsoft.shared(EVE, "reader")
    microsoft.site.world.add_meeting(
        EVE, "Secret plan", NOW + DAY, NOW + DAY + HOUR, visibility="private"
    )

    found = await microsoft.round(calendar=eves)

    content = found.events[0].content
    assert (content.title, content.visibility, content.guest_list_hidden) == (None, "private", True)


async def test_calendars_say_which_are_ones_own(microsoft: Microsoft) -> None:
    microsoft.shared(EVE, "writer")
    microsoft.shared(BOB, "reader")

    found = await microsoft.provider(page_size=1).calendars(microsoft.grant)

    assert [(each.access_role, each.is_primary, each.is_shared) for each in found] == [
        ("owner", True, False),
        ("writer", False, True),
        ("reader", False, True),
    ]


async def test_an_account_without_a_mailbox_is_told_so(microsoft: Microsoft) -> None:
    microsoft.site.world.faults.add("microsoft.calendars", "404_mailbox")

    with pytest.raises(ReconnectNeeded, match="no Exchange Online mailbox") as refusal:
        await microsoft.provider().calendars(microsoft.grant)

    assert refusal.value.code == "no_mailbox"


async def test_a_grant_without_the_calendar_scope_needs_the_person(microsoft: Microsoft) -> None:
    with pytest.raises(ReconnectNeeded):
        await microsoft.provider().calendars(a_grant(microsoft.site, SCOPES[:1]))


def _delta_page(rows: Iterable[dict[str, Any]], host: str) -> bytes:
    link = f"http://{host}/me/calendarView/delta?$deltatoken=1"
    return json.dumps({"value": list(rows), "@odata.deltaLink": link}).encode()


@asynccontextmanager
async def a_graph(
    told: list[dict[str, Any]], answers: dict[str, tuple[int, Any]]
) -> AsyncIterator[str]:
    """Stand a Graph up whose delta tells ``told``, and which answers the given paths."""

    async def script(heard: Heard, writer: asyncio.StreamWriter) -> None:
        path = urlsplit(heard.target).path
        if path.endswith("/delta"):
            writer.write(answer(_delta_page(told, heard.headers["host"])))
            return
        status, body = answers.get(path, (404, {"error": {"code": "ErrorItemNotFound"}}))
        writer.write(answer(json.dumps(body).encode(), status))

    async with listening(script) as end:
        yield end.url


def _sparse(number: int) -> dict[str, Any]:
    return {
        "id": f"OCC{number}",
        "type": "occurrence",
        "seriesMasterId": "MASTER",
        "start": {"dateTime": f"2026-11-2{number}T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"2026-11-2{number}T10:00:00.0000000", "timeZone": "UTC"},
    }


MASTER = {"id": "MASTER", "type": "seriesMaster", "subject": "Weekly", "iCalUId": "0400"}


@pytest.mark.parametrize("delivered", [True, False])
async def test_where_instances_cannot_be_read_occurrences_are_joined_to_their_master(
    microsoft: Microsoft, delivered: bool
) -> None:
    told = [_sparse(1), _sparse(2), *([MASTER] if delivered else [])]
    answers = {} if delivered else {"/me/events/MASTER": (200, MASTER)}

    async with a_graph(told, answers) as url:
        provider = MicrosoftProvider(microsoft.transport, graph_url=url)
        found = await whole(
            provider.changes(microsoft.grant, microsoft.own(), cursor=None, window=WINDOW)
        )

    assert [(event.platform_id, event.content.title) for event in found.events] == [
        ("OCC1", "Weekly"),
        ("OCC2", "Weekly"),
    ]
    assert found.series == (
        SeriesTruth(series_id="MASTER", platform_ids=frozenset({"OCC1", "OCC2"})),
    )


async def test_a_series_whose_master_is_gone_is_gone(microsoft: Microsoft) -> None:
    async with a_graph([_sparse(1)], {}) as url:
        provider = MicrosoftProvider(microsoft.transport, graph_url=url)
        found = await whole(
            provider.changes(microsoft.grant, microsoft.own(), cursor=None, window=WINDOW)
        )

    assert (found.events, found.removed) == ((), (RemovedEvent(platform_id="MASTER"),))


async def test_rows_without_an_id_are_left_out(microsoft: Microsoft) -> None:
    async with a_graph([{"subject": "Who am I"}, {"id": "ONE", "subject": "One"}], {}) as url:
        provider = MicrosoftProvider(microsoft.transport, graph_url=url)
        found = await whole(
            provider.changes(microsoft.grant, microsoft.own(), cursor=None, window=WINDOW)
        )

    assert titles(found) == ["One"]


@asynccontextmanager
async def a_door() -> AsyncIterator[str]:
    """Stand up the address that a subscription names: it echoes the handshake's token."""

    async def script(heard: Heard, writer: asyncio.StreamWriter) -> None:
        token = parse_qs(urlsplit(heard.target).query).get("validationToken", [""])[0]
        writer.write(answer(token.encode(), content_type="text/plain"))

    async with listening(script) as end:
        yield f"{end.url}/notices"


async def _watch(microsoft: Microsoft, address: str, **options: Any) -> WatchReceipt:
    wanted: dict[str, Any] = {
        "address": address,
        "secret": "secret-state",
        "watch_id": "unused",
        "expires_at": NOW + DAY * 6,
    }
    calendar = options.pop("calendar", microsoft.own())
    return await microsoft.provider().watch(microsoft.grant, calendar, **(wanted | options))


async def test_a_subscription_names_both_addresses_and_its_secret(microsoft: Microsoft) -> None:
    async with a_door() as address:
        receipt = await _watch(microsoft, address)

    held = microsoft.site.world.state.watches[receipt.platform_watch_id]
    assert receipt == WatchReceipt(
        platform_watch_id=held.id, resource_id="me/events", expires_at=NOW + DAY * 6
    )
    assert (held.address, held.secret) == (address, "secret-state")
    assert held.detail["lifecycle_url"] == address
    assert held.detail["immutable_ids"] is True


async def test_a_secondary_calendar_is_subscribed_by_its_id(microsoft: Microsoft) -> None:
    ann = microsoft.site.world.directory.account("outlook", ANN)
    assert ann is not None
    project = microsoft.site.world.directory.add_calendar(ann, "Project")
    reference = CalendarRef(platform_id=project.id, account_id=ANN)

    async with a_door() as address:
        receipt = await _watch(microsoft, address, calendar=reference)

    assert receipt.resource_id == f"me/calendars/{project.id}/events"
    assert microsoft.site.world.state.watches[receipt.platform_watch_id].calendar == project.id


async def test_a_shared_calendar_is_not_even_asked_for(microsoft: Microsoft) -> None:
    shared = microsoft.shared(EVE, "reader")

    with pytest.raises(PushUnsupported):
        await _watch(microsoft, "http://127.0.0.1:1/x", calendar=shared)

    assert microsoft.site.heard == []


async def test_a_calendar_that_graph_will_not_push_for_can_only_be_polled(
    microsoft: Microsoft,
) -> None:
    ann = microsoft.site.world.directory.account("outlook", ANN)
    assert ann is not None
    birthdays = microsoft.site.world.directory.add_calendar(ann, "Birthdays", generated=True)

    with pytest.raises(PushUnsupported):
        await _watch(
            microsoft,
            "http://127.0.0.1:1/x",
            calendar=CalendarRef(platform_id=birthdays.id, account_id=ANN),
        )


async def test_a_subscription_that_stands_already_is_named_with_its_address(
    microsoft: Microsoft,
) -> None:
    async with a_door() as address:
        first = await _watch(microsoft, address)
        with pytest.raises(WatchStands) as standing:
            await _watch(microsoft, f"{address}/again", secret="another")

    found = (standing.value.platform_watch_id, standing.value.address)
    assert found == (first.platform_watch_id, address)
    assert list(microsoft.site.world.state.watches) == [first.platform_watch_id]


async def test_an_address_that_does_not_answer_is_the_operators_to_mend(
    microsoft: Microsoft,
) -> None:
    async with listening(says(b"not the token", content_type="text/plain")) as end:
        with pytest.raises(InstallationFault) as refusal:
            await _watch(microsoft, f"{end.url}/x")

    assert refusal.value.code == "push_address_refused"


async def test_a_subscription_is_prolonged(microsoft: Microsoft) -> None:
    async with a_door() as address:
        receipt = await _watch(microsoft, address, expires_at=NOW + DAY)

    renewed = await microsoft.provider().renew(microsoft.grant, receipt, expires_at=NOW + DAY * 6)

    assert renewed == msgspec.structs.replace(receipt, expires_at=NOW + DAY * 6)


async def test_a_lapsed_subscription_cannot_be_prolonged(microsoft: Microsoft) -> None:
    lapsed = WatchReceipt(platform_watch_id="gone", resource_id=None, expires_at=NOW)

    found = await microsoft.provider().renew(microsoft.grant, lapsed, expires_at=NOW + DAY)

    assert found is None


async def test_a_subscription_is_ended_once_and_ending_it_again_is_fine(
    microsoft: Microsoft,
) -> None:
    async with a_door() as address:
        receipt = await _watch(microsoft, address)

    await microsoft.provider().unwatch(microsoft.grant, receipt)
    await microsoft.provider().unwatch(microsoft.grant, receipt)

    assert microsoft.site.world.state.watches == {}


async def test_prolonging_in_trouble_is_tried_later(microsoft: Microsoft) -> None:
    microsoft.site.world.faults.add("microsoft.subscriptions", "503_json")
    receipt = WatchReceipt(platform_watch_id="sub", resource_id=None, expires_at=NOW)

    with pytest.raises(TryLater):
        await microsoft.provider().renew(microsoft.grant, receipt, expires_at=NOW + DAY)


async def test_ending_in_trouble_is_tried_later(microsoft: Microsoft) -> None:
    microsoft.site.world.faults.add("microsoft.subscriptions", "503_json")
    receipt = WatchReceipt(platform_watch_id="sub", resource_id=None, expires_at=NOW)

    with pytest.raises(TryLater):
        await microsoft.provider().unwatch(microsoft.grant, receipt)


async def test_the_handshake_echoes_the_token(microsoft: Microsoft) -> None:
    provider = microsoft.provider()

    assert provider.handshake({"validationToken": "Validation: x +y"}) == "Validation: x +y"
    assert provider.handshake({}) is None


async def test_notices_are_read_though_some_among_them_are_odd(
    microsoft: Microsoft,
) -> None:
    body = (SAMPLES / "notices.json").read_bytes()

    notices = microsoft.provider().read_notices({}, body)

    assert notices == (
        Notice(platform_watch_id="sub-1", secret="secret-1"),
        Notice(platform_watch_id="sub-2", secret="secret-2", kind="missed"),
        Notice(platform_watch_id="sub-3", secret="secret-3", kind="removed"),
        Notice(platform_watch_id="sub-4", secret=None, kind="reauthorize"),
        Notice(platform_watch_id="sub-5", secret="secret-5"),
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"value": 1}', b"\xff", b"[" * 5000])
async def test_a_post_that_is_no_notice_is_tampered_with(microsoft: Microsoft, body: bytes) -> None:
    with pytest.raises(Tampered):
        microsoft.provider().read_notices({}, body)


@pytest.mark.parametrize(
    ("status", "error", "about", "kind"),
    [
        (400, {"code": "SyncStateInvalid"}, "calendar", CursorExpired),
        (400, {"code": "x", "innerError": {"code": "resyncRequired"}}, "calendar", CursorExpired),
        (404, {"code": "ErrorItemNotFound"}, "calendar", CalendarGone),
        (404, {"code": "ErrorItemNotFound"}, "account", ReconnectNeeded),
        (403, {"code": "ErrorAccessDenied"}, "account", ReconnectNeeded),
        (400, {"code": "ErrorInvalidIdMalformed"}, "calendar", GiveUp),
        (400, {"code": "InvalidRequest"}, "subscription", InstallationFault),
        (404, {"code": "ErrorItemNotFound"}, "subscription", TryLater),
        (403, {"code": "ApplicationThrottled"}, "account", TryLater),
        (403, {"code": "x", "innerError": {"code": "TooManyRequests"}}, "calendar", TryLater),
        (400, "odd", "account", GiveUp),
    ],
)
def test_a_refusal_is_judged_by_its_codes(
    status: int, error: Any, about: Any, kind: type[MeetbotError]
) -> None:
    body = json.dumps({"error": error}).encode()

    fault = api_fault(Answer(status=status, headers={"request-id": "r-1"}, body=body), about)

    assert type(fault) is kind
