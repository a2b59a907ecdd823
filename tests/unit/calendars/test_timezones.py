# ruff: noqa: DTZ001 - wall times, which have no zone, are what these tests are about

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from meetbot_calendar.calendars.model import Span
from meetbot_calendar.calendars.timezones import (
    date_span,
    parse_instant,
    to_local,
    to_utc,
    zone_name,
    zone_of,
)

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "UTC",
)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
walls = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe standard time", "Europe/Berlin"),
        (" Pacific Standard Time ", "America/Los_Angeles"),
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("UTC+12", "Etc/GMT-12"),
        ("US/Pacific", "US/Pacific"),
        ("Asia/Calcutta", "Asia/Calcutta"),
        ("Mid-Atlantic Standard Time", "Etc/GMT+2"),
        ("Mexico Standard Time 2", "America/Chihuahua"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("tzone://Microsoft/Custom", "tzone://Microsoft/Custom"),
        ("Customized Time Zone", "Customized Time Zone"),
        ("Mars/Olympus_Mons", "Mars/Olympus_Mons"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("", "UTC"),
        (None, "UTC"),
    ],
)
def test_a_zone_gets_its_iana_name_and_an_unknown_one_stays_as_it_is(
    raw: str | None, name: str
) -> None:
    assert zone_name(raw) == name


def test_every_windows_zone_has_rules() -> None:
    missing = [name for name in win_tz if name != "UTC" and zone_of(name) is UTC]

    assert [zone_name(name) for name in missing] == ["UTC"] * len(missing)


@pytest.mark.parametrize("name", ["tzone://Microsoft/Custom", "Nowhere", "", None])
def test_an_unknown_zone_is_read_as_utc(name: str | None) -> None:
    assert to_utc(datetime(2026, 7, 1, 9), name) == datetime(2026, 7, 1, 9, tzinfo=UTC)


def test_a_weekly_wall_time_moves_in_utc_when_the_clocks_change() -> None:
    wall = (datetime(2026, 10, 19, 9), datetime(2026, 10, 26, 9))

    instants_of_it = [to_utc(moment, "Europe/Berlin") for moment in wall]

    assert instants_of_it == [
        datetime(2026, 10, 19, 7, tzinfo=UTC),
        datetime(2026, 10, 26, 8, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        (datetime(2026, 3, 29, 2, 30), "Europe/Berlin", datetime(2026, 3, 29, 1, 30)),
        (datetime(2026, 3, 8, 2, 30), "America/New_York", datetime(2026, 3, 8, 7, 30)),
        (datetime(2026, 10, 4, 2, 15), "Australia/Lord_Howe", datetime(2026, 10, 3, 15, 45)),
        (datetime(2011, 12, 30, 12), "Pacific/Apia", datetime(2011, 12, 30, 22)),
    ],
)
def test_a_skipped_wall_time_lands_as_much_later(
    wall: datetime, zone: str, instant: datetime
) -> None:
    assert to_utc(wall, zone) == instant.replace(tzinfo=UTC)


def test_a_skipped_hour_is_shown_an_hour_later() -> None:
    shown = to_local(to_utc(datetime(2026, 3, 29, 2, 30), "Europe/Berlin"), "Europe/Berlin")

    assert shown.replace(tzinfo=None) == datetime(2026, 3, 29, 3, 30)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_repeated_wall_time_is_its_first_happening(fold: int) -> None:
    wall = datetime(2026, 10, 25, 2, 30, fold=fold)

    assert to_utc(wall, "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_time_with_an_offset_keeps_it_whatever_the_zone() -> None:
    moment = datetime(2026, 11, 23, 10, tzinfo=timezone(timedelta(hours=1)))

    assert to_utc(moment, "America/New_York") == datetime(2026, 11, 23, 9, tzinfo=UTC)


@given(instants, st.sampled_from(ZONES))
def test_an_instant_survives_the_way_to_wall_time_and_back(instant: datetime, zone: str) -> None:
    local = to_local(instant, zone)

    back = to_utc(local.replace(tzinfo=None), zone)

    # The second pass through a repeated hour comes back as the first.
    assert back == instant or (local.fold == 1 and back < instant)
    assert to_local(back, zone).replace(tzinfo=None) == local.replace(tzinfo=None)


@given(walls, st.sampled_from(ZONES))
def test_a_wall_time_survives_the_way_to_an_instant_unless_it_was_skipped(
    wall: datetime, zone: str
) -> None:
    wall = wall.replace(fold=0)

    shown = to_local(to_utc(wall, zone), zone).replace(tzinfo=None)

    assert shown >= wall
    assert shown - wall <= timedelta(days=1)
    assert to_utc(shown, zone) == to_utc(wall, zone)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-23T10:00:00+01:00", None, datetime(2026, 11, 23, 9)),
        ("2026-11-23T10:00:00+0100", None, datetime(2026, 11, 23, 9)),
        ("2026-11-23T10:00:00-03:30", "Europe/Berlin", datetime(2026, 11, 23, 13, 30)),
        ("2026-11-23T09:00:00Z", "Europe/Berlin", datetime(2026, 11, 23, 9)),
        ("2026-11-23t09:00:00z", None, datetime(2026, 11, 23, 9)),
        ("2026-11-23T09:00:00.0000000", "UTC", datetime(2026, 11, 23, 9)),
        ("2026-11-23T09:00:00.0000000", "W. Europe Standard Time", datetime(2026, 11, 23, 8)),
        ("2026-11-18T14:01:07.5126422Z", None, datetime(2026, 11, 18, 14, 1, 7, 512642)),
        ("2026-11-18T14:01:07.512Z", None, datetime(2026, 11, 18, 14, 1, 7, 512000)),
        ("2026-11-18T14:01:07.123456789Z", None, datetime(2026, 11, 18, 14, 1, 7, 123456)),
        ("2026-11-18T14:01:07.5Z", None, datetime(2026, 11, 18, 14, 1, 7, 500000)),
        (" 2026-11-18 14:01:07Z ", None, datetime(2026, 11, 18, 14, 1, 7)),
        ("2016-12-31T23:59:60Z", None, datetime(2017, 1, 1)),
        ("0001-01-01T00:00:00Z", None, datetime(1, 1, 1)),
    ],
)
def test_an_instant_is_read(text: str, zone: str | None, instant: datetime) -> None:
    assert parse_instant(text, zone) == instant.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-11-23",
        "2026-11-23T10:00",
        "2026-13-23T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-23T25:00:00Z",
        "2026-11-23T10:61:00Z",
        "2026-11-23T10:00:00.1234567890Z",
        "2026-11-23T10:00:00+25:00",
        "2026-11-23T10:00:00Z and more",
        "٢٠٢٦-11-23T10:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind of refusal is all a caller sees
        parse_instant(text)


@given(st.text(max_size=60), st.none() | st.text(max_size=20))
def test_any_text_is_an_instant_or_refused(text: str, zone: str | None) -> None:
    try:
        instant = parse_instant(text, zone)
    except ValueError:
        return

    assert instant.utcoffset() == timedelta(0)


@given(instants, st.integers(-1439, 1439), st.integers(0, 9))
def test_a_written_instant_is_read_back_to_the_digits_it_was_given(
    instant: datetime, minutes: int, digits: int
) -> None:
    local = instant.astimezone(timezone(timedelta(minutes=minutes)))
    sign, ahead = "+-"[minutes < 0], abs(minutes)
    fraction = f".{f'{local.microsecond:06}000'[:digits]}" if digits else ""

    read = parse_instant(
        f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{ahead // 60:02}:{ahead % 60:02}"
    )

    assert timedelta(0) <= instant - read < timedelta(seconds=10 ** -min(digits, 6))


def test_an_all_day_event_is_dates_at_midnight_utc() -> None:
    span = date_span("2026-11-23", "2026-11-25", "America/Los_Angeles")

    assert span == Span(
        start=datetime(2026, 11, 23, tzinfo=UTC),
        end=datetime(2026, 11, 25, tzinfo=UTC),
        zone="America/Los_Angeles",
        is_all_day=True,
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 11, 23), date(2026, 11, 24)),
        ("2026-11-23", None),
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23", "2026-11-20"),
        ("2026-11-23T00:00:00.0000000", "2026-11-24T00:00:00.0000000"),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), None),
    ],
)
def test_a_day_without_a_later_end_is_one_day(start: str | date, end: str | date | None) -> None:
    assert date_span(start, end) == Span(
        start=datetime(2026, 11, 23, tzinfo=UTC),
        end=datetime(2026, 11, 24, tzinfo=UTC),
        is_all_day=True,
    )


@pytest.mark.parametrize("text", ["", "23.11.2026", "2026-02-30", "2026-11-23x"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind of refusal is all a caller sees
        date_span(text)
