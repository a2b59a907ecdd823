"""After this attempt: delivered, once more at an instant, or the end; how the endpoint stands."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from meetbot_calendar.deliveries.model import Attempt

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.1
LONGEST_WISH = 24 * 3600.0
FAILING_FOR = timedelta(days=5)
PATIENT_ATTEMPTS = 5
GONE = 410


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """What follows an attempt. ``at`` stands with ``retry`` alone.

    ``gone``: the endpoint answered 410; neither this delivery nor the endpoint goes on.
    """

    outcome: Literal["delivered", "retry", "exhausted", "gone"]
    at: datetime | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint stands after an attempt; with a ``disabled_reason`` it must be disabled."""

    failing_since: datetime | None = None
    disabled_reason: Literal["gone", "failing"] | None = None


def succeeded(attempt: Attempt) -> bool:
    """Say whether the endpoint took the message: any 2xx."""
    return attempt.status_code is not None and attempt.status_code // 100 == 2  # noqa: PLR2004 - 2xx


def after(attempt: Attempt, now: datetime, jitter: float) -> Next:
    """Say what follows. ``jitter`` in [0, 1) spreads the retry over a tenth of its delay.

    A retry never comes before the schedule says; the endpoint's Retry-After may put it off, by a
    day at most.
    """
    if succeeded(attempt):
        return Next(outcome="delivered")
    if attempt.status_code == GONE:
        return Next(outcome="gone")
    if attempt.number > len(DELAYS):
        return Next(outcome="exhausted")
    delay = DELAYS[attempt.number - 1]
    wish = timedelta(seconds=min(attempt.retry_after or 0.0, LONGEST_WISH))
    return Next(outcome="retry", at=now + max(delay, wish) + delay * JITTER * jitter)


def health_after(failing_since: datetime | None, attempt: Attempt, now: datetime) -> Health:
    """Say how the endpoint stands, which has been failing since then (None: it was well).

    Five days without one success disable it, but never on the first tries of a new message: after
    quiet days those say nothing of the days between.
    """
    if succeeded(attempt):
        return Health()
    since = failing_since or now
    if attempt.status_code == GONE:
        return Health(failing_since=since, disabled_reason="gone")
    tired = now - since >= FAILING_FOR and attempt.number >= PATIENT_ATTEMPTS
    return Health(failing_since=since, disabled_reason="failing" if tired else None)
