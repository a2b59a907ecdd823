"""Where a series goes on: as RFC 5545, dateutil and the simulators say, and never for long."""

import time
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.recurrence import (
    Series,
    check,
    next_after,
    occurrences,
    rule_of,
)
from meetbot_calendar.errors import Refused
from meetbot_calendar.sandbox.recurrence import slots

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
START = datetime(2026, 3, 2, 9)  # noqa: DTZ001 - a wall time
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
HOURS = ",".join(map(str, range(24)))
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def series(
    *lines: str, start: datetime = START, zone: str = BERLIN, all_day: bool = False
) -> Series:
    return Series(platform_id="s", start=start, zone=zone, is_all_day=all_day, lines=lines)


def told(found: Series, after: datetime = LONG_AGO, most: int = 5) -> list[str]:
    return [f"{when:%Y-%m-%d %H:%M}" for when in islice(occurrences(found, after=after), most)]


def numbers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high).filter(bool)


weekdays = st.sets(st.sampled_from(DAYS), min_size=1).map(lambda days: ",".join(sorted(days)))
nth_weekdays = st.tuples(numbers(-5, 5), st.sampled_from(DAYS)).map(lambda p: f"{p[0]}{p[1]}")
month_days = st.sets(numbers(-31, 31), min_size=1, max_size=4).map(
    lambda days: ",".join(map(str, sorted(days)))
)
frequencies = st.one_of(
    st.just("FREQ=DAILY"),
    weekdays.map(lambda days: f"FREQ=DAILY;BYDAY={days}"),
    st.tuples(weekdays, st.sampled_from(DAYS)).map(
        lambda p: f"FREQ=WEEKLY;BYDAY={p[0]};WKST={p[1]}"
    ),
    month_days.map(lambda days: f"FREQ=MONTHLY;BYMONTHDAY={days}"),
    nth_weekdays.map(lambda day: f"FREQ=MONTHLY;BYDAY={day}"),
    st.tuples(weekdays, numbers(-3, 3)).map(lambda p: f"FREQ=MONTHLY;BYDAY={p[0]};BYSETPOS={p[1]}"),
    st.just("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
    st.tuples(st.integers(1, 12), month_days).map(
        lambda p: f"FREQ=YEARLY;BYMONTH={p[0]};BYMONTHDAY={p[1]}"
    ),
    st.tuples(st.integers(1, 12), nth_weekdays).map(
        lambda p: f"FREQ=YEARLY;BYMONTH={p[0]};BYDAY={p[1]}"
    ),
)
ends = st.sampled_from(
    [
        "",
        ";COUNT=1",
        ";COUNT=7",
        ";UNTIL=20270630T065959Z",
        ";UNTIL=20270630T070000Z",
        ";UNTIL=20270630T235959",
        ";UNTIL=20270630",
    ]
)
starts = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31)).map(  # noqa: DTZ001 - wall times
    lambda when: when.replace(second=0, microsecond=0)
)
zones = st.sampled_from([BERLIN, NEW_YORK, "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])


@given(
    frequency=frequencies,
    interval=st.integers(1, 5),
    end=ends,
    start=starts,
    zone=zones,
    all_day=st.booleans(),
    skipped=st.sets(st.integers(0, 6)),
)
def test_a_series_falls_where_the_simulators_let_it_fall(
    *,
    frequency: str,
    interval: int,
    end: str,
    start: datetime,
    zone: str,
    all_day: bool,
    skipped: set[int],
) -> None:
    line = f"RRULE:{frequency};INTERVAL={interval}{end}"
    wall = start.replace(hour=0, minute=0) if all_day else start
    first = wall.replace(tzinfo=UTC if all_day else ZoneInfo(zone)).astimezone(UTC)
    whole = list(takewhile(_near, islice(slots([line], first, zone, all_day=all_day), 12)))
    gone = [when for number, when in enumerate(whole) if number in skipped]
    lines = [line, *(f"EXDATE:{when:%Y%m%dT%H%M%SZ}" for when in gone)]

    found = takewhile(
        _near, occurrences(series(*lines, start=wall, zone=zone, all_day=all_day), after=LONG_AGO)
    )

    assert list(islice(found, len(whole) - len(gone))) == [w for w in whole if w not in gone]


def _near(when: datetime) -> bool:
    return when < LONG_AGO + timedelta(days=365 * 49)


@given(frequency=frequencies, start=starts, zone=zones, ahead=st.integers(0, 2000))
def test_the_next_occurrence_is_the_first_of_those_that_follow(
    frequency: str, start: datetime, zone: str, ahead: int
) -> None:
    found = series(f"RRULE:{frequency}", start=start, zone=zone)
    after = start.replace(tzinfo=UTC) + timedelta(days=ahead)

    whole = (when for when in occurrences(found, after=LONG_AGO) if when > after)

    assert next_after(found, after) == next(whole, None)


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("FREQ=DAILY", ["2026-03-02 08:00", "2026-03-03 08:00"]),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR", ["2026-03-02 08:00", "2026-03-04 08:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", ["2026-03-03 08:00", "2026-03-17 08:00"]),
        ("FREQ=MONTHLY;BYDAY=1MO", ["2026-03-02 08:00", "2026-04-06 07:00"]),
        ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=15", ["2026-03-15 08:00", "2027-03-15 08:00"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["2026-03-27 08:00", "2026-04-24 07:00"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2028-02-29 08:00", "2032-02-29 08:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["2026-03-31 07:00", "2026-04-30 07:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-03-31 07:00", "2026-05-31 07:00"]),
    ],
)
def test_the_patterns_of_the_guides_and_the_hard_ones(rule: str, first: list[str]) -> None:
    assert told(series(f"RRULE:{rule}"), most=2) == first


def test_the_hour_on_the_wall_stays_over_a_clock_change() -> None:
    weekly = series("RRULE:FREQ=WEEKLY")

    assert told(weekly, datetime(2026, 3, 20, tzinfo=UTC), 2) == [
        "2026-03-23 08:00",
        "2026-03-30 07:00",
    ]


def test_an_hour_that_a_clock_change_skips_comes_an_hour_later_and_a_double_one_once() -> None:
    nightly = series("RRULE:FREQ=DAILY", start=datetime(2026, 3, 1, 2, 30))  # noqa: DTZ001 - a wall time

    assert told(nightly, datetime(2026, 3, 28, 12, tzinfo=UTC), 1) == ["2026-03-29 01:30"]
    assert told(nightly, datetime(2026, 10, 24, 12, tzinfo=UTC), 2) == [
        "2026-10-25 00:30",
        "2026-10-26 01:30",
    ]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260304T080000Z", "2026-03-04 08:00"),
        ("20260304T075959Z", "2026-03-03 08:00"),
        ("20260304T090000", "2026-03-04 08:00"),
        ("20260304", "2026-03-04 08:00"),
    ],
)
def test_the_end_counts_as_an_instant_a_wall_time_or_a_whole_day(until: str, last: str) -> None:
    assert told(series(f"RRULE:FREQ=DAILY;UNTIL={until}"))[-1] == last


def test_missing_extra_and_bare_dates() -> None:
    found = series(
        "RRULE:FREQ=WEEKLY;COUNT=4",
        "EXDATE;TZID=Europe/Berlin:20260309T090000,20260316T090000",
        "EXDATE;VALUE=DATE:20260302",
        "RDATE;TZID=America/New_York:20260310T120000",
        "RDATE:20260323T080000Z",
    )

    assert told(found) == ["2026-03-10 16:00", "2026-03-23 08:00"]


def test_a_count_counts_what_is_left_out_too() -> None:
    assert told(series("RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260302T080000Z")) == [
        "2026-03-03 08:00"
    ]


def test_a_series_of_listed_dates_has_its_first_and_those() -> None:
    listed = series("RDATE:20260401T070000Z")

    assert told(listed) == ["2026-03-02 08:00", "2026-04-01 07:00"]
    assert rule_of(listed) is None


def test_all_day_series_have_dates() -> None:
    found = series(
        "RRULE:FREQ=DAILY;UNTIL=20260304",
        "EXDATE;VALUE=DATE:20260303",
        start=datetime.combine(date(2026, 3, 2), datetime.min.time()),
        zone=NEW_YORK,
        all_day=True,
    )

    assert told(found) == ["2026-03-02 00:00", "2026-03-04 00:00"]


def test_the_rule_is_shown_without_its_name() -> None:
    shown = rule_of(series("RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE:20260302T080000Z"))

    assert shown == "FREQ=WEEKLY;BYDAY=MO"


def test_a_series_that_is_over_has_no_next() -> None:
    assert next_after(series("RRULE:FREQ=DAILY;COUNT=3"), datetime(2026, 4, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=SECONDLY",
        "RRULE:FREQ=MINUTELY;INTERVAL=5",
        "RRULE:FREQ=HOURLY",
        "RRULE:INTERVAL=1",
        "RRULE:FREQ=WEEKLY;INTERVAL=0",
        "RRULE:FREQ=WEEKLY;INTERVAL=-1",
        "RRULE:FREQ=WEEKLY;INTERVAL=99999",
        "RRULE:FREQ=WEEKLY;COUNT=0",
        "RRULE:FREQ=WEEKLY;COUNT=3;UNTIL=20270101",
        "RRULE:FREQ=WEEKLY;FREQ=DAILY",
        "RRULE:FREQ=WEEKLY;BYDAY=XX",
        "RRULE:FREQ=WEEKLY;BYDAY=",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=32",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=0",
        "RRULE:FREQ=MONTHLY;BYSETPOS=1",
        "RRULE:FREQ=DAILY;BYEASTER=1",
        "RRULE:FREQ=DAILY;UNTIL=tomorrow",
        "RRULE:FREQ=DAILY;UNTIL=20261301",
        "RRULE:FREQ=DAILY;BYHOUR=8,9;BYMINUTE=0,1,2,3,4,5,6,7,8,9,10,11,12",
        f"RRULE:FREQ=DAILY;BYSETPOS={','.join(map(str, range(1, 9)))};BYHOUR=1",
        f"RRULE:FREQ=DAILY;X-LONG={'x' * 3000}",
        f"RDATE:{','.join(['20270101'] * 5001)}",
        f"RDATE:{','.join(['20270101T000000Z'] * 4999)}",
        "RDATE:someday",
        "EXRULE:FREQ=DAILY",
        "",
    ],
)
def test_what_is_no_recurrence_or_a_hostile_one_is_refused(line: str) -> None:
    with pytest.raises(Refused) as refused:
        check(series(line))

    assert refused.value.code == "bad_recurrence"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYHOUR=1;BYSETPOS=2,3,4,5,6,7,8",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=DAILY;COUNT=1000000000;BYMONTH=4;BYMONTHDAY=31",
        "FREQ=DAILY;COUNT=1000000000",
        "FREQ=DAILY;INTERVAL=9999",
        f"FREQ=YEARLY;BYDAY={','.join(DAYS)};BYHOUR={HOURS};BYSETPOS=-366,-300,300,301,365,366",
        f"FREQ=DAILY;BYHOUR={HOURS}",
    ],
)
@pytest.mark.parametrize("year", [1900, 2026])
def test_a_rule_without_end_or_without_any_occurrence_takes_no_longer_than_others(
    rule: str, year: int
) -> None:
    found = series(f"RRULE:{rule}", start=START.replace(year=year))
    begun = time.process_time()

    try:
        next_after(found, datetime(2026, 11, 21, tzinfo=UTC))
    except Refused as refused:
        assert "too often" in refused.detail  # noqa: PT017 - refusing in time is as good as telling

    assert time.process_time() - begun < 2


@pytest.mark.parametrize("year", [1, 1899, 2301, 9999])
def test_a_series_that_begins_in_no_sensible_year_is_refused(year: int) -> None:
    with pytest.raises(Refused, match="begins in the year"):
        next_after(series("RRULE:FREQ=DAILY", start=START.replace(year=year)), LONG_AGO)


def test_no_instant_is_too_far_away_to_ask_about() -> None:
    twice = series("RRULE:FREQ=WEEKLY;COUNT=2")

    assert next_after(twice, datetime(1, 1, 1, tzinfo=UTC)) == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert next_after(twice, datetime(9999, 12, 31, 23, tzinfo=UTC)) is None


@given(st.text(max_size=40))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    for line in (text, f"RRULE:{text}", f"RRULE:FREQ=DAILY;{text}", f"EXDATE{text}"):
        try:
            next_after(series(line), LONG_AGO)
        except Refused as refused:
            assert refused.code == "bad_recurrence"  # noqa: PT017 - either is fine, nothing else is
