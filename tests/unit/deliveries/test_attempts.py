from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetbot_calendar.deliveries.attempts import DELAYS, Health, Next, after, health_after
from meetbot_calendar.deliveries.model import Attempt

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def attempt(number: int = 1, status: int | None = 500, retry_after: float | None = None) -> Attempt:
    return Attempt(number=number, at=NOON, status_code=status, retry_after=retry_after)


@given(number=st.integers(1, 50), status=st.integers(200, 299))
def test_any_2xx_is_delivered(number: int, status: int) -> None:
    assert after(attempt(number, status), NOON, 0.5) == Next(outcome="delivered")


def test_gone_ends_the_delivery_at_once() -> None:
    assert after(attempt(1, 410), NOON, 0.5) == Next(outcome="gone")


def test_a_failing_delivery_is_tried_ten_times_over_three_days_and_then_kept() -> None:
    followed = [after(attempt(number), NOON, 0.0) for number in range(1, 11)]

    assert followed == [
        *(Next(outcome="retry", at=NOON + delay) for delay in DELAYS),
        Next(outcome="exhausted"),
    ]
    assert sum(DELAYS, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)


failing = st.one_of(st.none(), st.integers(100, 199), st.integers(300, 599)).filter(
    lambda status: status != 410
)


@given(
    status=failing,
    jitters=st.lists(st.floats(0, 1, exclude_max=True), min_size=9, max_size=9),
    wish=st.one_of(st.none(), st.floats(0, 1e12)),
)
def test_retries_come_later_and_later_and_end(
    status: int | None, jitters: list[float], wish: float | None
) -> None:
    followed = [
        after(attempt(number, status, wish), NOON, jitter)
        for number, jitter in enumerate(jitters, start=1)
    ]

    waits = [step.at - NOON for step in followed if step.at]
    assert len(waits) == 9
    assert waits == sorted(waits) or wish is not None
    assert all(wait >= delay for wait, delay in zip(waits, DELAYS, strict=True))
    assert all(
        wait <= timedelta(hours=24) + delay for wait, delay in zip(waits, DELAYS, strict=True)
    )
    assert after(attempt(10, status, wish), NOON, jitters[0]) == Next(outcome="exhausted")


def test_the_endpoint_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() -> None:
    longer = after(attempt(2, 429, 3600.0), NOON, 0.0)
    shorter = after(attempt(2, 429, 1.0), NOON, 0.0)

    assert longer == Next(outcome="retry", at=NOON + timedelta(hours=1))
    assert shorter == Next(outcome="retry", at=NOON + timedelta(minutes=5))


def test_the_endpoint_cannot_put_us_off_for_more_than_a_day() -> None:
    asked = after(attempt(1, 503, 1e9), NOON, 0.0)

    assert asked == Next(outcome="retry", at=NOON + timedelta(days=1))


def test_a_success_makes_an_endpoint_well_again() -> None:
    assert health_after(NOON - timedelta(days=9), attempt(9, 204), NOON) == Health()


def test_the_first_failure_starts_the_count() -> None:
    assert health_after(None, attempt(1), NOON) == Health(failing_since=NOON)


def test_gone_disables_the_endpoint() -> None:
    assert health_after(None, attempt(1, 410), NOON) == Health(
        failing_since=NOON, disabled_reason="gone"
    )


@pytest.mark.parametrize(
    ("since", "number", "reason"),
    [
        (timedelta(days=5), 5, "failing"),
        (timedelta(days=5), 10, "failing"),
        (timedelta(days=5) - timedelta(seconds=1), 10, None),
        (timedelta(days=50), 4, None),
    ],
)
def test_five_days_of_failing_disable_it_but_not_on_the_first_tries_after_quiet_days(
    since: timedelta, number: int, reason: str | None
) -> None:
    got = health_after(NOON - since, attempt(number, None), NOON)

    assert (got.failing_since, got.disabled_reason) == (NOON - since, reason)
