from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.changes import Change, diff, fingerprint, with_link
from meetbot_calendar.calendars.model import (
    Attendee,
    ChangePage,
    EventContent,
    FetchedEvent,
    LinkField,
    MeetingLink,
    RemovedEvent,
    SeriesTruth,
    Span,
    StoredEvent,
    Window,
)
from tests.unit.calendars.event_values import NOW, day, fetched_event, span, stored_event

WINDOW = Window(NOW - timedelta(days=1), NOW + timedelta(days=28))
YESTERYEAR = span(NOW - timedelta(days=300))
NEXT_YEAR = span(NOW + timedelta(days=300))
ZOOM = "https://zoom.us/j/123456789"


def _diff(
    stored: list[StoredEvent], *pages: ChangePage, full: bool = False, window: Window = WINDOW
) -> tuple[Change, ...]:
    return diff({row.platform_id: row for row in stored}, pages, window=window, full=full)


def _kinds(changes: tuple[Change, ...]) -> dict[str, str]:
    return {change.platform_id: change.kind for change in changes}


def _apply(stored: dict[str, StoredEvent], changes: tuple[Change, ...]) -> dict[str, StoredEvent]:
    rows = dict(stored)
    for change in changes:
        if change.event is None:
            before = rows[change.platform_id]
            rows[change.platform_id] = msgspec.structs.replace(before, is_deleted=True)
        else:
            rows[change.platform_id] = stored_event(
                change.platform_id,
                series_id=change.event.series_id,
                original_start=change.event.original_start,
                ical_uid=change.event.ical_uid,
                etag=change.event.etag,
                status=change.event.status,
                span=change.event.span,
                platform=change.platform,
                content=change.event.content,
            )
    return rows


def test_an_unknown_event_is_created_with_its_link() -> None:
    event = fetched_event(link_fields=(LinkField("location", ZOOM),))

    changes = _diff([], ChangePage(events=(event,)))

    link = MeetingLink(url=ZOOM, platform="zoom", place=event.link_fields[0].place)
    content = EventContent(title="Weekly", meeting_url=ZOOM, meeting_links=(link,))
    assert changes == (
        Change(
            kind="created",
            platform_id="one",
            event=msgspec.structs.replace(event, content=content),
            platform="zoom",
        ),
    )


def test_an_event_that_says_the_same_changes_nothing() -> None:
    guests = (Attendee(email="a@x.test"), Attendee(email="b@x.test", response="accepted"))
    row = stored_event(
        etag="1",
        platform="zoom",
        content=EventContent(title="Weekly", meeting_url=ZOOM, attendees=guests, raw={"etag": 1}),
    )
    event = fetched_event(
        etag="2",
        span=span(NOW.astimezone(timezone(timedelta(hours=3)))),
        content=EventContent(
            title="Weekly", description="", attendees=guests[::-1], raw={"etag": 2}
        ),
        link_fields=(LinkField("description", f"Join {ZOOM}"),),
    )

    assert _diff([row], ChangePage(events=(event,))) == ()


@pytest.mark.parametrize(
    "difference",
    [
        {"span": span(NOW + timedelta(hours=1))},
        {"span": span(minutes=45)},
        {"span": span(zone="Europe/Berlin")},
        {"span": None},
        {"status": "tentative"},
        {"series_id": "S"},
        {"original_start": NOW},
        {"ical_uid": "x@google.com"},
        {"content": EventContent(title="Weekly 2")},
        {"content": EventContent(title="Weekly", my_response="declined")},
        {"content": EventContent(title="Weekly", attendees=(Attendee(email="a@x.test"),))},
        {"link_fields": (LinkField("title", ZOOM),)},
    ],
)
def test_an_event_that_says_something_else_is_updated(difference: dict[str, Any]) -> None:
    event = fetched_event(**difference)
    row = stored_event()

    changes = _diff([row], ChangePage(events=(event,)))

    read, platform = with_link(event)
    assert changes == (
        Change(kind="updated", platform_id="one", before=row, event=read, platform=platform),
    )
    assert fingerprint(event) != fingerprint(fetched_event())


def test_a_removed_event_is_deleted_once() -> None:
    row = stored_event()
    page = ChangePage(removed=(RemovedEvent(platform_id="one"), RemovedEvent(platform_id="two")))

    changes = _diff([row], page)

    assert changes == (Change(kind="deleted", platform_id="one", before=row),)
    assert _diff([msgspec.structs.replace(row, is_deleted=True)], page) == ()


def test_a_deleted_event_that_is_shown_again_is_restored() -> None:
    row = stored_event(is_deleted=True)

    changes = _diff([row], ChangePage(events=(fetched_event(),)))

    assert changes == (
        Change(kind="restored", platform_id="one", before=row, event=fetched_event()),
    )


def test_a_removed_series_takes_all_its_occurrences() -> None:
    rows = [
        stored_event("s1", series_id="S"),
        stored_event("s2", series_id="S", span=YESTERYEAR),
        stored_event("t1", series_id="T"),
        stored_event("single"),
    ]

    changes = _diff(rows, ChangePage(removed=(RemovedEvent(platform_id="S"),)))

    assert _kinds(changes) == {"s1": "deleted", "s2": "deleted"}


def test_the_truth_of_a_series_removes_what_it_does_not_name_inside_the_window() -> None:
    rows = [
        stored_event("s1", series_id="S"),
        stored_event("s2", series_id="S"),
        stored_event("s3", series_id="S", span=YESTERYEAR),
        stored_event("t1", series_id="T"),
    ]
    truth = SeriesTruth(series_id="S", platform_ids=frozenset({"s1"}))

    changes = _diff(rows, ChangePage(series=(truth,)))

    assert _kinds(changes) == {"s2": "deleted"}


def test_an_occurrence_that_a_replay_shows_is_not_taken_against_the_truth() -> None:
    event = fetched_event("s2", series_id="S")
    truth = SeriesTruth(series_id="S", platform_ids=frozenset({"s1"}))

    assert _diff([], ChangePage(events=(event,), series=(truth,))) == ()


@pytest.mark.parametrize("full", [False, True])
def test_what_a_later_page_says_wins(full: bool) -> None:
    rows = [stored_event("one"), stored_event("two")]
    early = fetched_event("one", content=EventContent(title="Early"))
    late = fetched_event("one", content=EventContent(title="Late"))
    two = fetched_event("two")
    pages = (
        ChangePage(events=(early, two)),
        ChangePage(removed=(RemovedEvent(platform_id="two"),)),
        ChangePage(events=(early, late)),
    )

    changes = _diff(rows, *pages, full=full)

    assert _kinds(changes) == {"one": "updated", "two": "deleted"}
    assert [change.event for change in changes if change.kind == "updated"] == [late]


def test_an_event_and_its_removal_on_one_page_leave_the_event() -> None:
    page = ChangePage(events=(fetched_event(),), removed=(RemovedEvent(platform_id="one"),))

    assert _kinds(_diff([], page)) == {"one": "created"}


def test_a_full_listing_deletes_what_it_does_not_show_but_for_the_past() -> None:
    rows = [
        stored_event("shown"),
        stored_event("ghost"),
        stored_event("timeless", span=None),
        stored_event("far", span=NEXT_YEAR),
        stored_event("past", span=YESTERYEAR),
        stored_event("dead", is_deleted=True),
    ]

    changes = _diff(rows, ChangePage(events=(fetched_event("shown"),)), full=True)

    assert _kinds(changes) == {"ghost": "deleted", "timeless": "deleted", "far": "deleted"}


def test_changes_alone_delete_nothing_that_they_do_not_name() -> None:
    assert _diff([stored_event("one")], ChangePage(cursor="next")) == ()


@pytest.mark.parametrize(
    ("when", "kinds"),
    [
        (span(WINDOW.end), {}),
        (span(WINDOW.end - timedelta(minutes=1)), {"one": "created"}),
        (span(WINDOW.start - timedelta(minutes=30)), {}),
        (span(WINDOW.start - timedelta(minutes=29)), {"one": "created"}),
        (Span(start=WINDOW.start - timedelta(days=9), end=NEXT_YEAR.end), {"one": "created"}),
        (NEXT_YEAR, {}),
        (YESTERYEAR, {}),
        (None, {"one": "created"}),
    ],
)
def test_an_event_is_taken_up_where_it_overlaps_the_window(
    when: Span | None, kinds: dict[str, str]
) -> None:
    event = fetched_event(span=when)

    assert _kinds(_diff([], ChangePage(events=(event,)))) == kinds


@pytest.mark.parametrize(
    ("when", "kind"), [(NEXT_YEAR, "deleted"), (YESTERYEAR, "updated"), (None, "updated")]
)
def test_an_event_that_leaves_the_window_is_followed_into_the_past_alone(
    when: Span | None, kind: str
) -> None:
    changes = _diff([stored_event()], ChangePage(events=(fetched_event(span=when),)))

    assert _kinds(changes) == {"one": kind}


def test_a_deleted_event_of_the_past_is_not_restored() -> None:
    event = fetched_event(span=YESTERYEAR)

    assert _diff([stored_event(is_deleted=True)], ChangePage(events=(event,))) == ()


@pytest.mark.parametrize(("number", "kinds"), [(16, {}), (18, {}), (19, {"one": "deleted"})])
def test_a_day_at_the_edge_of_the_window_is_not_believed_gone(
    number: int, kinds: dict[str, str]
) -> None:
    # The window begins on the 19th at 09:00 UTC. The 18th is over by then, but in Honolulu.
    rows = [stored_event("one", span=day(2026, 11, number))]

    assert _kinds(_diff(rows, ChangePage(), full=True)) == kinds


@pytest.mark.parametrize(("number", "kinds"), [(17, {}), (18, {"one": "created"})])
def test_a_day_at_the_edge_of_the_window_is_taken_up(number: int, kinds: dict[str, str]) -> None:
    # The 18th ends on the 19th at 10:00 UTC in Honolulu: inside a window that begins at 09:00.
    event = fetched_event(span=day(2026, 11, number))

    assert _kinds(_diff([], ChangePage(events=(event,)))) == kinds


def test_a_link_that_the_content_names_is_the_one_to_read() -> None:
    event = fetched_event(
        content=EventContent(meeting_url="https://meet.google.com/abc-defg-hij"),
        link_fields=(LinkField("conference", ZOOM),),
    )

    assert with_link(event) == (event, "google_meet")


# Laws, over a few ids whose events lie before, around and after the window.

singles = st.sampled_from(["a", "b", "c"])
occurrences = st.sampled_from(["S1", "S2", "S3", "T1"])
starts = st.integers(-80, 40).map(lambda days: NOW + timedelta(days=days, hours=days % 5))
spans = st.builds(span, starts, st.sampled_from([0, 30, 3 * 24 * 60]))
days = st.builds(lambda start: span(start.replace(hour=0), 24 * 60, is_all_day=True), starts)
contents = st.builds(
    EventContent, title=st.sampled_from(["x", "y", None]), description=st.sampled_from(["", ZOOM])
)


def _series(platform_id: str) -> str | None:
    return platform_id[0] if len(platform_id) > 1 else None


def _link_fields(content: EventContent) -> tuple[LinkField, ...]:
    return (LinkField("description", content.description or ""),)


@st.composite
def events(draw: st.DrawFn) -> FetchedEvent:
    platform_id = draw(singles | occurrences)
    content = draw(contents)
    return fetched_event(
        platform_id,
        series_id=_series(platform_id),
        span=draw(st.none() | spans | days),
        content=content,
        link_fields=_link_fields(content),
    )


rows = events().map(
    lambda event: _apply({}, _diff([], ChangePage(events=(event,)), window=_ever()))[
        event.platform_id
    ]
)
tables = st.lists(
    st.builds(lambda row, dead: msgspec.structs.replace(row, is_deleted=dead), rows, st.booleans())
).map(lambda some: {row.platform_id: row for row in some})
truths = st.builds(
    SeriesTruth, series_id=st.sampled_from(["S", "T"]), platform_ids=st.frozensets(occurrences)
)
removals = st.builds(RemovedEvent, platform_id=singles | occurrences | st.sampled_from(["S", "T"]))
pages = st.builds(
    ChangePage,
    events=st.lists(events(), max_size=4).map(tuple),
    removed=st.lists(removals, max_size=2).map(tuple),
    series=st.lists(truths, max_size=1).map(tuple),
)
rounds = st.lists(pages, max_size=4)


def _ever() -> Window:
    return Window(NOW - timedelta(days=9999), NOW + timedelta(days=9999))


def _live(table: dict[str, StoredEvent]) -> dict[str, StoredEvent]:
    return {key: row for key, row in table.items() if not row.is_deleted}


@given(tables, rounds, st.booleans())
def test_a_second_diff_of_the_same_round_is_empty(
    table: dict[str, StoredEvent], told: list[ChangePage], full: bool
) -> None:
    after = _apply(table, diff(table, told, window=WINDOW, full=full))

    assert diff(after, told, window=WINDOW, full=full) == ()


@given(tables, st.lists(events()))
def test_after_a_full_listing_the_rows_are_what_it_showed_and_the_past(
    table: dict[str, StoredEvent], listed: list[FetchedEvent]
) -> None:
    shown = {event.platform_id: event for event in listed}

    after = _live(
        _apply(table, diff(table, [ChangePage(events=tuple(listed))], window=WINDOW, full=True))
    )

    for key, row in after.items():
        assert key in shown or _ended_by(row, WINDOW.start)
        assert row.span is None or row.span.start < WINDOW.end
        if key in shown:
            read, platform = with_link(shown[key])
            assert (row.span, row.content, row.platform) == (read.span, read.content, platform)
    for key, event in shown.items():
        assert key in after or (
            event.span is not None
            and (event.span.start >= WINDOW.end or _ended_by(event, WINDOW.start))
        )


def _ended_by(event: StoredEvent | FetchedEvent, moment: datetime) -> bool:
    slack = timedelta(hours=14 if event.span and event.span.is_all_day else 0)
    return event.span is not None and event.span.end <= moment + slack


@given(tables, rounds, st.booleans())
def test_every_change_changes_something(
    table: dict[str, StoredEvent], told: list[ChangePage], full: bool
) -> None:
    changes = diff(table, told, window=WINDOW, full=full)

    assert len({change.platform_id for change in changes}) == len(changes)
    for change in changes:
        before = table.get(change.platform_id)
        assert change.before == before
        assert (
            change.kind
            == {
                (False, False): "created",
                (True, False): "updated" if change.event else "deleted",
                (True, True): "restored",
            }[(before is not None, before is not None and before.is_deleted)]
        )


@given(tables, st.lists(events()), st.randoms(use_true_random=False))
def test_how_a_round_is_cut_into_pages_does_not_matter(
    table: dict[str, StoredEvent], listed: list[FetchedEvent], random: Any
) -> None:
    cut = random.randint(0, len(listed))
    halves = [ChangePage(events=tuple(listed[:cut])), ChangePage(events=tuple(listed[cut:]))]

    one = diff(table, [ChangePage(events=tuple(listed))], window=WINDOW, full=False)

    assert set(map(repr, diff(table, halves, window=WINDOW, full=False))) == set(map(repr, one))


def test_a_single_event_that_becomes_a_series_gives_way_to_its_occurrences() -> None:
    stored = {"master": stored_event("master")}
    occurrence = fetched_event("master_1", series_id="master", original_start=NOW)

    changes = diff(stored, [ChangePage(events=(occurrence,))], window=WINDOW, full=False)

    assert {(change.kind, change.platform_id) for change in changes} == {
        ("deleted", "master"),
        ("created", "master_1"),
    }


def test_a_single_event_that_becomes_a_series_without_occurrences_is_gone() -> None:
    nothing = ChangePage(series=(SeriesTruth(series_id="master", platform_ids=frozenset()),))

    changes = _diff([stored_event("master")], nothing)

    assert _kinds(changes) == {"master": "deleted"}


def test_a_series_that_becomes_a_single_event_stays_as_that() -> None:
    page = ChangePage(
        events=(fetched_event("master", content=EventContent(title="Now single")),),
        series=(SeriesTruth(series_id="master", platform_ids=frozenset()),),
    )
    stored = [stored_event("master"), stored_event("master_1", series_id="master")]

    changes = _diff(stored, page)

    assert _kinds(changes) == {"master": "updated", "master_1": "deleted"}


def test_a_single_event_that_becomes_a_series_beyond_the_window_is_gone() -> None:
    far = ChangePage(removed=(RemovedEvent(platform_id="master_9", series_id="master"),))

    changes = _diff([stored_event("master")], far)

    assert _kinds(changes) == {"master": "deleted"}
