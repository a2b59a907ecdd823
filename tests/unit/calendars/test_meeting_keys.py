from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.calendars.meeting_keys import meeting_keys, series_uid
from tests.unit.calendars.event_values import day, span, stored_event

HEAD = "040000008200E00074C5B7101A82E008"
REST = "824DDB122F0AD30100000000000000001000000" + "0824A8905B038D54AA7735F117B3442ED"
MASTER = f"{HEAD}00000000{REST}"
GOOGLE = "6q3k1c9m2v0a@google.com"
START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def _wrapped(uid: str, date: str = "00000000") -> str:
    data = b"vCal-Uid\x01\0\0\0" + uid.encode() + b"\0"
    length = len(data).to_bytes(4, "little").hex()
    return f"{HEAD}{date}{'00' * 16}{length}{data.hex()}".upper()


@pytest.mark.parametrize(
    ("uid", "series"),
    [
        (GOOGLE, GOOGLE),
        ("ABC@example.com", "ABC@example.com"),
        (f" {GOOGLE} ", GOOGLE),
        (MASTER, MASTER),
        (f"{HEAD}07E10810{REST}", MASTER),
        (f"{HEAD}07E1080E{REST}".lower(), MASTER),
        (_wrapped(GOOGLE), GOOGLE),
        (_wrapped(GOOGLE, "07EA0B17"), GOOGLE),
        (_wrapped(GOOGLE).lower(), GOOGLE),
        (_wrapped("Sitzung-Ä@example.com"), "Sitzung-Ä@example.com"),
        ("6q3k1c9m2v0a_R20260928T090000@google.com", GOOGLE),
        ("6q3k1c9m2v0a_R20260928T090000Z@google.com", GOOGLE),
        ("6q3k1c9m2v0a_R20260928@google.com", GOOGLE),
        ("6q3k1c9m2v0a_R20260928T090000_R20261012T090000@google.com", GOOGLE),
        (_wrapped("6q3k1c9m2v0a_R20260928T090000@google.com"), GOOGLE),
        ("a_R20260928T090000@example.com", "a_R20260928T090000@example.com"),
        ("a_Room@google.com", "a_Room@google.com"),
        ("", ""),
    ],
)
def test_a_series_has_one_uid_at_every_provider(uid: str, series: str) -> None:
    assert series_uid(uid) == series


@pytest.mark.parametrize(
    "uid",
    [
        HEAD,
        "040000008200C780DAE",
        MASTER[:70],
        f"{MASTER}0",
        f"{HEAD}{'Z' * 60}",
        _wrapped("\x00").replace("FF", "FE"),
    ],
)
def test_a_broken_object_id_is_kept_as_a_uid_of_its_own(uid: str) -> None:
    assert series_uid(uid)


def test_a_foreign_uid_that_is_no_text_is_not_decoded() -> None:
    uid = _wrapped(GOOGLE).replace(GOOGLE.encode().hex().upper()[:4], "FFFE")

    assert series_uid(uid) == uid


@given(st.text(max_size=120) | st.from_regex(rf"\A{HEAD}[0-9A-Fa-f]{{0,120}}\Z"))
def test_the_uid_of_a_series_is_its_own(uid: str) -> None:
    assert series_uid(series_uid(uid)) == series_uid(uid)


@given(st.from_regex(r"\A[a-z0-9]{5,26}@google\.com\Z"), st.from_regex(r"\A07EA0[1-9]1[0-9]\Z"))
def test_a_google_meeting_in_outlook_is_the_google_meeting(uid: str, date: str) -> None:
    assert series_uid(_wrapped(uid, date)) == series_uid(uid)


def test_an_event_is_known_by_its_uid_and_by_its_room() -> None:
    event = stored_event(ical_uid=GOOGLE, span=span(START))

    assert meeting_keys(event, "zoom:123456789") == (
        f"uid:{GOOGLE}@2026-11-23T09:00:00Z",
        f"uid:{GOOGLE}@alone",
        "room:zoom:123456789@2026-11-23T09:00:00Z",
    )


def test_a_moved_occurrence_keeps_the_slot_that_its_series_gave_it() -> None:
    moved = stored_event(
        ical_uid=GOOGLE, original_start=START, span=span(START + timedelta(hours=2))
    )

    assert meeting_keys(moved, "zoom:1") == (
        f"uid:{GOOGLE}@2026-11-23T09:00:00Z",
        "room:zoom:1@2026-11-23T11:00:00Z",
    )


def test_occurrences_of_one_series_are_different_meetings() -> None:
    weeks = [START + timedelta(weeks=week) for week in range(2)]

    one, other = (
        set(meeting_keys(stored_event(ical_uid=GOOGLE, original_start=s, span=span(s)), "zoom:1"))
        for s in weeks
    )

    assert not one & other


def test_the_google_and_the_outlook_copy_share_a_name() -> None:
    google = stored_event(ical_uid=GOOGLE, original_start=START, span=span(START))
    outlook = stored_event(
        ical_uid=_wrapped(GOOGLE, "07EA0B17"), original_start=START, span=span(START)
    )

    assert meeting_keys(google, None) == meeting_keys(outlook, None)


def test_an_all_day_event_is_known_by_its_date_and_by_no_instant() -> None:
    event = stored_event(ical_uid=GOOGLE, span=day(2026, 11, 23))

    assert meeting_keys(event, "zoom:1") == (f"uid:{GOOGLE}@2026-11-23", f"uid:{GOOGLE}@alone")


def test_a_slot_counts_where_the_times_are_missing() -> None:
    event = stored_event(ical_uid=GOOGLE, original_start=START, span=None)

    assert meeting_keys(event, "zoom:1") == (f"uid:{GOOGLE}@2026-11-23T09:00:00Z",)


@pytest.mark.parametrize("uid", [None, "", "  "])
def test_an_event_without_uid_and_room_is_a_meeting_of_its_own(uid: str | None) -> None:
    assert meeting_keys(stored_event(ical_uid=uid), None) == ("event:one",)


def test_an_event_without_any_time_is_a_meeting_of_its_own() -> None:
    assert meeting_keys(stored_event(ical_uid=GOOGLE, span=None), "zoom:1") == ("event:one",)


def test_a_single_event_that_moved_still_shares_a_name_with_its_copy_that_did_not_yet() -> None:
    here = stored_event(ical_uid=GOOGLE, span=span(START + timedelta(hours=3)))
    there = stored_event(ical_uid=_wrapped(GOOGLE), span=span(START))

    shared = set(meeting_keys(here, None)) & set(meeting_keys(there, None))

    assert shared == {f"uid:{GOOGLE}@alone"}


def test_two_occurrences_that_came_without_their_series_are_two_meetings() -> None:
    one = stored_event(ical_uid=_wrapped(GOOGLE, "07EA0B17"), span=span(START))
    other = stored_event(
        ical_uid=_wrapped(GOOGLE, "07EA0B1E"), span=span(START + timedelta(weeks=1))
    )

    assert not set(meeting_keys(one, None)) & set(meeting_keys(other, None))
