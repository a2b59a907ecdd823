"""Which occurrence takes the place of which, when a series moves or is split."""

from datetime import timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from meetbot_calendar.calendars.changes import Change
from meetbot_calendar.calendars.successors import successors
from tests.factories import NOON
from tests.unit.calendars.event_values import fetched_event, stored_event

DAY = timedelta(days=1)
WEEK = 7 * DAY


def gone(name: str, slot: Any, series: str | None = "weekly") -> Change:
    before = stored_event(name, series_id=series, original_start=slot)
    return Change(kind="deleted", platform_id=name, before=before)


def fresh(name: str, slot: Any, series: str | None = "weekly") -> Change:
    event = fetched_event(name, series_id=series, original_start=slot)
    return Change(kind="created", platform_id=name, event=event)


def pairs(*changes: Change) -> set[tuple[str, str]]:
    return {(each.old.platform_id, each.new.platform_id) for each in successors(changes)}


def test_each_goes_to_the_nearest_of_its_own_series() -> None:
    found = pairs(
        gone("a1", NOON),
        gone("a2", NOON + WEEK),
        fresh("b1", NOON + DAY),
        fresh("b2", NOON + WEEK + DAY),
        fresh("other", NOON, "another"),
        fresh("single", NOON, None),
    )

    assert found == {("a1", "b1"), ("a2", "b2")}


def test_what_lies_nearer_to_a_neighbour_is_no_successor() -> None:
    assert pairs(gone("a1", NOON), gone("a2", NOON + DAY), fresh("b", NOON + 3 * DAY)) == set()
    assert pairs(gone("a1", NOON), fresh("b1", NOON + 4 * DAY)) == set()


def test_the_halves_of_a_split_series_are_one_family() -> None:
    assert pairs(gone("a", NOON, "x"), fresh("b", NOON, "x_R20261123T120000")) == {("a", "b")}
    assert pairs(gone("a", NOON, "x_R20261123"), fresh("b", NOON, "x_R20261130")) == {("a", "b")}


def test_a_single_event_has_no_successor() -> None:
    assert pairs(gone("a", NOON, None), fresh("b", NOON, None)) == set()


@given(
    count=st.integers(1, 12),
    every=st.integers(1, 40),
    shift=st.integers(-30, 30),
    lost=st.sets(st.integers(0, 11)),
)
def test_a_series_that_is_shifted_by_less_than_half_its_interval_is_paired_in_order(
    count: int, every: int, shift: int, lost: set[int]
) -> None:
    moved = timedelta(hours=shift)
    assume(abs(moved) * 2 < every * DAY)
    slots = [NOON + number * every * DAY for number in range(count)]
    removed = [gone(f"a{n}", slot) for n, slot in enumerate(slots)]
    added = [fresh(f"b{n}", slot + moved) for n, slot in enumerate(slots) if n not in lost]

    expected = {(f"a{n}", f"b{n}") for n in range(count) if n not in lost}
    assert pairs(*removed, *added) == expected
