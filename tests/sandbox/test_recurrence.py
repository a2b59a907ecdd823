"""Where occurrences fall: zones, ends, extra and missing dates, endless series."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.sandbox.recurrence import ENDLESS_AHEAD, bounded, slots

BERLIN = "Europe/Berlin"
FIRST = datetime(2026, 10, 23, 7, 0, tzinfo=UTC)


def texts(*lines: str, all_day: bool = False, first: datetime = FIRST) -> list[str]:
    found = slots(lines, first, BERLIN, all_day=all_day)
    return [f"{when:%m-%d %H:%M}" for when in found]


def test_the_wall_clock_time_stays_over_a_clock_change() -> None:
    assert texts("RRULE:FREQ=WEEKLY;COUNT=2") == ["10-23 07:00", "10-30 08:00"]


def test_extra_and_missing_dates_count() -> None:
    found = texts(
        "RRULE:FREQ=WEEKLY;COUNT=3",
        "RDATE;TZID=Europe/Berlin:20261024T090000",
        "EXDATE:20261030T080000Z",
    )

    assert found == ["10-23 07:00", "10-24 07:00", "11-06 08:00"]


def test_all_day_dates_need_no_zone() -> None:
    first = datetime(2026, 10, 23, tzinfo=UTC)
    found = texts(
        "RRULE:FREQ=DAILY;UNTIL=20261025",
        "EXDATE;VALUE=DATE:20261024",
        "RDATE;VALUE=DATE:20261101",
        all_day=True,
        first=first,
    )

    assert found == ["10-23 00:00", "10-25 00:00", "11-01 00:00"]


@pytest.mark.parametrize("until", ["20261030T080000Z", "20261030T080000", "20261030"])
def test_an_end_may_be_an_instant_a_local_time_or_a_date(until: str) -> None:
    assert texts(f"RRULE:FREQ=WEEKLY;UNTIL={until}") == ["10-23 07:00", "10-30 08:00"]


def test_without_lines_there_is_one() -> None:
    assert texts() == ["10-23 07:00"]


@pytest.mark.parametrize(
    "line",
    ["RRULE:FREQ=WEEKLY;INTERVAL=0", "RRULE:FREQ=SECONDLY", "EXRULE:FREQ=DAILY", "", "RRULE:X=1"],
)
def test_a_rule_that_never_ends_a_step_or_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        list(slots([line], FIRST, BERLIN))


def test_an_endless_series_is_cut_some_way_ahead() -> None:
    now = FIRST + timedelta(weeks=10)

    found = bounded(slots(["RRULE:FREQ=WEEKLY"], FIRST, BERLIN), now)

    assert len([when for when in found if when > now]) == ENDLESS_AHEAD
    assert found[0] == FIRST


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - wall time
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC"]),
    st.integers(1, 5),
)
def test_every_occurrence_keeps_its_wall_clock_time(
    local: datetime, zone: str, interval: int
) -> None:
    first = local.replace(microsecond=0, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    wall = first.astimezone(ZoneInfo(zone)).time()

    found = slots([f"RRULE:FREQ=DAILY;INTERVAL={interval};COUNT=30"], first, zone)
    walls = {_wall(when, zone, wall) for when in found}

    assert walls == {wall}


def _wall(when: datetime, zone: str, wall: object) -> object:
    """Return the local time; where that time is skipped by a clock change, the intended one."""
    local = when.astimezone(ZoneInfo(zone))
    for hours in (0.5, 1):
        before = when - timedelta(hours=hours)
        gap = local.utcoffset() != before.astimezone(ZoneInfo(zone)).utcoffset()
        if local.time() != wall and gap:
            return wall
    return local.time()
