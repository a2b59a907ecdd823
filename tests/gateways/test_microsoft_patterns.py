"""Outlook's patterns are shown as RRULEs that fall on the same days, for every kind of pattern."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.recurrence import Series, occurrences, rule_of
from meetbot_calendar.gateways.microsoft.masters import read_series
from meetbot_calendar.gateways.microsoft.patterns import rrule_line
from meetbot_calendar.sandbox.microsoft.patterns import from_rrule, to_rrule
from meetbot_calendar.sandbox.recurrence import slots

ZONE = "Europe/Berlin"
START = datetime(2026, 11, 12, 9, tzinfo=ZoneInfo(ZONE))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
NONE: dict[str, Any] = {
    "type": "daily",
    "interval": 1,
    "month": 0,
    "dayOfMonth": 0,
    "daysOfWeek": [],
    "firstDayOfWeek": "sunday",
    "index": "first",
}
FOREVER = {
    "type": "noEnd",
    "startDate": "2026-11-12",
    "endDate": "0001-01-01",
    "recurrenceTimeZone": "W. Europe Standard Time",
    "numberOfOccurrences": 0,
}

kinds = st.sampled_from(
    ["daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"]
)
patterns = st.builds(
    dict,
    type=kinds,
    interval=st.integers(1, 12),
    month=st.integers(1, 12),
    dayOfMonth=st.integers(1, 31),
    daysOfWeek=st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    firstDayOfWeek=st.sampled_from(DAYS),
    index=st.sampled_from(["first", "second", "third", "fourth", "last"]),
)
ranges = st.one_of(
    st.just(FOREVER),
    st.integers(1, 100).map(lambda n: FOREVER | {"type": "numbered", "numberOfOccurrences": n}),
    st.dates(datetime(2026, 11, 13).date(), datetime(2030, 1, 1).date()).map(  # noqa: DTZ001 - dates
        lambda day: FOREVER | {"type": "endDate", "endDate": day.isoformat()}
    ),
)


def days_of(line: str) -> list[datetime]:
    found = Series(platform_id="s", start=START.replace(tzinfo=None), zone=ZONE, lines=(line,))
    return first_of(occurrences(found, after=LONG_AGO))


def first_of(found: Iterable[datetime]) -> list[datetime]:
    """Take the first dozen of the next 40 years."""
    return list(takewhile(lambda when: when.year < START.year + 40, islice(found, 12)))


@given(pattern=patterns, span=ranges)
def test_a_pattern_falls_where_outlook_lets_it_fall(
    pattern: dict[str, Any], span: dict[str, Any]
) -> None:
    recurrence = {"pattern": pattern, "range": span}

    line = rrule_line(recurrence, ZONE)

    assert line is not None
    assert days_of(line) == first_of(slots([to_rrule(recurrence)], START, ZONE))


@given(pattern=patterns, span=ranges)
def test_a_pattern_written_as_a_rule_and_read_back_is_the_same(
    pattern: dict[str, Any], span: dict[str, Any]
) -> None:
    line = rrule_line({"pattern": pattern, "range": span}, ZONE) or ""

    again = from_rrule(line, START, ZONE)

    assert rrule_line(again, ZONE) == line
    assert essence(again["pattern"]) == essence(pattern)
    assert again["range"] == span


def essence(pattern: dict[str, Any]) -> dict[str, Any]:
    """Return what a pattern of this type means; the other members say nothing."""
    kind = pattern["type"]
    used = {"type", "interval"}
    used |= {"daysOfWeek"} if kind == "weekly" or kind.startswith("relative") else set()
    used |= {"firstDayOfWeek"} if kind == "weekly" and pattern["interval"] > 1 else set()
    used |= {"index"} if kind.startswith("relative") else set()
    used |= {"dayOfMonth"} if kind.startswith("absolute") else set()
    used |= {"month"} if kind.endswith("Yearly") else set()
    found = {name: pattern[name] for name in used}
    if "daysOfWeek" in found:
        found["daysOfWeek"] = sorted(found["daysOfWeek"])
    return found


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ({"type": "daily", "interval": 3}, "FREQ=DAILY;INTERVAL=3"),
        (
            {"type": "weekly", "daysOfWeek": ["monday", "wednesday", "friday"]},
            "FREQ=WEEKLY;BYDAY=MO,WE,FR",
        ),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "tuesday"]},
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU",
        ),
        (
            {"type": "absoluteMonthly", "dayOfMonth": 31},
            "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
        ),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["thursday"], "index": "last"},
            "FREQ=MONTHLY;BYDAY=-1TH",
        ),
        (
            {"type": "relativeMonthly", "daysOfWeek": DAYS[:5], "index": "second"},
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2",
        ),
        (
            {"type": "absoluteYearly", "month": 2, "dayOfMonth": 29},
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1",
        ),
        (
            {"type": "relativeYearly", "month": 5, "daysOfWeek": ["monday"], "index": "first"},
            "FREQ=YEARLY;BYMONTH=5;BYDAY=1MO",
        ),
    ],
)
def test_a_pattern_is_shown_as_people_write_rules(pattern: dict[str, Any], rule: str) -> None:
    assert rrule_line({"pattern": NONE | pattern, "range": FOREVER}, ZONE) == f"RRULE:{rule}"


@pytest.mark.parametrize(
    "recurrence",
    [
        {},
        {"pattern": "daily", "range": FOREVER},
        {"pattern": NONE | {"type": "hourly"}, "range": FOREVER},
        {"pattern": NONE | {"type": "weekly"}, "range": FOREVER},
        {"pattern": NONE | {"type": "weekly", "daysOfWeek": ["noday"]}, "range": FOREVER},
        {"pattern": NONE | {"type": "absoluteMonthly"}, "range": FOREVER},
        {"pattern": NONE | {"type": "relativeMonthly", "index": "fifth"}, "range": FOREVER},
        {"pattern": NONE, "range": FOREVER | {"type": "endDate", "endDate": "soon"}},
        {"pattern": NONE, "range": FOREVER | {"type": "numbered"}},
    ],
)
def test_a_pattern_that_makes_no_sense_is_no_rule(recurrence: dict[str, Any]) -> None:
    assert rrule_line(recurrence, ZONE) is None


MASTER: dict[str, Any] = {
    "id": "AAMkMASTER=",
    "type": "seriesMaster",
    "isAllDay": False,
    "isCancelled": False,
    "originalStartTimeZone": "W. Europe Standard Time",
    "start": {"dateTime": "2026-11-12T08:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-11-12T08:30:00.0000000", "timeZone": "UTC"},
    "recurrence": {
        "pattern": NONE | {"type": "weekly", "daysOfWeek": ["thursday"]},
        "range": FOREVER | {"type": "endDate", "endDate": "2026-12-03"},
    },
    "cancelledOccurrences": ["OID.AAMkMASTER=.2026-11-19", "nonsense", 7],
}


def test_a_master_is_read_with_its_zone_its_end_and_what_was_cancelled() -> None:
    found = read_series(MASTER)

    assert found == Series(
        platform_id="AAMkMASTER=",
        start=datetime(2026, 11, 12, 9),  # noqa: DTZ001 - a wall time
        zone="Europe/Berlin",
        lines=(
            "RRULE:FREQ=WEEKLY;BYDAY=TH;UNTIL=20261203T225959Z",
            "EXDATE;VALUE=DATE:20261119",
        ),
    )
    assert rule_of(found) == "FREQ=WEEKLY;BYDAY=TH;UNTIL=20261203T225959Z"
    assert [f"{when:%m-%d}" for when in occurrences(found, after=LONG_AGO)] == [
        "11-12",
        "11-26",
        "12-03",
    ]


def test_an_all_day_master_ends_on_a_date() -> None:
    day = {"dateTime": "2026-11-12T00:00:00.0000000", "timeZone": "UTC"}
    end = {"dateTime": "2026-11-13T00:00:00.0000000", "timeZone": "UTC"}
    found = read_series(MASTER | {"isAllDay": True, "start": day, "end": end})

    assert found is not None
    assert [f"{when:%m-%d %H}" for when in occurrences(found, after=LONG_AGO)] == [
        "11-12 00",
        "11-26 00",
        "12-03 00",
    ]


@pytest.mark.parametrize(
    "change", [{"recurrence": None}, {"isCancelled": True}, {"start": {}}, {"id": ""}]
)
def test_what_is_no_master_is_no_series(change: dict[str, Any]) -> None:
    assert read_series(MASTER | change) is None
