"""patternedRecurrence means what its RRULE means (providers.md 6.7), both ways."""

from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.sandbox.microsoft.patterns import from_rrule, to_rrule
from meetbot_calendar.sandbox.recurrence import slots

ZONE = "Europe/Berlin"
START = datetime(2026, 11, 12, 9, tzinfo=ZoneInfo(ZONE))
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
PATTERN = {"interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": [], "index": "first"}

frequencies = st.one_of(
    st.just("FREQ=DAILY"),
    st.sets(st.sampled_from(DAYS), min_size=1).map(
        lambda days: f"FREQ=WEEKLY;BYDAY={','.join(sorted(days))}"
    ),
    st.integers(1, 28).map(lambda day: f"FREQ=MONTHLY;BYMONTHDAY={day}"),
    st.tuples(st.sampled_from([1, 2, 3, 4, -1]), st.sampled_from(DAYS)).map(
        lambda pair: f"FREQ=MONTHLY;BYDAY={pair[0]}{pair[1]}"
    ),
    st.tuples(st.integers(1, 12), st.integers(1, 28)).map(
        lambda pair: f"FREQ=YEARLY;BYMONTH={pair[0]};BYMONTHDAY={pair[1]}"
    ),
)
ends = st.sampled_from(
    ["", ";COUNT=7", ";UNTIL=20270630T065959Z", ";UNTIL=20270630T235959Z", ";UNTIL=20270630"]
)


@given(frequency=frequencies, interval=st.integers(1, 4), end=ends)
def test_a_rule_written_as_a_pattern_and_read_back_falls_on_the_same_days(
    frequency: str, interval: int, end: str
) -> None:
    line = f"RRULE:{frequency};INTERVAL={interval}{end}"

    again = to_rrule(from_rrule(line, START, ZONE))

    assert first_days(again) == first_days(line)


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ({"type": "daily", "interval": 3}, "RRULE:FREQ=DAILY;INTERVAL=3"),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "tuesday"]},
            "RRULE:FREQ=WEEKLY;WKST=SU;BYDAY=SU,TU;INTERVAL=2",
        ),
        (
            {"type": "absoluteMonthly", "dayOfMonth": 31},
            "RRULE:FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;INTERVAL=1",
        ),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["thursday"], "index": "last"},
            "RRULE:FREQ=MONTHLY;BYDAY=-1TH;INTERVAL=1",
        ),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["monday", "friday"], "index": "second"},
            "RRULE:FREQ=MONTHLY;BYDAY=MO,FR;BYSETPOS=2;INTERVAL=1",
        ),
        (
            {"type": "relativeYearly", "month": 5, "daysOfWeek": ["monday"], "index": "first"},
            "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=1MO;INTERVAL=1",
        ),
    ],
)
def test_a_pattern_means_the_rule_of_the_table(pattern: dict[str, Any], rule: str) -> None:
    assert to_rrule({"pattern": PATTERN | pattern, "range": {"type": "noEnd"}}) == rule


def test_an_end_date_is_the_whole_local_day() -> None:
    span = {"type": "endDate", "endDate": "2027-06-30", "recurrenceTimeZone": "Tokyo Standard Time"}

    rule = to_rrule({"pattern": PATTERN | {"type": "daily"}, "range": span})

    assert rule.endswith(";UNTIL=20270630T145959Z")


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=HOURLY",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15",
        "RRULE:FREQ=MONTHLY;BYDAY=MO",
        "RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO",
        "RRULE:FREQ=YEARLY;BYDAY=20MO",
    ],
)
def test_what_outlook_cannot_repeat_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="Outlook"):
        from_rrule(line, START, ZONE)


def first_days(line: str) -> list[datetime]:
    return list(islice(slots([line], START, ZONE), 12))
