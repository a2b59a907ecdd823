"""Which of several words of a person counts for an event."""

from datetime import timedelta
from typing import Any

import pytest

from meetbot_calendar.bots.overrides import (
    Override,
    SeriesOverride,
    SeriesOverrideId,
    prevailing,
)
from meetbot_calendar.calendars.model import CalendarId, EventId
from tests.factories import ANN, NOON

HOUR = timedelta(hours=1)
EVENT = EventId("evt_1")


def of_series(**given: Any) -> SeriesOverride:
    values: dict[str, Any] = {
        "id": SeriesOverrideId("sov_1"),
        "user_id": ANN,
        "calendar_id": CalendarId("cal_1"),
        "series_id": "weekly",
        "action": "record",
        "first_slot": NOON,
        "actor": "key_1",
        "created_at": NOON,
    }
    return SeriesOverride(**(values | given))


def own(**given: Any) -> Override:
    values: dict[str, Any] = {
        "event_id": EVENT,
        "action": "record",
        "actor": "key_1",
        "created_at": NOON,
    }
    return Override(**(values | given))


def test_nobody_said_anything() -> None:
    assert prevailing(None, []) is None


def test_the_latest_word_about_the_series_counts() -> None:
    earlier, later = of_series(), of_series(created_at=NOON + HOUR, action="skip")

    assert prevailing(None, [later, earlier]) is later
    assert prevailing(None, [earlier, later]) is later


@pytest.mark.parametrize(
    ("single", "series", "wins"),
    [
        (own(action="skip"), of_series(created_at=NOON + HOUR), "series"),
        (own(created_at=NOON + HOUR), of_series(action="skip"), "own"),
        (own(), of_series(action="skip"), "own"),
        (own(), of_series(created_at=NOON + HOUR), "own"),
        (own(created_at=NOON + HOUR), of_series(), "own"),
    ],
)
def test_the_later_word_wins_and_a_repeated_one_changes_nothing(
    single: Override, series: SeriesOverride, wins: str
) -> None:
    assert prevailing(single, [series]) is (series if wins == "series" else None)


def test_a_word_about_a_series_says_the_same_of_one_event() -> None:
    said = of_series(bot_config={"bot_name": "Eve"}, action="skip")

    assert said.on(EVENT) == own(action="skip", bot_config={"bot_name": "Eve"})
